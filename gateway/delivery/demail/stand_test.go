package demail_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/connectors"
	demailaddr "github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// content is one in memory.
type content []byte

func (c content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }
func (c content) Size() int64                  { return int64(len(c)) }

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// provider is one that counts what it takes. It is not a provider of this world: it does as the test says.
type provider struct {
	mu      sync.Mutex
	taken   map[string][]connectors.Message // by key: each time that it was taken
	asked   int                             // requests to submit
	found   int                             // questions for a key
	submit  func(ctx context.Context, m connectors.Message, take func()) error
	find    func(ctx context.Context, key string) error // nil: the truth
	fetches int
}

func (p *provider) Domains(context.Context) ([]string, error) {
	return []string{"firma.de-mail.de"}, nil
}

func (p *provider) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	if err := m.Check(); err != nil {
		return connectors.Receipt{}, err
	}
	p.mu.Lock()
	p.asked++
	submit := p.submit
	p.mu.Unlock()
	var err error
	if submit != nil {
		err = submit(ctx, m, func() { p.take(m) })
	} else {
		p.take(m)
	}
	return p.receipt(m.Key), err
}

func (p *provider) take(m connectors.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.taken = map[string][]connectors.Message{}
	}
	p.taken[m.Key] = append(p.taken[m.Key], m)
}

func (p *provider) receipt(key string) connectors.Receipt {
	return connectors.Receipt{ID: "prov-" + key}
}

func (p *provider) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	p.mu.Lock()
	p.found++
	find := p.find
	p.mu.Unlock()
	if find != nil {
		if err := find(ctx, key); err != nil {
			return connectors.Receipt{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.taken[key]) == 0 {
		return connectors.Receipt{}, connectors.ErrNotFound
	}
	return p.receipt(key), nil
}

func (p *provider) Fetch(context.Context, connectors.Handler) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	return nil
}

func (p *provider) Lookup(context.Context, demailaddr.Address) (connectors.Entry, error) {
	return connectors.Entry{}, connectors.ErrUnsupported
}

// answers sets what becomes of a request to submit.
func (p *provider) answers(f func(ctx context.Context, m connectors.Message, take func()) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.submit = f
}

// always answers so, and takes nothing.
func (p *provider) always(err error) {
	p.answers(func(context.Context, connectors.Message, func()) error { return err })
}

// finds sets what becomes of a question for a key; nil: the truth is told.
func (p *provider) finds(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.find = func(context.Context, string) error { return err }
}

// times is how often anything was taken, and requests are those to submit and to find.
func (p *provider) times() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.taken {
		n += len(t)
	}
	return n
}

func (p *provider) requests() (submit, find int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked, p.found
}

// stand is an account with its provider and a record on disk.
type stand struct {
	*testing.T
	*provider
	clock  *clock
	record *proof.Store
	faulty *faulty
	o      demail.Options
	t      *demail.Transport
	due    []mail.ID
}

const quiet = 5 * time.Minute

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{T: t, provider: new(provider), clock: &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}}
	s.record = openRecord(t, filepath.Join(t.TempDir(), "demail"), atrest.NewKey(), s.clock.Now)
	s.faulty = &faulty{Record: s.record}
	s.o = demail.Options{
		Account: "main", Provider: s.provider, Record: s.faulty, Host: "provider.example", Quiet: quiet, Now: s.clock.Now,
		Due: func(_ context.Context, id mail.ID) error { s.due = append(s.due, id); return nil },
	}
	s.restart()
	return s
}

