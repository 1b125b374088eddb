package dmda

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// receipt is something that is to be confirmed.
type receipt struct {
	original  demail.Header
	sender    demail.Address
	recipient demail.Address // zero: of a dispatch
	arrived   time.Time
}

// deliver puts a message into a mailbox, or tells the sender why not (TR-01201 3.1, 3.2.1 and 3.3).
func (d *draft) deliver(h demail.Header, to demail.Address) error {
	n := d.session.provider.net
	p, c := n.find(to)
	o := d.message.Options
	private := o.Private || o.Retrieve
	why, about := error(nil), demail.NotifyOther
	switch {
	case c == nil:
		why, about = errUnknown, demail.NotifyUnknownRecipient
	case c.Closed:
		why, about = errClosed, demail.NotifyClosedAccount
	case private && c.Highest != demail.LevelHigh:
		why = errLevel
	}
	if why != nil {
		if p == nil {
			p = d.session.provider
		}
		return p.notify(demail.TypeNotification, about, d.message.Sender, h, "Die Nachricht an "+to.String()+" wurde nicht zugestellt: "+why.Error()+".")
	}
	envelope, err := demail.NewField(demail.FieldEnvelopeTo, to.String()) // TR-01201 3.4, 3.1.22
	if err != nil {
		return err
	}
	r := &receipt{original: h, sender: d.message.Sender, recipient: to, arrived: d.now}
	l := &letter{to: to, header: demail.NewHeader(slices.Concat([]demail.Field{envelope}, h.Fields())...), body: d.body, private: private}
	if o.Retrieve {
		l.retrieve = r
	}
	n.put(p, c, l)
	if o.Receipt {
		return p.confirm(demail.TypeReceipt, r, true)
	}
	return nil
}

// Lay puts a message into somebody's mailbox as it is, sealed by nobody and whatever it says. It is for rehearsing what a provider never does, such as
// to deliver a confirmation that is forged.
func (p *Simulated) Lay(to demail.Address, content []byte) error {
	head, body, ok := bytes.Cut(content, []byte("\r\n\r\n"))
	if !ok {
		return errors.New("dmda: the message has no end of its header")
	}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	at, c := p.net.find(to)
	if c == nil || at != p {
		return errors.New("dmda: nobody to write to")
	}
	p.net.put(p, c, &letter{to: to, header: demail.NewHeader(demail.Field{Name: "From", Raw: slices.Concat(head, []byte("\r\n"))}), body: slices.Clone(body)})
	return nil
}

// put lays a letter into a mailbox.
func (n *Network) put(p *Simulated, c *account, l *letter) {
	l.id, l.arrived = n.id(p), n.now()
	n.stored += len(l.body)
	c.letters = append(c.letters, l)
}

// confirm writes a confirmation to the sender, and to the recipient where both get it (TR-01201 3.1, 3.3.3 to 3.3.5).
func (p *Simulated) confirm(kind demail.MessageType, r *receipt, both bool) error {
	now := p.net.now()
	integrity, ok := r.original.First(demail.FieldIntegrity)
	if !ok {
		return errors.New("dmda: what is confirmed is not sealed")
	}
	word := map[demail.MessageType]string{demail.TypeDispatch: "Versandbestätigung", demail.TypeReceipt: "Eingangsbestätigung", demail.TypeRetrieve: "Abholbestätigung"}[kind]
	from, err := p.system(map[demail.MessageType]demail.System{demail.TypeDispatch: demail.SystemDispatch, demail.TypeReceipt: demail.SystemReceipt, demail.TypeRetrieve: demail.SystemRetrieve}[kind])
	if err != nil {
		return err
	}
	meta, err := demail.ParseMetadata(r.original)
	if err != nil {
		return err
	}
	a := &demail.Acknowledgement{Sender: from.String(), Metadates: demail.Repeat(r.original), Subject: "*" + word + "* " + meta.Subject,
		Text: text(kind, r, meta, p.domain), Hash: integrity.Value(), Time: now}
	if kind == demail.TypeRetrieve {
		a.DeliveryTime = r.arrived
	}
	doc, err := a.Sign(p.seal)
	if err != nil {
		return err
	}
	to := []demail.Address{r.sender}
	if both && r.recipient != r.sender {
		to = append(to, r.recipient)
	}
	for _, address := range to {
		m := &demail.Metadata{Type: kind, Sender: from, Subject: a.Subject, PrivateID: meta.PrivateID}
		m.Private = kind == demail.TypeRetrieve // TR-01201 3.1, 3.1.3.9
		if err := p.write(m, address, doc, a.Text, p.seal); err != nil {
			return err
		}
	}
	return nil
}

