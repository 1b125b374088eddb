package protect

import (
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// What the gateway found of a message that it fetched from a provider of De-Mail, in a field on top of the message as it is stored. A stranger cannot
// write it, since what begins with X-Siegel- is removed at the door, and from what is fetched, too.
const (
	DeMailField    = "X-Siegel-DeMail"
	DeMailVerified = "verified" // the first word of the field where a provider that is believed has signed it
	// DeMailIntact is the first word where the provider has signed nothing, which the guideline demands of few messages alone, and its digest fits: the message
	// is as the provider had it, as far as the connection to the provider can be believed. It is no proof for others.
	DeMailIntact     = "intact"
	DeMailUnverified = "unverified" // in every other case; the reason follows
	// DeMailSubjectField is the Subject as it came, where a mark was put before it, or removed: with it in the place of Subject, and without
	// any X-Siegel- fields, the message has the integrity (TR-01201 3.4, 3.1.13) that it came with.
	DeMailSubjectField = "X-Siegel-DeMail-Subject"
)

// deMail is what the gateway found of a message from De-Mail.
type deMail struct {
	found   string // empty: it is none
	subject entity.Field
}

// takeDeMail reads it, where the envelope says that the message was fetched.
func takeDeMail(h entity.Header, fetched bool) (d deMail) {
	if !fetched {
		return d
	}
	d.found, _ = h.Get(DeMailField)
	for _, f := range h.Fields() {
		if f.Is("Subject") {
			d.subject = f
			break
		}
	}
	return d
}

// mark is what is put before the subject.
func (d deMail) mark(m Marks) string {
	word, _, _ := strings.Cut(d.found, ";")
	switch word {
	case DeMailVerified:
		return m.DeMail
	case DeMailIntact:
		return m.DeMailIntact
	case DeMailUnverified:
		return m.DeMailUnverified
	}
	return ""
}

// write puts the finding on top, and the subject as it came where it is not so any more.
func (d deMail) write(h *entity.Header) error {
	if d.found == "" {
		return nil
	}
	if now := subjects(*h); len(now) != 1 || string(now[0].Raw) != string(d.subject.Raw) {
		if _, value, ok := strings.Cut(string(d.subject.Raw), ":"); ok {
			top := entity.Header{}
			top.Append(entity.Field{Name: DeMailSubjectField, Raw: []byte(DeMailSubjectField + ":" + value)})
			top.Append(h.Fields()...)
			*h = top
		}
	}
	return h.InsertTop(DeMailField, d.found)
}

func subjects(h entity.Header) []entity.Field {
	return h.Filter(func(f entity.Field) bool { return f.Is("Subject") }).Fields()
}
