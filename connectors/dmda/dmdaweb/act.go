package dmdaweb

import (
	"bufio"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// text is a value of the request; empty where there is none.
func (x *exchange) text(name string) string {
	s, _ := x.request.Values[name].(string)
	return s
}

// act does what the request asks for, and answers.
func (x *exchange) act(s *dmda.Session) {
	switch x.request.Operation {
	case webservice.OpLogin:
		x.answer(webservice.Values{"session": x.text("session")}, nil)
	case webservice.OpDomains:
		x.page(each(s.Domains(), func(d string) webservice.Values { return webservice.Values{"domain": d} }))
	case webservice.OpSubmit:
		x.submit(s)
	case webservice.OpFind:
		x.find(s)
	case webservice.OpList:
		list := s.List()
		x.event.Waiting = len(list)
		x.page(each(list, func(w dmda.Waiting) webservice.Values {
			return webservice.Values{"id": w.ID, "size": strconv.FormatInt(w.Size, 10), "mailbox": w.Mailbox.String(), "time": stamp(w.Arrived)}
		}))
	case webservice.OpFetch:
		x.fetch(s)
	case webservice.OpAcknowledge:
		x.event.ID = x.text("id")
		s.Acknowledge(x.text("id"))
		x.answer(webservice.Values{"id": x.text("id")}, nil)
	case webservice.OpLookup:
		x.lookup(s)
	}
}

func each[T any](list []T, f func(T) webservice.Values) []webservice.Values {
	out := make([]webservice.Values, 0, len(list))
	for _, one := range list {
		out = append(out, f(one))
	}
	return out
}

// stamp is a time as answers have it.
func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// page answers with the page that is asked for.
func (x *exchange) page(all []webservice.Values) {
	v, err := x.h.server.Page(x.request, all)
	if err != nil {
		x.refuse(webservice.Rejected, "no such page")
		return
	}
	for name, value := range x.request.Values {
		if _, there := v[name]; !there {
			v[name] = value
		}
	}
	x.answer(v, nil)
}

func (x *exchange) find(s *dmda.Session) {
	r, err := s.Find(x.text("key"))
	var found []webservice.Values
	if err == nil {
		x.event.ID = r.ID
		found = append(found, webservice.Values{"id": r.ID, "key": x.text("key"), "time": stamp(r.Time)})
	}
	x.page(found)
}

func (x *exchange) fetch(s *dmda.Session) {
	x.event.ID = x.text("id")
	l, err := s.Get(x.text("id"))
	if err != nil {
		x.refuse(webservice.NotFound, "no such message in the mailbox")
		return
	}
	x.answer(webservice.Values{"id": l.ID}, held(l.Content))
}

func (x *exchange) lookup(s *dmda.Session) {
	a, err := demail.ParseAddress(x.text("address"))
	if err != nil {
		x.refuse(webservice.NoSuchAddress, "no De-Mail address", x.text("address"))
		return
	}
	e, err := s.Lookup(a)
	if err != nil {
		x.failed(err)
		return
	}
	x.page([]webservice.Values{{"address": e.Address.String(), "level": x.h.o.Profile.LevelWord(string(e.Level)), "certificate": ""}})
}

// submit takes the message.
func (x *exchange) submit(s *dmda.Session) {
	buffer := x.h.o.Spool.Create()
	defer buffer.Close()
	in, err := x.request.Message()
	if err == nil {
		_, err = io.Copy(buffer, io.LimitReader(in, demail.MaxGross+1))
		if err == nil {
			_, err = io.Copy(io.Discard, in) // at its end the request was sound
		}
		in.Close()
	}
	if err != nil {
		x.refuse(webservice.Rejected, "the message of the request cannot be read")
		return
	}
	m, err := x.message(buffer)
	if err != nil {
		x.failed(err)
		return
	}
	if f, ok := x.strike(fated, webservice.OpSubmit); ok {
		s.Doom(kinds[f.Kind].fate)
	}
	r, err := s.Submit(m)
	if err != nil {
		x.failed(err)
		return
	}
	x.event.ID = r.ID
	x.answer(webservice.Values{"id": r.ID, "time": stamp(r.Time)}, nil)
}

// message is what the request says of the message.
func (x *exchange) message(content connectors.Content) (connectors.Message, error) {
	is := func(name string) bool { b, _ := x.request.Values[name].(bool); return b }
	m := connectors.Message{Key: x.text("key"), Content: content, Options: demail.Options{
		Dispatch: is("dispatch"), Receipt: is("receipt"), Retrieve: is("retrieve"), Authoritative: is("authoritative"), Private: is("private"),
	}}
	if size, ok := x.request.Values["size"].(string); ok && size != strconv.FormatInt(content.Size(), 10) && content.Size() <= demail.MaxGross {
		return m, connectors.Errorf(connectors.ErrRejected, "the message is not as long as the request says")
	}
	h, err := head(content)
	if err != nil {
		return m, &connectors.Error{Class: connectors.ErrRejected, Text: "the message has no header", Err: err}
	}
	if f, ok := h.First(demail.FieldPrivateID); ok && m.Key == "" {
		m.Key = f.Value() // private_id: header
	}
	m.Sender, err = demail.ParseAddress(x.text("sender"))
	if from := named(h, demail.FieldFrom); x.text("sender") == "" && len(from) == 1 { // the profile has no place for it
		m.Sender, err = from[0].Address, nil
	}
	if err != nil {
		return m, connectors.Errorf(connectors.ErrNotEntitled, "the sender is no De-Mail address")
	}
	m.Recipients, err = x.recipients(h)
	return m, err
}

// head is the header of a message.
func head(c connectors.Content) (demail.Header, error) {
	in, err := c.Open()
	if err != nil {
		return demail.Header{}, err
	}
	defer in.Close()
	return demail.ReadHeader(bufio.NewReader(in))
}

// recipients are those of the request. Where the profile names all in one list, the header tells whom the others may see.
func (x *exchange) recipients(h demail.Header) (demail.Recipients, error) {
	var r demail.Recipients
	var bad []string
	parse := func(name string) []demail.Mailbox {
		var out []demail.Mailbox
		list, _ := x.request.Values[name].([]string)
		for _, s := range list {
			a, err := demail.ParseAddress(s)
			if err != nil {
				bad = append(bad, s)
			}
			out = append(out, demail.Mailbox{Address: a})
		}
		return out
	}
	r.To, r.Cc, r.Bcc = parse("to"), parse("cc"), parse("bcc")
	for _, m := range parse("recipients") {
		same := func(o demail.Mailbox) bool { return o.Address == m.Address }
		switch {
		case slices.ContainsFunc(r.All(), same):
		case slices.ContainsFunc(named(h, "To"), same):
			r.To = append(r.To, m)
		case slices.ContainsFunc(named(h, "Cc"), same):
			r.Cc = append(r.Cc, m)
		default:
			r.Bcc = append(r.Bcc, m)
		}
	}
	if len(bad) > 0 {
		return r, &strangers{bad}
	}
	return r, nil
}

// named are the De-Mail addresses in a field.
func named(h demail.Header, field string) []demail.Mailbox {
	f, _ := h.First(field)
	list, err := mail.ParseAddressList(f.Value())
	if err != nil {
		return nil
	}
	var out []demail.Mailbox
	for _, m := range list {
		if a, err := demail.ParseAddress(m.Address); err == nil {
			out = append(out, demail.Mailbox{Address: a})
		}
	}
	return out
}

// strangers are recipients that are no De-Mail addresses.
type strangers struct{ addresses []string }

// Error counts them.
func (s *strangers) Error() string { return "a recipient is no De-Mail address" }

// failed refuses what the simulated provider refuses.
func (x *exchange) failed(err error) {
	if s, ok := errors.AsType[*strangers](err); ok {
		x.refuse(webservice.NoSuchAddress, s.Error(), s.addresses...)
		return
	}
	class := map[error]webservice.Class{
		connectors.ErrUnavailable: webservice.Unavailable, connectors.ErrRejected: webservice.Rejected, connectors.ErrNoSuchAddress: webservice.NoSuchAddress,
		connectors.ErrNotEntitled: webservice.NotEntitled, connectors.ErrTooLarge: webservice.TooLarge, connectors.ErrLogin: webservice.LoginFailed,
		connectors.ErrNotFound: webservice.NotFound,
	}[connectors.Class(err)]
	why := "the simulated provider failed"
	var about []string
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		why = e.Text
		if e.After > 0 && class == webservice.NotEntitled {
			class = webservice.OverQuota
		}
		for _, a := range e.Addresses {
			about = append(about, a.String())
		}
	}
	if class == "" {
		class = webservice.Unavailable
	}
	x.refuse(class, why, about...)
}