// text is what the guideline suggests (3.4, 3.5.1), and that it is simulated.
func text(kind demail.MessageType, r *receipt, m *demail.Metadata, provider string) string {
	what := map[demail.MessageType]string{
		demail.TypeDispatch: "Hiermit wird bestätigt, dass die Nachricht mit den folgenden Angaben an den Empfänger versandt wurde.",
		demail.TypeReceipt:  "Hiermit wird bestätigt, dass die Nachricht mit den folgenden Angaben im Postfach des Empfängers abgelegt wurde.",
		demail.TypeRetrieve: "Hiermit wird bestätigt, dass sich der Empfänger der Nachricht mit den folgenden Angaben an seinem De-Mail-Konto sicher angemeldet hat.",
	}[kind]
	to := r.recipient.String()
	if to == "" {
		to = m.Chosen.String()
	}
	return Simulation + "\n\n" + what + "\n\nAbsender: " + r.sender.String() + "\nEmpfänger: " + to + "\nDatum: " + r.arrived.Format("02.01.2006 15:04") +
		"\nBetreff: " + m.Subject + "\nNachrichten-ID: " + m.DeMailID + "\nPrüfsumme: " + m.Integrity + "\n\nDie Bestätigung erfolgte durch den simulierten Anbieter " + provider
}

// notify tells the sender of a message, and it alone, what became of it.
func (p *Simulated) notify(kind demail.MessageType, about demail.NotificationType, to demail.Address, original demail.Header, why string) error {
	name := demail.SystemNotification
	if kind == demail.TypeMalwareNotification {
		name = demail.SystemMalware
	}
	from, err := p.system(name)
	if err != nil {
		return err
	}
	meta, err := demail.ParseMetadata(original)
	if err != nil {
		return err
	}
	r := demail.Report{Subject: "Meldung: " + meta.Subject, Text: Simulation + "\n\n" + why + "\n\nNachrichten-ID: " + meta.DeMailID, Sender: p.domain, Time: p.net.now()}
	doc, err := r.XML()
	if err != nil {
		return err
	}
	m := &demail.Metadata{Type: kind, Sender: from, Subject: r.Subject, PrivateID: meta.PrivateID, NotificationType: about}
	return p.write(m, to, doc, r.Text, demail.Sealer{Hash: p.seal.Hash})
}

// system is one of the provider's own addresses.
func (p *Simulated) system(name demail.System) (demail.Address, error) {
	return demail.ParseAddress(string(name) + "@" + p.domain)
}

// write puts what the provider writes itself into somebody's mailbox.
func (p *Simulated) write(m *demail.Metadata, to demail.Address, doc []byte, words string, seal demail.Sealer) error {
	at, c := p.net.find(to)
	if c == nil {
		return errors.New("dmda: nobody to write to")
	}
	fields, body, err := demail.Body(doc, pdf(words))
	if err != nil {
		return err
	}
	id := p.net.id(p)
	list := demail.Recipients{To: []demail.Mailbox{{Address: to}}}
	m.Chosen, m.Actual, m.Date, m.DeMailID, m.MessageID = list, list, p.net.now(), id, "<"+id+">"
	m.Provider, m.Version, m.From = "pvd."+p.domain, demail.Version, []demail.Mailbox{{Address: m.Sender}}
	metadata, err := m.Fields()
	if err != nil {
		return err
	}
	h, err := seal.Seal(demail.NewHeader(slices.Concat(metadata, fields)...), bytes.NewReader(body))
	if err != nil {
		return err
	}
	p.net.put(at, c, &letter{to: to, header: h, body: body, private: m.Private})
	return nil
}
