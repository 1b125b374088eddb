package protect

import (
	"io"
	"mime"
	netmail "net/mail"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// addressList reads an address list in whatever charset the names are, which are not looked at.
func addressList(v string) ([]*netmail.Address, error) {
	asItIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	p := netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asItIs}}
	return p.ParseList(strings.ToValidUTF8(v, "\uFFFD"))
}

// singleFrom is the From address where there is exactly one field with exactly one address, else the zero
// Address (invariant 4). A group (RFC 6854) is none, whoever is in it: programs show its name, not its member.
func singleFrom(h entity.Header) mail.Address {
	values := h.Values("From")
	if len(values) != 1 {
		return mail.Address{}
	}
	list, err := addressList(values[0])
	if err != nil || len(list) != 1 || isGroup(values[0]) {
		return mail.Address{}
	}
	a, err := mail.ParseAddress(list[0].Address)
	if err != nil {
		return mail.Address{}
	}
	return a
}

// isGroup reports whether an address list that can be read has a colon outside of quotes, comments and angle brackets.
func isGroup(v string) bool {
	quoted, angle, depth := false, false, 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth > 0:
		case c == '<' || c == '[':
			angle = true
		case c == '>' || c == ']':
			angle = false
		case c == ':' && !angle:
			return true
		}
	}
	return false
}

// visible holds the Key of each address that the recipients can see in the header.
func visible(h entity.Header) map[string]bool {
	seen := make(map[string]bool)
	for _, name := range []string{"To", "Cc"} {
		for _, v := range h.Values(name) {
			list, err := addressList(v)
			if err != nil {
				continue // its recipients count as hidden, which betrays nothing
			}
			for _, item := range list {
				if a, err := mail.ParseAddress(item.Address); err == nil {
					seen[a.Key()] = true
				}
			}
		}
	}
	return seen
}
