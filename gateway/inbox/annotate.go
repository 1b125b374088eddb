package inbox

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/smime/entity"
)

// annotated is a message as it goes inside: what the gateway found on top, then its header as it counts (TR-01201 3.4, 3.1.1), then the body as
// it came. The fields of De-Mail stay only where nothing speaks against their integrity; what else could pass for the word of this gateway is removed.
func (i *Inbox) annotated(m *message) (mail.Content, error) {
	var top entity.Header
	if err := top.InsertTop(protect.DeMailField, i.finding(m)); err != nil {
		return nil, err
	}
	head := top.Bytes()
	for _, f := range m.header.Settled().Fields() {
		switch {
		case demail.IsMetadata(f.Name):
			if !m.fits() {
				continue
			}
		case !i.clean(f):
			continue
		}
		head = append(head, f.Raw...)
	}
	return joined{head: append(head, "\r\n"...), body: m.content, skip: int64(len(m.header.Bytes())) + 2}, nil
}

// clean reports whether a field may stay.
func (i *Inbox) clean(f demail.Field) bool {
	var h entity.Header
	h.Append(entity.Field{Name: f.Name, Raw: f.Raw})
	i.o.Clean(&h)
	return h.Len() == 1
}

// finding is the value of X-Siegel-DeMail. Who sent it, and how that person had logged in, stands there only where it is verified or intact.
func (i *Inbox) finding(m *message) string {
	parts := []string{protect.DeMailUnverified}
	if plain := m.kind == demail.TypeNormal && m.intact(); m.verified() || plain {
		if parts[0] = protect.DeMailVerified; plain {
			parts[0] = protect.DeMailIntact
		}
		if m.meta.Level != "" {
			parts = append(parts, "level="+string(m.meta.Level))
		}
		parts = append(parts, "sender="+m.meta.Sender.String())
		if m.meta.Authoritative && m.verified() {
			parts = append(parts, "authoritative=yes")
		}
	} else {
		parts = append(parts, "reason="+quote(m.reason))
	}
	parts = append(parts, "integrity="+m.state.String())
	if m.kind != "" {
		parts = append(parts, "type="+quote(string(m.kind)))
	}
	if !m.mailbox.IsZero() {
		parts = append(parts, "mailbox="+m.mailbox.String())
	}
	parts = append(parts, "account="+i.o.Account, "fetched="+m.fetched.UTC().Format(time.RFC3339), "id="+string(m.queued))
	return strings.Join(parts, "; ")
}

// findings are the names of what X-Siegel-DeMail says.
var findings = []string{"reason", "level", "sender", "authoritative", "integrity", "type", "mailbox", "account", "fetched", "id"}

// quote makes a quoted-string of printable ASCII (RFC 5322, 3.2.4). What would look like another finding to a rule that searches for words is written otherwise: a
// reason may repeat what a stranger wrote.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for n, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			b.WriteByte('?')
		case r == ';':
			b.WriteByte(',')
		case r == '=' && slices.ContainsFunc(findings, func(name string) bool {
			return n >= len(name) && strings.EqualFold(s[n-len(name):n], name)
		}):
			b.WriteByte(':')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// joined is content made of three pieces, the middle one without its first bytes.
type joined struct {
	head []byte
	body mail.Content
	skip int64
	tail []byte
}

// Size implements mail.Content.
func (j joined) Size() int64 {
	return int64(len(j.head)) + j.body.Size() - j.skip + int64(len(j.tail))
}

// Open implements mail.Content.
func (j joined) Open() (io.ReadCloser, error) {
	r, err := j.body.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, j.skip); err != nil {
		r.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(j.head), r, bytes.NewReader(j.tail)), r}, nil
}
