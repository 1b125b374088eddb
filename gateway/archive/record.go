package archive

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Version is that of the form of Record.
const Version = 1

// Record is what is known of an archived message, for programs. Its JSON form is stable: fields are added, none changes its meaning.
type Record struct {
	Version int     `json:"version"`
	ID      mail.ID `json:"id"`      // of the copy, the same however often it comes
	Archive string  `json:"archive"` // the name of the archive
	Message mail.ID `json:"message"` // under which the message was accepted
	Host    string  `json:"host"`    // the gateway

	Direction  mail.Direction `json:"direction"`
	DeMail     bool           `json:"de_mail,omitempty"` // it was fetched from a provider of De-Mail
	Received   time.Time      `json:"received"`
	Client     Client         `json:"client"`
	From       string         `json:"from"` // the reverse-path
	Recipients []Recipient    `json:"recipients"`

	MessageID string `json:"message_id,omitempty"`
	Author    string `json:"author,omitempty"` // From, as it stands in the header
	Subject   string `json:"subject,omitempty"`

	Original  Part  `json:"original"`            // as it came
	Decrypted *Part `json:"decrypted,omitempty"` // what is in it, where it was decrypted
	// SMIME is what was found of it, where that was looked for: of mail from outside.
	SMIME *smime.Report `json:"smime,omitempty"`
	// NotOpened is why nothing was looked for, or not everything opened, where there is a reason beyond the message.
	NotOpened string `json:"not_opened,omitempty"`
}

// Client is who handed the message over.
type Client struct {
	Listener string     `json:"listener,omitempty"`
	Address  netip.Addr `json:"address,omitzero"`
	Helo     string     `json:"helo,omitempty"`
	User     string     `json:"user,omitempty"`
	TLS      string     `json:"tls,omitempty"`
}

// Part is an attached message.
type Part struct {
	Name   string `json:"name"` // of the attachment
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	shape  shape
}

// headerMost bounds the header that is read for the record; what is longer is not read.
const headerMost = 512 << 10

// read looks at a message: what it measures, and its header where that can be read.
func read(name string, content mail.Content) (Part, entity.Header, error) {
	r, err := content.Open()
	if err != nil {
		return Part{}, entity.Header{}, err
	}
	defer r.Close()
	p, sum := Part{Name: name}, sha256.New()
	counted := &measured{r: r, shape: &p.shape}
	br := bufio.NewReaderSize(io.TeeReader(counted, sum), 32<<10)
	header, err := entity.ReadHeader(br, headerMost)
	if err != nil {
		header = entity.Header{} // what is no message is kept all the same
	}
	_, err = io.Copy(io.Discard, br)
	switch {
	case counted.err != nil && !errors.Is(counted.err, io.EOF):
		return Part{}, entity.Header{}, counted.err
	case err != nil:
		return Part{}, entity.Header{}, err
	case counted.n != content.Size():
		return Part{}, entity.Header{}, io.ErrUnexpectedEOF
	}
	p.Size, p.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	return p, header, nil
}

// measured counts and looks at what is read through it.
type measured struct {
	r     io.Reader
	shape *shape
	n     int64
	err   error
}

// Read implements io.Reader.
func (m *measured) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.shape.note(p[:n])
	m.err = err
	return n, err
}

// describe takes over what a header says, each field where it stands once.
func (r *Record) describe(h entity.Header) {
	single := func(name string) string {
		values := h.Values(name)
		if len(values) != 1 {
			return ""
		}
		return line(encword.Parse(strings.TrimSpace(values[0])).String())
	}
	r.MessageID, r.Author, r.Subject = single("Message-ID"), single("From"), single("Subject")
	seen := visible(h)
	for i := range r.Recipients {
		to := &r.Recipients[i]
		if to.Field = seen[to.Address.Key()]; to.Field == "" {
			to.Field = hidden(r.Direction)
		}
	}
}

// lineMost bounds what is quoted of a header.
const lineMost = 2000

// line is text of a stranger on one line.
func line(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > lineMost {
		return string(runes[:lineMost]) + "..."
	}
	return s
}

// visible are the fields in which recipients stand, by the Key of each: the first of To, Cc and Bcc.
func visible(h entity.Header) map[string]string {
	seen := map[string]string{}
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, v := range h.Values(name) {
			for _, a := range addresses(v) {
				if seen[a.Key()] == "" {
					seen[a.Key()] = name
				}
			}
		}
	}
	return seen
}

// hidden tells where a recipient stands whom the header does not name. Of mail from inside, it is hidden from the others; of mail from outside it may be on a
// list as well.
func hidden(d mail.Direction) string {
	if d == mail.Incoming {
		return "Recipient"
	}
	return "Bcc"
}
