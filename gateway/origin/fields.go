package origin

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/smime/entity"
)

// fields is what goes on top of the header: the results for programs (RFC 8601), and in one word for people, where
// these are the company's own.
func (j *Judge) fields(r mailauth.Result, a mailauth.Action, others bool) ([]byte, error) {
	results, err := r.Field(j.o.Hostname)
	if err != nil {
		return nil, err
	}
	if others {
		return results.Raw, nil
	}
	word, err := entity.NewField(protect.OriginField, describe(r, a))
	if err != nil {
		return nil, err
	}
	return slices.Concat(results.Raw, word.Raw), nil
}

// describe says what is known of the origin: confirmed, unconfirmed or doubtful.
func describe(r mailauth.Result, a mailauth.Action) string {
	switch {
	case a.Disposition != mailauth.Nothing:
		return protect.OriginDoubtful + "; by=" + a.Method + "; action=" + string(a.Disposition) + `; reason="` + quotable(a.Text) + `"`
	case r.DMARC.BadFrom:
		return "unconfirmed"
	case len(r.Unconfirmed) > 0:
		return "unconfirmed; domain=" + strings.Join(r.Unconfirmed, ", ")
	}
	return "confirmed; domain=" + r.DMARC.Domain
}

// quotable is text as it may stand between quotation marks (RFC 5322, 3.2.4).
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

// headed is content with fields on top of its header.
type headed struct {
	fields  []byte
	content mail.Content
}

// Size implements mail.Content.
func (h headed) Size() int64 { return int64(len(h.fields)) + h.content.Size() }

// Open implements mail.Content.
func (h headed) Open() (io.ReadCloser, error) {
	r, err := h.content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(h.fields), r), r}, nil
}
