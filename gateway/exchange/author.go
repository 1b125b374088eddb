package exchange

import (
	"errors"
	"io"
	"mime"
	netmail "net/mail"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// ErrAuthor is the error of a header that does not name one author: none, several, a group, or one that
// programs may read differently.
var ErrAuthor = errors.New("exchange: the message does not have exactly one From address")

// Author is the address of the one mailbox in the one From field; ErrAuthor where there is no such thing. Sender
// and the fields that begin with Resent- are not looked at.
func Author(h entity.Header) (mail.Address, error) {
	values := h.Values("From")
	if len(values) != 1 || hasGroup(values[0]) {
		return mail.Address{}, ErrAuthor
	}
	asItIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	parser := netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asItIs}}
	list, err := parser.ParseList(strings.ToValidUTF8(values[0], "\uFFFD"))
	if err != nil || len(list) != 1 {
		return mail.Address{}, ErrAuthor
	}
	a, err := mail.ParseAddress(list[0].Address)
	if err != nil {
		return mail.Address{}, ErrAuthor
	}
	return a, nil
}

// hasGroup finds the signs of a group (RFC 5322, 3.4; RFC 6854) outside of quotes, comments and brackets.
func hasGroup(value string) bool {
	quoted, depth, angle := false, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case (c == ':' || c == ';') && !angle:
			return true
		}
	}
	return false
}
