package protect

import (
	"bytes"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// leaving is the message for one variant, before it is protected: what goes to the internet is without what is the
// company's own business. What stays inside, or goes back to where it came from, keeps it: labels and hops are read
// there, and who sends it to the internet in the end takes them off.
func (p *Protector) leaving(d *draft, v variant) (source, error) {
	if v.direction != mail.Outgoing || v.back {
		return d.source, nil
	}
	header, _, err := entity.Read(bytes.NewReader(d.source.header), 2*headerLimit)
	if err != nil {
		return source{}, err
	}
	return newSource(p.o.Privacy.Clean(header), d.source.body, d.source.skip), nil
}

// isOurs reports whether a field is the company's own business. What goes back has it outside still, where it is taken off
// in the end: a copy that is protected along with the content would stay.
func (p *Protector) isOurs(f entity.Field) bool {
	var h entity.Header
	h.Append(f)
	return p.o.Privacy.Clean(h).Len() == 0
}

// goesBack reports whether a recipient's copy goes back to where the message came from.
func (p *Protector) goesBack(d *draft, to mail.Address) bool {
	return d.env.DeMail == nil && p.o.RoundTrip[d.env.Client.Listener] && (p.o.GoesBack == nil || p.o.GoesBack(to))
}
