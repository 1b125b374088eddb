package smime

import (
	"errors"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// The forms of header protection that a message may claim.
const (
	HeadersClear   = "clear"   // RFC 9788, of a message that was signed
	HeadersCipher  = "cipher"  // RFC 9788, of one that was encrypted
	HeadersMessage = "message" // RFC 8551, 3.1: a message within a message
)

// protectedHeader is the header that stands within the layers of a message.
type protectedHeader struct {
	form    string
	problem string        // why it cannot be believed, whatever the layers are worth
	fields  entity.Header // those that may come out of there
	whole   bool          // it is the header of a message, and not some fields
	outer   entity.Header // what stood outside when it was written (HP-Outer); empty where that is not said
	message *message      // of HeadersMessage: the one within
}

// protectedHeader reads the header of what is within all layers, m, where it claims to be that of the message
// (RFC 9788, 4.1 and 4.2.1); nil where it does not. What claims it at any other place is not looked at.
func (w *walker) protectedHeader(m message, outer entity.Header) (*protectedHeader, error) {
	t, _ := m.header.ContentType()
	if !w.signed && len(w.opens) == 0 || isLayer(m.header, t) {
		return nil, nil
	}
	form, claimed := t.Params[paramHP]
	if !claimed {
		return w.messageWithin(m, t, outer)
	}
	p := &protectedHeader{form: strings.ToLower(form), fields: m.header.Filter(comesOut).Fit(entity.Transport)}
	p.outer.Append(outerFields(m.header)...)
	_, p.whole = p.fields.Get("From")
	switch {
	case p.form != HeadersClear && p.form != HeadersCipher:
		p.form, p.problem = "", "the form of header protection is not known"
	case t.Ambiguous:
		p.problem = "programs may read its Content-Type differently"
	default:
		p.problem = doubt(p.fields)
	}
	return p, nil
}

// messageWithin is the older form (RFC 8551, 3.1; RFC 9788, 4.10): a whole message within the layers, which is
// the same as the one outside. One by somebody else, or with another Message-ID, is a message that is passed on.
func (w *walker) messageWithin(m message, t entity.MediaType, outer entity.Header) (*protectedHeader, error) {
	forwarded := t.Params["forwarded"] // "no" where the message is the one outside
	if !t.Is("message/rfc822", "message/global") || t.Ambiguous || forwarded != "" && !strings.EqualFold(forwarded, "no") {
		return nil, nil
	}
	switch m.header.TransferEncoding() {
	case "7bit", "8bit", "binary":
	default:
		return nil, nil
	}
	within, err := w.message(cut(m.src, m.body, m.src.Size()))
	if errors.Is(err, entity.ErrLimit) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	inner, _ := within.header.ContentType()
	from, problem := author(within.header)
	shown, _ := author(outer)
	id, other := within.header.Values("Message-ID"), outer.Values("Message-ID")
	if problem != "" || !sameAddress(from, shown) || isLayer(within.header, inner) || inner.Params[paramHP] != "" ||
		len(id) > 0 && len(other) > 0 && !slices.Equal(id, other) {
		return nil, nil
	}
	fields := within.header.Filter(comesOut).Fit(entity.Transport)
	return &protectedHeader{form: HeadersMessage, fields: fields, whole: true, problem: doubt(fields), message: &within}, nil
}

// comesOut tells whether a field may come out of a protected header into the one that is delivered (invariant 5
// of the design: what strangers may not set does not come out of layers either). Fields with X- mean whatever
// servers agree that they mean, who removed those of strangers outside: but few are for people.
func comesOut(f entity.Field) bool {
	if f.HasPrefix("X-") {
		return f.Is("X-Priority") || f.Is("X-MSMail-Priority") || f.Is("X-Mailer")
	}
	return authored(f)
}

// outerFields reads the HP-Outer fields.
func outerFields(h entity.Header) (all []entity.Field) {
	for _, f := range h.Fields() {
		if !f.Is(fieldOuter) {
			continue
		}
		name, value, ok := strings.Cut(f.Value(), ":")
		if name = strings.TrimSpace(name); ok && name != "" {
			all = append(all, entity.Field{Name: name, Raw: []byte(name + ":" + value)})
		}
	}
	return all
}

// single are the fields of which a message has one at most (RFC 5322, 3.6).
var single = []string{"Date", "From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "In-Reply-To", "References", "Subject"}

// doubt says why programs may read a protected header differently.
func doubt(h entity.Header) string {
	for _, name := range single {
		if len(h.Values(name)) > 1 {
			return "the protected header has several " + name + " fields"
		}
	}
	if len(h.Values("From")) > 0 {
		if _, problem := author(h); problem != "" {
			return "within, " + problem
		}
	}
	return ""
}

// authorsOwn tells whether a field says something of the author's, so that one which stands outside alone is
// somebody else's word (RFC 9788, 4.2 and 4.8.1: only protected fields are interpreted).
func authorsOwn(name string) bool {
	switch strings.ToLower(name) {
	case "subject", "to", "cc", "sender", "reply-to", "followup-to", "mail-followup-to", "mail-reply-to",
		"in-reply-to", "references", "comments", "keywords", "thread-topic", "thread-index",
		"disposition-notification-to", "return-receipt-to":
		return true
	}
	return false
}

// byName are the fields of a header by their names in lower case: headers of strangers may have many.
func byName(h entity.Header) map[string][]entity.Field {
	all := make(map[string][]entity.Field, h.Len())
	for _, f := range h.Fields() {
		name := strings.ToLower(f.Name)
		all[name] = append(all[name], f)
	}
	return all
}

// over is the outer header with the protected fields in the places of those they differ from.
func (p *protectedHeader) over(outer entity.Header) entity.Header {
	outside, within := byName(outer), byName(p.fields)
	out := make([]entity.Field, 0, outer.Len()+p.fields.Len())
	placed := make(map[string]bool, len(within))
	for _, f := range outer.Ended().Fields() {
		name := strings.ToLower(f.Name)
		fields, protected := within[name]
		switch {
		case !protected && p.whole && authorsOwn(name):
		case !protected, same(outside[name], fields):
			placed[name] = true
			out = append(out, f)
		case !placed[name]:
			placed[name] = true
			out = append(out, fields...)
		}
	}
	for _, f := range p.fields.Fields() {
		if name := strings.ToLower(f.Name); !placed[name] {
			placed[name] = true
			out = append(out, within[name]...)
		}
	}
	var h entity.Header
	h.Append(out...)
	return h
}

// same tells whether fields say the same to a reader.
func same(a, b []entity.Field) bool {
	return slices.EqualFunc(a, b, func(a, b entity.Field) bool {
		return string(a.Raw) == string(b.Raw) || shown(a.Value()) == shown(b.Value())
	})
}

// shown is a value without encoding and folding.
func shown(v string) string { return oneLine(encword.Parse(v).String()) }

// How a field outside differs from the protected one.
const (
	Obscured = "obscured" // as its author wanted it
	Altered  = "altered"  // it says something else
	Added    = "added"    // it stands outside only
	Removed  = "removed"  // it stands within only
)

const (
	maxDifferences = 50
	maxShownValue  = 500 // bytes of a value in a report
)

// differences are the fields that say something else outside than within.
func (p *protectedHeader) differences(outer entity.Header) []HeaderDifference {
	outside, within, left := byName(outer), byName(p.fields), byName(p.outer)
	var all []HeaderDifference
	done := make(map[string]bool, len(within))
	add := func(f entity.Field) {
		name := strings.ToLower(f.Name)
		out, in := outside[name], within[name]
		if done[name] || len(all) >= maxDifferences {
			return
		}
		done[name] = true
		if same(out, in) {
			return
		}
		kind := Altered
		switch {
		case len(left) > 0 && same(out, left[name]):
			kind = Obscured
		case len(out) == 0:
			kind = Removed
		case len(in) == 0:
			kind = Added
		}
		all = append(all, HeaderDifference{Field: f.Name, Kind: kind, Outer: joined(out), Protected: joined(in)})
	}
	for _, f := range p.fields.Fields() {
		add(f)
	}
	for _, f := range outer.Fields() {
		if p.whole && authorsOwn(f.Name) {
			add(f)
		}
	}
	return all
}

// joined is values as a report shows them.
func joined(fields []entity.Field) string {
	s := ""
	for i, f := range fields {
		if i > 0 {
			s += ", "
		}
		if s += shown(f.Value()); len(s) > maxShownValue {
			break
		}
	}
	if len(s) > maxShownValue {
		s = strings.ToValidUTF8(s[:maxShownValue], "")
	}
	return s
}
