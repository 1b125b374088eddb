package queuetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// odd holds what a careless encoding loses: invalid UTF-8, NUL, line ends, quotes, nothing at all.
func odd() queue.New {
	n := Entry(start, Bytes("Subject: x\r\n\r\ny"), "mx:partner.example", "smarthost", "mx:partner.example")
	e := &n.Envelope
	e.From = mail.Address{Local: "a\xff \"'\\", Domain: "m\u00fcller.example"}
	e.Recipients[0] = mail.Recipient{Address: mail.Address{Local: "b@c>\x00", Domain: "partner.example"}, Notify: []string{"SUCCESS", "DELAY"}, ORcpt: "rfc822;\xfe\r\nx"}
	e.Recipients[1] = mail.Recipient{Address: mail.Address{Local: "", Domain: ""}, Notify: []string{"NEVER"}}
	e.Client = mail.Client{Listener: "l", Addr: netip.MustParseAddr("fe80::1%eth0"), Helo: "\x80", User: "alice", TLS: "TLS1.3 TLS_AES_128_GCM_SHA256"}
	e.Body8Bit, e.SMTPUTF8, e.Ret, e.EnvID, e.TLSOptional = true, true, "HDRS", "\x01id", true
	e.TLS, e.Fetched = mail.TLSVerified, true
	n.Note = "signed, encrypted by rule \"partner\""
	n.Origin = mail.NewID(start)
	return n
}

// deMail is for a provider, with everything that may be asked of it.
func deMail() queue.New {
	n := Entry(start, Bytes("x"), queue.DeMailPrefix+"main", "smarthost")
	sender, _ := demail.ParseAddress("kontakt@firma.de-mail.de")
	n.Envelope.DeMail = &mail.DeMail{
		Account: "main\xff", Sender: sender, Author: mail.Address{Local: "Erika \x00", Domain: "firma.example"},
		Options: demail.Options{Dispatch: true, Retrieve: true, Private: true},
	}
	return n
}

func envelopeComesBack(b *bench) {
	waiting, bare := deMail(), deMail()
	waiting.Pending = []byte("{}")
	bare.Envelope.DeMail = new(mail.DeMail)
	kept := Entry(start, Bytes("Subject: x\r\n\r\ny"), queue.ArchivePrefix+"gobd", "smarthost")
	kept.Archive = []byte("{\"id\":\"\xff\x00\"}")
	for _, n := range []queue.New{odd(), Entry(start, Bytes(nil), "smarthost"), deMail(), waiting, bare, kept} {
		n.Envelope.MayUse = mail.Patterns{mail.Pattern{}}
		if err := b.Put(b.Context(), []queue.New{n}); err != nil {
			b.Fatal(err)
		}
		want := n.Envelope
		want.MayUse = nil
		m := b.message(n.Envelope.ID)
		b.wantEqual("envelope", m.Envelope, want)
		b.wantEqual("the rest", []any{m.Origin, m.Note, m.Size, m.Expires, m.Pending, m.Archive, m.IsArchive()}, []any{n.Origin, n.Note, n.Content.Size(), n.Expires, n.Pending, n.Archive, n.Archive != nil})
		for i, r := range m.Recipients {
			b.wantEqual("recipient", r, queue.Recipient{
				Recipient: want.Recipients[i], Destination: n.Destinations[i], State: queue.Queued, Next: n.Due,
			})
		}
		c := b.claimOne("smarthost", start)
		b.wantEqual("claimed", c.Message, m)
		b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	}
}

func contentComesBack(b *bench) {
	for _, size := range []int{0, 1, 4096, 128<<10 - 1, 128 << 10, 128<<10 + 1, 3 << 20} {
		content := make(Bytes, size)
		rand.Read(content)
		n := Entry(start, content, "d")
		b.put(n)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				got, err := b.content(n.Envelope.ID)
				if err != nil || !bytes.Equal(got, content) {
					b.Errorf("%d bytes: %d back, %v", size, len(got), err)
				}
			})
		}
		wait.Wait()
		c := b.claimOne("d", start)
		r, err := b.Open(b.Context(), n.Envelope.ID)
		if err != nil {
			b.Fatal(err)
		}
		b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			b.Errorf("%d bytes, opened before the message went: %d back, %v", size, len(got), err)
		}
		r.Close()
		b.wantGone(n.Envelope.ID)
	}
	_, err := b.content("nosuchmessage")
	b.wantErr("Open of no message", err, queue.ErrNotFound)
}

func badEntries(b *bench) {
	good := func() queue.New { return Entry(start, Bytes("x"), "d", "e") }
	for name, spoil := range map[string]func(*queue.New){
		"no id":                 func(n *queue.New) { n.Envelope.ID = "" },
		"no recipients":         func(n *queue.New) { n.Envelope.Recipients, n.Destinations = nil, nil },
		"too few destinations":  func(n *queue.New) { n.Destinations = n.Destinations[:1] },
		"too many destinations": func(n *queue.New) { n.Destinations = append(n.Destinations, "f") },
		"no content":            func(n *queue.New) { n.Content = nil },
	} {
		bad, beside := good(), good()
		spoil(&bad)
		if err := b.Put(b.Context(), []queue.New{beside, bad}); err == nil {
			b.Errorf("%s: taken", name)
		}
		b.wantGone(beside.Envelope.ID)
	}
	if err := b.Put(b.Context(), nil); err != nil {
		b.Errorf("nothing to put: %v", err)
	}
}

// broken is a content that is not what it says.
type broken struct {
	size int64
	open func() (io.Reader, error)
}

