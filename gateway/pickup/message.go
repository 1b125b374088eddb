package pickup

import (
	"crypto/rand"
	"io"
	"mime"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// The fields of the envelope, as in the replay folder of Exchange.
const (
	senderField   = "X-Sender"
	receiverField = "X-Receiver"
)

// address reads the header into an envelope, and takes out of it what belongs there alone.
func (f *Folder) address(h *entity.Header, env *mail.Envelope) error {
	author, err := exchange.Author(*h)
	switch {
	case err != nil:
		return refuse("the message must have one From field with one address")
	case !f.o.Senders.Match(author):
		return refuse("%s may not send from here; the addresses that may are set under pickup.senders", author)
	}
	if env.From, err = f.sender(*h, author); err != nil {
		return err
	}
	if env.Recipients, err = recipients(*h); err != nil {
		return err
	}
	switch n := len(env.Recipients); {
	case n == 0:
		return refuse("the message has no recipients: it needs X-Receiver fields, or To, Cc or Bcc")
	case n > f.o.MaxRecipients:
		return refuse("the message has %d recipients, %d are allowed", n, f.o.MaxRecipients)
	}
	for _, name := range []string{senderField, receiverField, "Bcc"} {
		h.Del(name)
	}
	return complete(h, f.o.Hostname, env.Received)
}

// sender is the reverse-path: that of X-Sender where there is one, else the author.
func (f *Folder) sender(h entity.Header, author mail.Address) (mail.Address, error) {
	switch values := h.Values(senderField); {
	case len(values) == 0:
		return author, nil
	case len(values) > 1:
		return mail.Address{}, refuse("the message has more than one X-Sender field")
	case values[0] == "<>":
		return mail.Address{}, nil
	default:
		a, err := path(values[0])
		if err != nil {
			return a, refuse("X-Sender must be one address, as in <alice@firma.example>")
		}
		if !f.o.Senders.Match(a) {
			return a, refuse("%s may not send from here; the addresses that may are set under pickup.senders", a)
		}
		return a, nil
	}
}

// recipients are those of the X-Receiver fields where there are any, else those of To, Cc and Bcc, each once.
func recipients(h entity.Header) (out []mail.Recipient, err error) {
	seen := map[mail.Address]bool{}
	add := func(a mail.Address) {
		if !seen[a] {
			seen[a] = true
			out = append(out, mail.Recipient{Address: a})
		}
	}
	receivers := h.Values(receiverField)
	for _, v := range receivers {
		a, err := path(v)
		if err != nil {
			return nil, refuse("each X-Receiver field must be one address, as in <bob@partner.example>")
		}
		add(a)
	}
	if len(receivers) > 0 {
		return out, nil
	}
	for _, f := range h.Fields() {
		if f.HasPrefix("Resent-") {
			return nil, refuse("the message was sent before (it has Resent- fields), so To may name others; give the recipients in X-Receiver fields")
		}
	}
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, v := range h.Values(name) {
			list, err := addresses(v)
			if err != nil {
				return nil, refuse("the field %s cannot be read as a list of addresses", name)
			}
			for _, a := range list {
				add(a)
			}
		}
	}
	return out, nil
}

// path is an address, in angle brackets or not.
func path(v string) (mail.Address, error) {
	if inner, ok := strings.CutPrefix(v, "<"); ok {
		v = strings.TrimSuffix(inner, ">")
	}
	return mail.ParseAddress(v)
}

func addresses(v string) ([]mail.Address, error) {
	if strings.TrimSpace(v) == "" {
		return nil, nil // an empty Bcc is common
	}
	asItIs := func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	p := netmail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: asItIs}}
	list, err := p.ParseList(strings.ToValidUTF8(v, "\uFFFD"))
	if err != nil {
		return nil, err
	}
	var out []mail.Address
	for _, item := range list {
		a, err := mail.ParseAddress(item.Address)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// complete adds what every message must have (RFC 5322, 3.6; RFC 6409, 8.2 and 8.3), and the trace.
func complete(h *entity.Header, hostname string, now time.Time) error {
	const dateForm = "Mon, 2 Jan 2006 15:04:05 -0700"
	if _, ok := h.Get("Message-ID"); !ok {
		if err := h.InsertTop("Message-ID", "<"+strings.ToLower(rand.Text())+"@"+hostname+">"); err != nil {
			return err
		}
	}
	if _, ok := h.Get("Date"); !ok {
		return h.InsertTop("Date", now.Format(dateForm))
	}
	return nil
}
