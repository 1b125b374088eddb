package gateway

import (
	"bytes"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/roundtrip"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/smime/entity"
)

// markHeader is the longest header that is read to mark a message: more than was taken, since it was added to.
const markHeader = 1 << 20

// mark puts the mark of a round trip on top of a message. No other mark is on it: those of strangers were
// removed at the door, and from what was decrypted.
func (g *Gateway) mark(content mail.Content, d mail.Direction) (mail.Content, error) {
	r, err := content.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	header, _, err := entity.Read(r, markHeader)
	if err != nil {
		return nil, fmt.Errorf("reading the header to mark a message for its way back: %w", err)
	}
	field, err := entity.NewField(roundtrip.Field, g.marks.Mark(header, d, g.o.Now()))
	if err != nil {
		return nil, err
	}
	return marked{content, field.Raw}, nil
}

// marked is content with a field on top of it.
type marked struct {
	mail.Content
	field []byte
}

// Size implements mail.Content.
func (m marked) Size() int64 { return int64(len(m.field)) + m.Content.Size() }

// Open implements mail.Content.
func (m marked) Open() (io.ReadCloser, error) {
	r, err := m.Content.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(m.field), r), r}, nil
}

// Secret implements delivery.Secret.
func (m marked) Secret() bool {
	s, ok := m.Content.(delivery.Secret)
	return ok && s.Secret()
}

// roundTrips are the names of the listeners whose mail goes back to where it came from.
func roundTrips(all []smtpin.Listener) map[string]bool {
	names := map[string]bool{}
	for _, l := range all {
		names[l.Name] = l.Role == smtpin.RoundTrip
	}
	return names
}
