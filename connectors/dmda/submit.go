package dmda

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Submit takes a message, sends it, and has confirmed what is to be. The errors are those of connectors.Provider, but never ErrInDoubt.
func (s *Session) Submit(m connectors.Message) (connectors.Receipt, error) {
	if err := m.Check(); err != nil {
		return connectors.Receipt{}, err
	}
	header, body, err := read(m.Content)
	if err != nil {
		return connectors.Receipt{}, err
	}
	n := s.provider.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := s.check(m, header, len(body)); err != nil {
		return connectors.Receipt{}, err
	}
	now := n.now()
	s.account.note(now, s.level, len(m.Recipients.All()))
	d := &draft{session: s, message: m, header: clean(header), body: body, now: now}
	id, err := d.send()
	if err != nil {
		return connectors.Receipt{}, connectors.Unsent(err, "the simulated provider failed")
	}
	s.account.sent[m.Key] = sent{id, now}
	return connectors.Receipt{ID: id, Time: now}, nil
}

// read takes the message apart, within the limits (TR-01201 3.1, 4.1).
func read(c connectors.Content) (demail.Header, []byte, error) {
	r, err := c.Open()
	if err != nil {
		return demail.Header{}, nil, connectors.Unsent(err, "the message cannot be read")
	}
	defer r.Close()
	br := bufio.NewReader(io.LimitReader(r, demail.MaxGross+1))
	h, err := demail.ReadHeader(br)
	if err != nil {
		return h, nil, &connectors.Error{Class: connectors.ErrRejected, Text: "it has no header of De-Mail", Err: err}
	}
	body, err := io.ReadAll(br)
	if err != nil {
		return h, nil, connectors.Unsent(err, "the message cannot be read")
	}
	if len(h.Bytes())+len(body) > demail.MaxGross || netSize(h, body) > demail.MaxNet {
		return h, nil, connectors.Errorf(connectors.ErrTooLarge, "a De-Mail has %d MiB at most, and %d MiB with its encodings", demail.MaxNet>>20, demail.MaxGross>>20)
	}
	return h, body, nil
}

// clean takes out what the sender may not say, and what is made anew. Who is Bcc the others must not see.
func clean(h demail.Header) demail.Header {
	var names []string
	for _, f := range h.Fields() {
		if demail.IsMetadata(f.Name) {
			names = append(names, f.Name)
		}
	}
	return h.Without(append(names, "Bcc", "Resent-Bcc", demail.FieldEnvelopeTo)...)
}

// check is what the provider refuses.
func (s *Session) check(m connectors.Message, h demail.Header, size int) error {
	if !s.account.owns(m.Sender) || s.account.Closed {
		return connectors.Errorf(connectors.ErrNotEntitled, "the sender is not of this account")
	}
	o := m.Options
	o.Private = o.Private || o.Retrieve // TR-01201 3.1, 3.3.5
	if err := o.Check(m.Sender, s.level); err != nil {
		return &connectors.Error{Class: connectors.ErrNotEntitled, Text: strings.TrimPrefix(err.Error(), "demail: "), Err: err}
	}
	if o.Retrieve && !s.account.PublicBody {
		return connectors.Errorf(connectors.ErrNotEntitled, "a confirmation of retrieve is for public bodies")
	}
	for _, name := range []string{demail.FieldFrom, demail.FieldDate, demail.FieldMessageID} {
		if _, ok := h.First(name); !ok {
			return connectors.Errorf(connectors.ErrRejected, "it has no %s", name)
		}
	}
	meta, err := demail.ParseMetadata(clean(h))
	if err != nil {
		return &connectors.Error{Class: connectors.ErrRejected, Text: strings.TrimPrefix(err.Error(), "demail: "), Err: err}
	}
	if len(meta.From) != 1 || meta.From[0].Address != m.Sender {
		return connectors.Errorf(connectors.ErrNotEntitled, "From is not the sender")
	}
	if err := s.reachable(m.Recipients); err != nil {
		return err
	}
	if s.provider.net.stored+size*(1+len(m.Recipients.All())) > MaxStored {
		return connectors.Errorf(connectors.ErrUnavailable, "the simulated provider's memory is full")
	}
	if _, again := s.account.sent[m.Key]; again {
		return connectors.Errorf(connectors.ErrRejected, "a message of this private id was sent already")
	}
	return s.account.mayToday(s.provider.net.now(), s.level, len(m.Recipients.All()))
}

