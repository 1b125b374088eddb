package connectors

import (
	"fmt"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// MaxKey is the longest Key.
const MaxKey = 256

// Check reports what is wrong with a message before anybody sees it: an *Error that is ErrRejected or ErrTooLarge.
func (m Message) Check() error {
	switch {
	case !validKey(m.Key):
		return Errorf(ErrRejected, "a key is 1 to %d letters, digits and signs of ASCII, without blanks", MaxKey)
	case m.Sender.IsZero():
		return Errorf(ErrRejected, "a message has a sender")
	case len(m.Recipients.All()) == 0:
		return Errorf(ErrRejected, "a message has a recipient")
	case len(m.Recipients.All()) > demail.MaxRecipients:
		return Errorf(ErrRejected, "a message has %d recipients at most", demail.MaxRecipients)
	case m.Content == nil:
		return Errorf(ErrRejected, "a message has content")
	case m.Content.Size() > demail.MaxGross:
		return Errorf(ErrTooLarge, "%d bytes; a De-Mail has %d at most", m.Content.Size(), demail.MaxGross)
	}
	for _, r := range m.Recipients.All() {
		if r.Address.IsZero() {
			return Errorf(ErrRejected, "every recipient has an address")
		}
	}
	return nil
}

func validKey(s string) bool {
	return s != "" && len(s) <= MaxKey && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// CheckID reports an id that a provider must not have: empty, larger than MaxID, or with characters that cannot be shown. The error is
// ErrUnavailable: an answer that makes no sense.
func CheckID(id string) error {
	if id == "" || len(id) > MaxID || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Errorf(ErrUnavailable, "the provider's answer has an id of %d bytes that is none", len(id))
	}
	return nil
}

// CheckDomains brings the domains of an account into the form that Domains returns. The error is ErrUnavailable.
func CheckDomains(domains []string) ([]string, error) {
	if len(domains) > MaxDomains {
		return nil, Errorf(ErrUnavailable, "the provider's answer has more than %d domains", MaxDomains)
	}
	var out []string
	seen := make(map[string]bool)
	for _, d := range domains {
		domain, err := demail.ParseDomain(d)
		if err != nil {
			return nil, Errorf(ErrUnavailable, "the provider's answer has a domain that is none")
		}
		if !seen[domain] {
			out = append(out, domain)
		}
		seen[domain] = true
	}
	return out, nil
}

// Bounded is r as Incoming.Content has to be: ErrTooLarge after MaxIncoming bytes, and what r errs with as ErrUnavailable.
func Bounded(r io.Reader) io.Reader { return &bounded{r: r, left: MaxIncoming} }

type bounded struct {
	r    io.Reader
	left int64
	err  error
}

// Read passes bytes on.
func (b *bounded) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	switch {
	case int64(n) > b.left:
		n = int(b.left)
		err = Errorf(ErrTooLarge, "a message of more than %d bytes", int64(MaxIncoming))
	case err != nil && err != io.EOF && Class(err) == nil:
		err = &Error{Class: ErrUnavailable, Text: "the provider stopped within a message", Err: err}
	}
	b.left -= int64(n)
	b.err = err
	return n, err
}

// Errorf makes an *Error of a class.
func Errorf(class error, format string, args ...any) error {
	return &Error{Class: class, Text: fmt.Sprintf(format, args...)}
}
