package archive

import (
	"io"
	"mime"
	netmail "net/mail"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// shape is what the bytes of a message are like: how it can stand within another one.
type shape struct {
	bare, null, high, cr bool
	line, longest        int
}

// mostLine is how long a line may be (RFC 5322, 2.1.1), without its end.
const mostLine = 998

// note looks at more bytes.
func (s *shape) note(p []byte) {
	for _, c := range p {
		switch {
		case c == '\n' && s.cr:
			s.line, s.cr = 0, false
			continue
		case c == '\n' || s.cr:
			s.bare = true
		}
		s.cr = c == '\r'
		s.null = s.null || c == 0
		s.high = s.high || c > 0x7f
		if !s.cr {
			s.line++
		}
		s.longest = max(s.longest, s.line)
	}
}

// encoding is the Content-Transfer-Encoding by which it stands in a message/rfc822 as it is (RFC 2046, 5.2.1); empty where SMTP would not carry it so, or
// a server on the way would mend it.
func (s *shape) encoding() string {
	switch {
	case s.bare, s.cr, s.null, s.longest > mostLine:
		return ""
	case s.high:
		return "8bit"
	}
	return "7bit"
}

// addresses are those of an address list; none, where it is no such list.
func addresses(list string) (all []mail.Address) {
	asItIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	p := netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asItIs}}
	found, err := p.ParseList(strings.ToValidUTF8(list, "\uFFFD"))
	if err != nil {
		return nil
	}
	for _, item := range found {
		if a, err := mail.ParseAddress(item.Address); err == nil {
			all = append(all, a)
		}
	}
	return all
}