// reachable refuses addresses outside De-Mail. One inside that does not exist is told of by a notification (TR-01201 3.1, 3.2.1).
func (s *Session) reachable(r demail.Recipients) error {
	var bad []demail.Address
	for _, m := range r.All() {
		if !s.provider.net.knows(m.Address.Domain()) {
			bad = append(bad, m.Address)
		}
	}
	if len(bad) > 0 {
		return &connectors.Error{Class: connectors.ErrNoSuchAddress, Text: "outside De-Mail", Addresses: bad}
	}
	return nil
}

// mayToday counts what is sent at level normal.
func (c *account) mayToday(now time.Time, level demail.Level, recipients int) error {
	count, reach := c.count, c.reach
	if c.day != now.Format(time.DateOnly) {
		count, reach = 0, 0
	}
	if level == demail.LevelNormal && (count+1 > demail.MaxPerDay || reach+recipients > demail.MaxPerDayReaches) {
		y, m, d := now.Date()
		return &connectors.Error{Class: connectors.ErrNotEntitled, Text: "no more today at this level", After: time.Date(y, m, d+1, 0, 0, 0, 0, now.Location()).Sub(now)}
	}
	return nil
}

func (c *account) note(now time.Time, level demail.Level, recipients int) {
	if day := now.Format(time.DateOnly); c.day != day {
		c.day, c.count, c.reach = day, 0, 0
	}
	if level == demail.LevelNormal {
		c.count++
		c.reach += recipients
	}
}

// draft is a message on its way out.
type draft struct {
	session *Session
	message connectors.Message
	header  demail.Header
	body    []byte
	now     time.Time
}

// send makes a message for those who see each other, and one for each who is seen by nobody (TR-01201 3.4, 3.1.8). The id is the first one's.
func (d *draft) send() (string, error) {
	all := d.message.Recipients
	var groups []demail.Recipients
	if len(all.To)+len(all.Cc) > 0 {
		groups = append(groups, demail.Recipients{To: all.To, Cc: all.Cc})
	}
	for _, b := range all.Bcc {
		groups = append(groups, demail.Recipients{Bcc: []demail.Mailbox{b}})
	}
	var first string
	for _, g := range groups {
		id, err := d.sendTo(g)
		if err != nil {
			return "", err
		}
		if first == "" {
			first = id
		}
	}
	return first, nil
}

func (d *draft) sendTo(g demail.Recipients) (string, error) {
	p := d.session.provider
	id := p.net.id(p)
	h, err := d.metadata(id, g)
	if err != nil {
		return "", err
	}
	seal := p.seal
	if !d.message.Options.Authoritative { // only that has to be signed (TR-01201 3.4, 3.1.13)
		seal = demail.Sealer{Hash: seal.Hash}
	}
	if h, err = seal.Seal(h, bytes.NewReader(d.body)); err != nil {
		return "", err
	}
	if d.session.fate == Infected || infected(d.body) && !p.overlooks && d.session.fate != InfectedThere {
		return id, p.notify(demail.TypeMalwareNotification, demail.NotifyOther, d.message.Sender, h, "In der Nachricht wurde Schadsoftware gefunden; sie wurde nicht versandt.")
	}
	if d.message.Options.Dispatch {
		if err := p.confirm(demail.TypeDispatch, &receipt{original: h, sender: d.message.Sender, arrived: d.now}, false); err != nil {
			return "", err
		}
	}
	for _, r := range g.All() {
		if err := d.deliver(h, r.Address); err != nil {
			return "", err
		}
	}
	return id, nil
}

// metadata puts the fields of De-Mail on top (TR-01201 3.4, table 1).
func (d *draft) metadata(id string, g demail.Recipients) (demail.Header, error) {
	m := &demail.Metadata{
		Options: d.message.Options, Type: demail.TypeNormal, Sender: d.message.Sender, Chosen: g, Actual: g, PrivateID: d.message.Key,
		Level: d.session.level, Mechanism: d.session.how, DeMailID: id, Provider: "pvd." + d.session.provider.domain, Version: demail.Version,
		AccountHolder: d.session.account.Holder,
	}
	m.Private = m.Private || m.Retrieve
	if d.message.Sender.Form() == demail.FormPseudonym {
		m.AccountHolder = d.message.Sender.Local() // TR-01201 3.4, 3.1.19
	}
	fields, err := m.Fields()
	if err != nil {
		return demail.Header{}, err
	}
	h := demail.NewHeader(slices.Concat(fields, d.header.Fields())...)
	if _, ok := h.First(demail.FieldSubject); !ok {
		f, err := demail.NewField(demail.FieldSubject, "")
		if err != nil {
			return h, err
		}
		h = h.With(f)
	}
	return h, nil
}
