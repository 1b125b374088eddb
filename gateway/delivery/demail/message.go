package demail

import (
	"bufio"
	"io"
	"mime"
	netmail "net/mail"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Limits of what is read of a header.
const (
	headerLimit  = 1 << 20
	headerBuffer = 4 << 10
)

// readHeader reads the header of a message.
func readHeader(c mail.Content) (entity.Header, error) {
	r, err := c.Open()
	if err != nil {
		return entity.Header{}, err
	}
	defer r.Close()
	return entity.ReadHeader(bufio.NewReaderSize(r, headerBuffer), headerLimit)
}

// recipients says of each address what the sender made it (TR-01201 3.4, 3.1.8): to or cc where the header has it there, with the name that it has
// there, and bcc where it does not. Each is in it once.
func recipients(h entity.Header, to []demail.Address) (r demail.Recipients) {
	inTo, inCc := named(h, "To"), named(h, "Cc")
	seen := map[demail.Address]bool{}
	for _, a := range to {
		if seen[a] {
			continue
		}
		seen[a] = true
		if name, ok := inTo[a]; ok {
			r.To = append(r.To, demail.Mailbox{Name: name, Address: a})
		} else if name, ok := inCc[a]; ok {
			r.Cc = append(r.Cc, demail.Mailbox{Name: name, Address: a})
		} else {
			r.Bcc = append(r.Bcc, demail.Mailbox{Address: a})
		}
	}
	return r
}

// named are the De-Mail addresses in fields of a name, with the names that stand before them. Those in a field that cannot be read count as not
// named, which betrays nobody.
func named(h entity.Header, field string) map[demail.Address]string {
	asItIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	p := netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asItIs}}
	names := map[demail.Address]string{}
	for _, v := range h.Values(field) {
		list, err := p.ParseList(strings.ToValidUTF8(v, "\uFFFD"))
		if err != nil {
			continue
		}
		for _, item := range list {
			a, err := demail.ParseAddress(item.Address)
			if _, twice := names[a]; err == nil && !twice {
				names[a] = item.Name
			}
		}
	}
	return names
}

// subject is the decoded one; empty where there is none, or more than one.
func subject(h entity.Header) string { return encword.Parse(single(h, "Subject")).String() }

// single is the value of a field that is there once.
func single(h entity.Header, name string) string {
	values := h.Values(name)
	if len(values) != 1 {
		return ""
	}
	return strings.TrimSpace(values[0])
}
