package sqlqueue

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// The first byte of an encoded envelope. A change of the fields needs a new one.
const (
	codecVersion = 1
	codecPending = 2 // what a pending message carries follows after the fields of version 1
	codecDeMail  = 3 // what makes it a De-Mail follows after the fields of version 1
	codecBoth    = 4 // first what makes it a De-Mail, then what it carries
	codecArchive = 5 // what a copy for an archive carries follows after the fields of version 1
)

var errCodec = errors.New("sqlqueue: not an envelope")

// record is what is sealed of a message: its envelope and the note for operators.
type record struct {
	envelope mail.Envelope
	note     string
	pending  []byte
	archive  []byte // never with pending, nor with what makes it a De-Mail
}

// encode writes r byte-exactly: strings may hold any bytes. Not kept are MayUse and ID, which stands in
// clear beside it.
func (r record) encode() []byte {
	e := r.envelope
	w := encoder{r.version()}
	w.text(r.note)
	w.address(e.From)
	w.flags(e.Internal, e.Body8Bit, e.SMTPUTF8, e.TLSOptional, e.TLS != mail.TLSAsRouted, e.TLS == mail.TLSVerified, e.Fetched)
	w.text(e.Client.Listener)
	addr, _ := e.Client.Addr.MarshalBinary() // never fails
	w.text(string(addr))
	w.text(e.Client.Helo)
	w.text(e.Client.User)
	w.text(e.Client.TLS)
	w.number(milli(e.Received))
	w.text(e.Ret)
	w.text(e.EnvID)
	w.number(int64(len(e.Recipients)))
	for _, rcpt := range e.Recipients {
		w.address(rcpt.Address)
		w.text(rcpt.ORcpt)
		w.number(int64(len(rcpt.Notify)))
		for _, n := range rcpt.Notify {
			w.text(n)
		}
	}
	if e.DeMail != nil {
		w.deMail(*e.DeMail)
	}
	if r.pending != nil {
		w.text(string(r.pending))
	}
	if r.archive != nil {
		w.text(string(r.archive))
	}
	return w
}

// version is the first that has all of r.
func (r record) version() byte {
	switch deMail, pending := r.envelope.DeMail != nil, r.pending != nil; {
	case r.archive != nil:
		return codecArchive
	case deMail && pending:
		return codecBoth
	case deMail:
		return codecDeMail
	case pending:
		return codecPending
	}
	return codecVersion
}

// decodeRecord reads what encode wrote, and nothing else: errCodec.
func decodeRecord(data []byte) (record, error) {
	var r record
	d := decoder{rest: data}
	version := d.byte()
	if version < codecVersion || version > codecArchive {
		return record{}, errCodec
	}
	e := &r.envelope
	r.note = d.text()
	e.From = d.address()
	var required, verified bool
	d.flags(&e.Internal, &e.Body8Bit, &e.SMTPUTF8, &e.TLSOptional, &required, &verified, &e.Fetched)
	if required {
		e.TLS = mail.TLSRequired
	}
	if verified {
		e.TLS = mail.TLSVerified
	}
	e.Client.Listener = d.text()
	if err := e.Client.Addr.UnmarshalBinary([]byte(d.text())); err != nil {
		e.Client.Addr, d.bad = netip.Addr{}, true
	}
	e.Client.Helo = d.text()
	e.Client.User = d.text()
	e.Client.TLS = d.text()
	e.Received = fromMilli(d.number())
	e.Ret = d.text()
	e.EnvID = d.text()
	e.Recipients = d.recipients()
	if version == codecDeMail || version == codecBoth {
		e.DeMail = d.deMail()
	}
	if version == codecPending || version == codecBoth {
		r.pending = []byte(d.text())
	}
	if version == codecArchive {
		r.archive = []byte(d.text())
	}
	if d.bad || len(d.rest) != 0 {
		return record{}, errCodec
	}
	return r, nil
}

func (d *decoder) recipients() []mail.Recipient {
	count := d.count(5) // the least a recipient takes
	list := make([]mail.Recipient, 0, count)
	for range count {
		rcpt := mail.Recipient{Address: d.address(), ORcpt: d.text()}
		for range d.count(1) {
			rcpt.Notify = append(rcpt.Notify, d.text())
		}
		list = append(list, rcpt)
	}
	return list
}

// encoder is the bytes written so far: numbers as varints, texts with their length in front.
type encoder []byte

func (w *encoder) number(n int64) { *w = binary.AppendVarint(*w, n) }

func (w *encoder) text(s string) {
	w.number(int64(len(s)))
	*w = append(*w, s...)
}

func (w *encoder) address(a mail.Address) {
	w.text(a.Local)
	w.text(a.Domain)
}

func (w *encoder) flags(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	*w = append(*w, b)
}

func (w *encoder) deMail(d mail.DeMail) {
	w.text(d.Account)
	w.text(d.Sender.String())
	o := d.Options
	w.flags(o.Dispatch, o.Receipt, o.Retrieve, o.Authoritative, o.Private)
	w.address(d.Author)
}

// decoder reads what encoder wrote. After a fault it gives zero values and bad stays true.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count reads a number of things of at least size bytes each, and so bounds it by what is left.
func (d *decoder) count(size int) int {
	n := d.number()
	if n < 0 || n > int64(len(d.rest)/size) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.count(1)
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) address() mail.Address { return mail.Address{Local: d.text(), Domain: d.text()} }

// deMail reads what encoder.deMail wrote. A sender that is no address, or is written in another way, is none of ours.
func (d *decoder) deMail() *mail.DeMail {
	m := &mail.DeMail{Account: d.text()}
	sender := d.text()
	if err := m.Sender.UnmarshalText([]byte(sender)); err != nil || m.Sender.String() != sender {
		m.Sender, d.bad = demail.Address{}, true
	}
	o := &m.Options
	d.flags(&o.Dispatch, &o.Receipt, &o.Retrieve, &o.Authoritative, &o.Private)
	m.Author = d.address()
	return m
}

// flags reads what encoder.flags wrote of as many flags, or of fewer.
func (d *decoder) flags(flags ...*bool) {
	b := d.byte()
	if b >= 1<<len(flags) {
		d.bad = true
	}
	for i, f := range flags {
		*f = b&(1<<i) != 0
	}
}

// milli is t in the form of the database; 0 for the zero time.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMilli is the time of milli, in UTC.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
