package mailauth

import (
	"errors"
	"io"
	"mime"
	netmail "net/mail"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// maxAuthors is how many domains a From field may name.
const maxAuthors = 4

// Why there is no author to hold a policy against.
var (
	errNoFrom       = errors.New("the message has no From field")
	errSeveralFroms = errors.New("the message has more than one From field")
	errUnreadable   = errors.New("the From field cannot be read")
	errNobody       = errors.New("the From field names nobody")
	errManyAuthors  = errors.New("the From field names too many domains")
)

// authors returns the domains of the addresses in the one From field (RFC 7489, 6.6.1), each once. Most
// programs show one of several From fields, and not all the same one, so several are worse than none.
func authors(h entity.Header) ([]string, error) {
	switch values := h.Values("From"); len(values) {
	case 0:
		return nil, errNoFrom
	case 1:
		return domainsOf(values[0])
	}
	return nil, errSeveralFroms
}

func domainsOf(value string) ([]string, error) {
	list, err := addressParser().ParseList(strings.ToValidUTF8(value, "?"))
	if err != nil {
		return nil, errUnreadable
	}
	var domains []string
	for _, item := range list {
		// The parser has unquoted the local part, which may hold an @ of its own.
		a, err := mail.ParseAddress("x" + item.Address[strings.LastIndexByte(item.Address, '@'):])
		if err != nil {
			return nil, errUnreadable
		}
		if !slices.Contains(domains, a.Domain) {
			domains = append(domains, a.Domain)
		}
	}
	switch {
	case len(domains) == 0: // an empty group (RFC 6854)
		return nil, errNobody
	case len(domains) > maxAuthors:
		return nil, errManyAuthors
	}
	return domains, nil
}

// addressParser reads address lists and does not mind character sets of display names, which nobody looks at.
func addressParser() *netmail.AddressParser {
	asIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return &netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asIs}}
}