// Size implements mail.Content.
func (c broken) Size() int64 { return c.size }

// Open implements mail.Content.
func (c broken) Open() (io.ReadCloser, error) {
	r, err := c.open()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(r), nil
}

func badContent(b *bench) {
	trouble := errors.New("no content today")
	const large = 300 << 10
	reader := func(s string) func() (io.Reader, error) {
		return func() (io.Reader, error) { return strings.NewReader(s), nil }
	}
	failing := func(s string) func() (io.Reader, error) {
		return func() (io.Reader, error) {
			return io.MultiReader(strings.NewReader(s), iotest.ErrReader(trouble)), nil
		}
	}
	big := strings.Repeat("x", large)
	for name, c := range map[string]struct {
		content broken
		want    error
	}{
		"short":              {broken{10, reader("123456789")}, nil},
		"long":               {broken{8, reader("123456789")}, nil},
		"short, large":       {broken{large + 1, reader(big)}, nil},
		"long, large":        {broken{large - 1, reader(big)}, nil},
		"cannot open":        {broken{10, func() (io.Reader, error) { return nil, trouble }}, trouble},
		"cannot open, large": {broken{large, func() (io.Reader, error) { return nil, trouble }}, trouble},
		"breaks off":         {broken{10, failing("1234")}, trouble},
		"breaks off, large":  {broken{large, failing(big[:200<<10])}, trouble},
	} {
		bad, beside := Entry(start, c.content, "d"), Entry(start, Bytes(big), "d")
		err := b.Put(b.Context(), []queue.New{beside, bad})
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			b.Errorf("%s: %v", name, err)
		}
		b.wantGone(bad.Envelope.ID)
		b.wantGone(beside.Envelope.ID)
	}
	if claims := b.claim("d", start, 100); len(claims) != 0 {
		b.Errorf("%d claims of what was not put", len(claims))
	}
}

func variantsTogether(b *bench) {
	origin := mail.NewID(start)
	var entries []queue.New
	for _, d := range []string{"mx:a.example", "mx:b.example", "mx:c.example"} {
		n := Entry(start, Bytes("for "+d), d)
		n.Origin = origin
		entries = append(entries, n)
	}
	b.put(entries...)
	messages, err := b.List(b.Context(), queue.Filter{ID: origin})
	if err != nil || len(messages) != 3 {
		b.Fatalf("%d variants of the origin, %v", len(messages), err)
	}
	for _, n := range entries {
		got, err := b.content(n.Envelope.ID)
		if err != nil || string(got) != "for "+n.Destinations[0] {
			b.Errorf("%s: %q, %v", n.Destinations[0], got, err)
		}
	}
}

func existingID(b *bench) {
	first := b.entry(start, "d")
	beside, again := Entry(start, Bytes("x"), "new destination"), Entry(start, Bytes("other"), "d")
	again.Envelope.ID = first.Envelope.ID
	b.wantErr("put of an id that is there", b.Put(b.Context(), []queue.New{beside, again}), queue.ErrExists)
	b.wantGone(beside.Envelope.ID)
	if claims := b.claim("new destination", start, 1); len(claims) != 0 {
		b.Error("a variant beside the refused one is in the queue")
	}
	twice := Entry(start, Bytes("x"), "d")
	b.wantErr("the same id twice", b.Put(b.Context(), []queue.New{twice, twice}), queue.ErrExists)
	b.wantGone(twice.Envelope.ID)
	got, err := b.content(first.Envelope.ID)
	if err != nil || string(got) == "other" {
		b.Errorf("the first message was changed: %q, %v", got, err)
	}
	b.put(beside) // nothing of it is left to be in the way
	if c := b.claimOne("new destination", start.Add(time.Second)); c.Message.Envelope.ID != beside.Envelope.ID {
		b.Error("another message")
	}
}

func holdFromTheStart(b *bench) {
	n := Entry(start, Bytes("x"), "d", "e")
	n.Hold = "quarantined: " + strings.Repeat("q", 600)
	beside := Entry(start.Add(time.Second), Bytes("y"), "d")
	b.put(n, beside)
	b.wantIDs("claimed", ids(b.claim("d", start.Add(1000*time.Hour), 10)), []mail.ID{beside.Envelope.ID})
	for i, r := range b.message(n.Envelope.ID).Recipients {
		b.wantEqual("held", r, queue.Recipient{Recipient: n.Envelope.Recipients[i], Destination: n.Destinations[i],
			State: queue.Held, LastReply: n.Hold[:512]})
	}
	s, err := b.Stats(b.Context())
	if err != nil || s.Recipients != 3 || s.Held != 2 {
		b.Errorf("%+v, %v", s, err)
	}
	due, err := b.Destinations(b.Context())
	if err != nil || len(due) != 1 || due[0].Destination != "d" {
		b.Errorf("destinations with something to do: %v, %v", due, err)
	}
	held, err := b.List(b.Context(), queue.Filter{State: queue.Held})
	if err != nil || len(held) != 1 {
		b.Errorf("%d messages are held, %v", len(held), err)
	}
	if err := b.Retry(b.Context(), n.Envelope.ID, start.Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	c := b.claimOne("e", start.Add(time.Hour))
	b.wantEqual("released", c.Due, []int{1})
	b.settle(c, each(c, queue.Outcome{State: queue.Delivered})...)
	if err := b.Drop(b.Context(), n.Envelope.ID); err != nil {
		b.Fatal(err)
	}
	b.wantGone(n.Envelope.ID)
}
