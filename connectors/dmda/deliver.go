package dmda

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors"
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
	if p == nil {
		p = d.session.provider
	}
	o := d.message.Options
	private := o.Private || o.Retrieve
	if about, why := d.stops(c, private); why != "" {
		return p.notify(demail.TypeNotification, about, d.message.Sender, h, "Die Nachricht an "+to.String()+" wurde nicht zugestellt: "+why+".")
	}
	r := &receipt{original: h, sender: d.message.Sender, recipient: to, arrived: d.now}
	if d.session.fate == InfectedThere || infected(d.body) {
		return p.malware(d.message, r)
	}
	envelope, err := demail.NewField(demail.FieldEnvelopeTo, to.String()) // TR-01201 3.4, 3.1.22
	if err != nil {
		return err
	}
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

// stops tells why a message does not arrive in an account; empty: it does.
func (d *draft) stops(c *account, private bool) (demail.NotificationType, string) {
	switch fate := d.session.fate; {
	case c == nil, fate == Nowhere:
		return demail.NotifyUnknownRecipient, "die Adresse gibt es nicht"
	case c.Closed, fate == Shut:
		return demail.NotifyClosedAccount, "das Konto ist geschlossen"
	case private && c.Highest != demail.LevelHigh:
		return demail.NotifyOther, "der Empfänger kann sich nicht mit dem Authentisierungsniveau hoch anmelden"
	case fate == Full, c.Limit > 0 && c.holds()+int64(len(d.body)) > c.Limit:
		return demail.NotifyOther, "das Postfach des Empfängers ist voll"
	}
	return "", ""
}

// holds is how much lies in the mailbox.
func (c *account) holds() int64 {
	sum := int64(0)
	for _, l := range c.letters {
		sum += int64(len(l.body))
	}
	return sum
}

// malware tells sender and recipient that the recipient's provider has found some, and delivers nothing: by a confirmation where the sender wanted one,
// else by a notification (TR-01201 3.1, 6.5, step 56).
func (p *Simulated) malware(m connectors.Message, r *receipt) error {
	if o := m.Options; o.Dispatch || o.Receipt || o.Retrieve {
		return p.confirm(demail.TypeMalwareAcknowledge, r, true)
	}
	text := "In der Nachricht von " + r.sender.String() + " an " + r.recipient.String() + " wurde Schadsoftware gefunden; sie wurde nicht zugestellt. Eine Kenntnisnahme ist daher ggf. nicht möglich."
	for _, to := range r.parties() {
		if err := p.notify(demail.TypeMalwareNotification, demail.NotifyOther, to, r.original, text); err != nil {
			return err
		}
	}
	return nil
}

// parties are the sender and the recipient, or the one who is both.
func (r *receipt) parties() []demail.Address {
	if r.recipient.IsZero() || r.recipient == r.sender {
		return []demail.Address{r.sender}
	}
	return []demail.Address{r.sender, r.recipient}
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
	how := confirmations[kind]
	from, err := p.system(how.from)
	if err != nil {
		return err
	}
	meta, err := demail.ParseMetadata(r.original)
	if err != nil {
		return err
	}
	a := &demail.Acknowledgement{Sender: from.String(), Metadates: demail.Repeat(r.original), Subject: "*" + how.word + "* " + meta.Subject,
		Text: text(kind, r, meta, p.domain), Hash: integrity.Value(), Time: now}
	if kind == demail.TypeRetrieve {
		a.DeliveryTime = r.arrived
	}
	doc, err := a.Sign(p.seal)
	if err != nil {
		return err
	}
	to := r.parties()
	if !both {
		to = to[:1]
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

// confirmations are how each is named, whom it is from and what it says (TR-01201 3.1, 4.3; 3.4, 3.5.1).
var confirmations = map[demail.MessageType]struct {
	word string
	from demail.System
	text string
}{
	demail.TypeDispatch: {"Versandbestätigung", demail.SystemDispatch, "Hiermit wird bestätigt, dass die Nachricht mit den folgenden Angaben an den Empfänger versandt wurde."},
	demail.TypeReceipt:  {"Eingangsbestätigung", demail.SystemReceipt, "Hiermit wird bestätigt, dass die Nachricht mit den folgenden Angaben im Postfach des Empfängers abgelegt wurde."},
	demail.TypeRetrieve: {"Abholbestätigung", demail.SystemRetrieve, "Hiermit wird bestätigt, dass sich der Empfänger der Nachricht mit den folgenden Angaben an seinem De-Mail-Konto sicher angemeldet hat."},
	demail.TypeMalwareAcknowledge: {"Schadsoftware-Bestätigung", demail.SystemMalware, "Hiermit wird bestätigt, dass in der Nachricht mit den folgenden Angaben, für die eine Versand-, Eingangs- und/oder Abholbestätigung " +
		"angefordert worden ist, beim Anbieter des Empfängers Schadsoftware gefunden wurde. Sie wurde nicht zugestellt; von einer Kenntnisnahme durch den Empfänger kann nicht ausgegangen werden."},
}

// text is what the guideline suggests, and that it is simulated.
func text(kind demail.MessageType, r *receipt, m *demail.Metadata, provider string) string {
	what := confirmations[kind].text
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