func openRecord(t testing.TB, dir string, key atrest.Key, now func() time.Time) *proof.Store {
	t.Helper()
	r, err := proof.Open(context.Background(), proof.Options{Dir: dir, Key: key, Now: now})
	if err == nil {
		err = r.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// restart is a process that begins anew: what is on disk is all that it knows.
func (s *stand) restart() {
	s.Helper()
	s.o.Flights = new(demail.Flights)
	s.reload()
}

// reload is a transport in place of another.
func (s *stand) reload() {
	s.Helper()
	t, err := demail.New(s.o)
	if err != nil {
		s.Fatal(err)
	}
	s.t = t
}

// letter is a message of Alice's in the queue.
func (s *stand) letter(to ...string) delivery.Attempt {
	s.Helper()
	return letter(s.T, s.clock.Now(), to...)
}

func letter(t testing.TB, now time.Time, to ...string) delivery.Attempt {
	t.Helper()
	sender, err := demailaddr.ParseAddress("kontakt@firma.de-mail.de")
	if err != nil {
		t.Fatal(err)
	}
	id := mail.NewID(now)
	a := delivery.Attempt{Destination: "demail:main", Origin: id}
	a.Envelope = mail.Envelope{
		ID: id, From: mail.Address{Local: "alice", Domain: "firma.example"}, Internal: true, Received: now,
		DeMail: &mail.DeMail{Account: "main", Sender: sender, Author: mail.Address{Local: "alice", Domain: "firma.example"}, Options: demailaddr.Options{Dispatch: true}},
	}
	var header strings.Builder
	fmt.Fprintf(&header, "From: =?utf-8?q?Alice_M=C3=BCller?= <%s>\r\nTo: ", sender)
	for i, s := range to {
		address, err := mail.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		a.Envelope.Recipients = append(a.Envelope.Recipients, mail.Recipient{Address: address})
		if i > 0 {
			header.WriteString(",\r\n ")
		}
		fmt.Fprintf(&header, "\"Amt %d\" <%s>", i+1, address)
	}
	fmt.Fprintf(&header, "\r\nSubject: Antrag\r\nMessage-ID: <%s@firma.example>\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n\r\nGeheim.\r\n", id)
	a.Content = content(header.String())
	return a
}

// deliver tries once.
func (s *stand) deliver(a delivery.Attempt) []delivery.Result {
	return s.t.Deliver(context.Background(), a)
}

// one is the result for the only recipient, or for all who fared alike.
func (s *stand) one(a delivery.Attempt) delivery.Result {
	s.Helper()
	results := s.deliver(a)
	for _, r := range results {
		if r != results[0] {
			s.Fatalf("recipients fared differently: %+v", results)
		}
	}
	return results[0]
}

// want checks a result.
func (s *stand) want(what string, r delivery.Result, status delivery.Status, inDoubt bool, text string) {
	s.Helper()
	if r.Status != status || r.Doubt != inDoubt || !strings.Contains(r.Text, text) {
		s.Errorf("%s: %+v, want %s, doubt %t, %q", what, r, status, inDoubt, text)
	}
}

// state is what the record says of a message.
func (s *stand) state(a delivery.Attempt) proof.State {
	s.Helper()
	all := s.records(a)
	if len(all) == 0 {
		return proof.None
	}
	return all[0].State
}

// records are those of a message, the newest first.
func (s *stand) records(a delivery.Attempt) []proof.Record {
	s.Helper()
	all, err := s.record.Named(context.Background(), string(a.Envelope.ID))
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// faulty is a record that fails as a test says.
type faulty struct {
	demail.Record
	mu     sync.Mutex
	begin  func(do func() error) error
	settle func(r proof.Result, do func() error) error
	named  error
}

func (f *faulty) Begin(ctx context.Context, m proof.Submission) (before proof.State, err error) {
	f.mu.Lock()
	fault := f.begin
	f.mu.Unlock()
	do := func() error { before, err = f.Record.Begin(ctx, m); return err }
	if fault == nil {
		return before, do()
	}
	err = fault(do)
	return before, err
}

func (f *faulty) Settle(ctx context.Context, key string, r proof.Result) error {
	f.mu.Lock()
	fault := f.settle
	f.mu.Unlock()
	do := func() error { return f.Record.Settle(ctx, key, r) }
	if fault == nil {
		return do()
	}
	return fault(r, do)
}

func (f *faulty) Named(ctx context.Context, id string) ([]proof.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.named != nil {
		return nil, f.named
	}
	return f.Record.Named(ctx, id)
}

// settles sets what becomes of a settlement; nil: what is asked for.
func (f *faulty) settles(fault func(r proof.Result, do func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle = fault
}

// begins is the same for beginnings.
func (f *faulty) begins(fault func(do func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begin = fault
}
