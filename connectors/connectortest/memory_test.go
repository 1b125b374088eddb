package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

const password = "hunter-4711"

// memory is a provider and the connector to it in one: it stands for nothing, and proves the checks.
type memory struct {
	mu      sync.Mutex
	fault   Fault
	taken   []Taken
	mailbox []letter
	next    int
	hung    chan struct{}
}

type letter struct {
	id      string
	content []byte
}

func newMemory() *memory { return &memory{hung: make(chan struct{}, 1)} }

func (m *memory) Fault(f Fault) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
	return nil
}

func (m *memory) Taken() ([]Taken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Taken(nil), m.taken...), nil
}

func (m *memory) Put(content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	m.mailbox = append(m.mailbox, letter{fmt.Sprintf("in-%d", m.next), content})
	return nil
}

func (m *memory) Waiting() (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mailbox), nil
}

func (m *memory) Hung() <-chan struct{} { return m.hung }

func (m *memory) current() Fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault
}

// reach is the way to the provider, before it has looked at a request.
func (m *memory) reach(ctx context.Context) error {
	if ctx.Err() != nil {
		return connectors.Unsent(ctx.Err(), "called off")
	}
	switch m.current() {
	case Down, Dropped:
		return connectors.Unsent(io.ErrUnexpectedEOF, "nobody answers")
	case Unavailable:
		return connectors.Errorf(connectors.ErrUnavailable, "out of service")
	case Login:
		return connectors.Errorf(connectors.ErrLogin, "wrong password")
	}
	return nil
}

// back is the way of the answer; what it errs with is not of any class.
func (m *memory) back(ctx context.Context) error {
	switch m.current() {
	case Lost:
		return io.ErrUnexpectedEOF
	case Garbled:
		return errors.New("garbled")
	case Huge:
		return errors.New("huge")
	case Hangs:
		m.hung <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// ask is a request that changes nothing.
func (m *memory) ask(ctx context.Context) error {
	if err := m.reach(ctx); err != nil {
		return err
	}
	if err := m.back(ctx); err != nil {
		return connectors.Unsent(err, "no answer")
	}
	return nil
}

func (m *memory) Domains(ctx context.Context) ([]string, error) {
	if err := m.ask(ctx); err != nil {
		return nil, err
	}
	return connectors.CheckDomains([]string{"Firma.de-mail.de", "firma.de-mail.de"})
}

func (m *memory) Submit(ctx context.Context, msg connectors.Message) (connectors.Receipt, error) {
	if err := msg.Check(); err != nil {
		return connectors.Receipt{}, err
	}
	if err := m.reach(ctx); err != nil {
		return connectors.Receipt{}, err
	}
	refusals := map[Fault]error{Refused: connectors.ErrRejected, Unentitled: connectors.ErrNotEntitled, Large: connectors.ErrTooLarge}
	if class := refusals[m.current()]; class != nil {
		return connectors.Receipt{}, connectors.Errorf(class, "no")
	}
	t := Taken{Key: msg.Key, Sender: msg.Sender, Options: msg.Options}
	for _, r := range msg.Recipients.All() {
		if r.Address.Local() == "missing" {
			return connectors.Receipt{}, &connectors.Error{Class: connectors.ErrNoSuchAddress, Addresses: []demail.Address{r.Address}}
		}
		t.Recipients = append(t.Recipients, r.Address)
	}
	r, err := msg.Content.Open()
	if err != nil {
		return connectors.Receipt{}, connectors.Unsent(err, "the content cannot be read")
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return connectors.Receipt{}, connectors.Unsent(err, "the content cannot be read")
	}
	t.Content = append([]byte("x-de-mail-private-id: "+msg.Key+"\r\nX-de-mail-private: no\r\n folded\r\n"), data...)
	m.mu.Lock()
	m.taken = append(m.taken, t)
	id := fmt.Sprintf("out-%d", len(m.taken))
	m.mu.Unlock()
	if err := m.back(ctx); err != nil {
		return connectors.Receipt{}, connectors.Lost(err, "no answer")
	}
	return connectors.Receipt{ID: id}, nil
}

func (m *memory) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	if err := m.ask(ctx); err != nil {
		return connectors.Receipt{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, t := range m.taken {
		if t.Key == key {
			return connectors.Receipt{ID: fmt.Sprintf("out-%d", i+1)}, nil
		}
	}
	return connectors.Receipt{}, connectors.Errorf(connectors.ErrNotFound, "")
}

func (m *memory) Fetch(ctx context.Context, handler connectors.Handler) error {
	if f := m.current(); f != Huge {
		if err := m.ask(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	letters := append([]letter(nil), m.mailbox...)
	m.mu.Unlock()
	if len(letters) == 0 && m.current() == Huge {
		return connectors.Errorf(connectors.ErrUnavailable, "a list without an end")
	}
	for _, l := range letters {
		err := handler(ctx, connectors.Incoming{ID: l.id, Size: -1, Content: connectors.Bounded(m.reader(l))})
		if errors.Is(err, connectors.ErrLeave) {
			continue
		}
		if err != nil {
			return err
		}
		if m.current() == KeepsAll {
			return connectors.Errorf(connectors.ErrUnavailable, "not acknowledged")
		}
		m.forget(l.id)
	}
	return nil
}

func (m *memory) reader(l letter) io.Reader {
	switch m.current() {
	case Cut:
		return io.MultiReader(bytes.NewReader(l.content[:len(l.content)/2]), failing{})
	case Huge:
		return io.MultiReader(bytes.NewReader(l.content), endless{})
	}
	return bytes.NewReader(l.content)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, l := range m.mailbox {
		if l.id == id {
			m.mailbox = append(m.mailbox[:i:i], m.mailbox[i+1:]...)
			return
		}
	}
}

func (m *memory) Lookup(ctx context.Context, a demail.Address) (connectors.Entry, error) {
	if err := m.ask(ctx); err != nil {
		return connectors.Entry{}, err
	}
	if a.Local() == "missing" {
		return connectors.Entry{}, connectors.Errorf(connectors.ErrNoSuchAddress, "")
	}
	return connectors.Entry{Address: a, Level: demail.LevelHigh}, nil
}

// faulty is a memory of which one thing is wrong.
type faulty struct {
	*memory
	submit  func(*memory, context.Context, connectors.Message) (connectors.Receipt, error)
	find    func(*memory, context.Context, string) (connectors.Receipt, error)
	fetch   func(*memory, context.Context, connectors.Handler) error
	lookup  func(*memory, context.Context, demail.Address) (connectors.Entry, error)
	domains func(*memory, context.Context) ([]string, error)
}

func (f faulty) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	if f.submit != nil {
		return f.submit(f.memory, ctx, m)
	}
	return f.memory.Submit(ctx, m)
}

func (f faulty) Find(ctx context.Context, key string) (connectors.Receipt, error) {
	if f.find != nil {
		return f.find(f.memory, ctx, key)
	}
	return f.memory.Find(ctx, key)
}

func (f faulty) Fetch(ctx context.Context, h connectors.Handler) error {
	if f.fetch != nil {
		return f.fetch(f.memory, ctx, h)
	}
	return f.memory.Fetch(ctx, h)
}

func (f faulty) Lookup(ctx context.Context, a demail.Address) (connectors.Entry, error) {
	if f.lookup != nil {
		return f.lookup(f.memory, ctx, a)
	}
	return f.memory.Lookup(ctx, a)
}

func (f faulty) Domains(ctx context.Context) ([]string, error) {
	if f.domains != nil {
		return f.domains(f.memory, ctx)
	}
	return f.memory.Domains(ctx)
}

func standOf(m *memory, p connectors.Provider) Stand {
	a := func(s string) demail.Address {
		a, err := demail.ParseAddress(s)
		if err != nil {
			panic(err)
		}
		return a
	}
	return Stand{Provider: p, Back: m, Sender: a("post@firma.de-mail.de"), Recipient: a("amt@stadt.de-mail.de"), Missing: a("missing@stadt.de-mail.de"), Secrets: []string{password}}
}

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Stand { m := newMemory(); return standOf(m, m) })
}

// A way that has no directory and cannot look for keys, and says so, keeps the contract.
func TestMemoryOfLess(t *testing.T) {
	Run(t, func(*testing.T) Stand {
		m := newMemory()
		s := standOf(m, faulty{memory: m,
			find: func(*memory, context.Context, string) (connectors.Receipt, error) {
				return connectors.Receipt{}, connectors.Errorf(connectors.ErrInDoubt, "nobody can tell")
			},
			lookup: func(*memory, context.Context, demail.Address) (connectors.Entry, error) {
				return connectors.Entry{}, connectors.Errorf(connectors.ErrUnsupported, "")
			}})
		s.NoDirectory, s.Forgets = true, true
		return s
	})
}

// relabel gives every error of Submit another class.
func relabel(class error) func(*memory, context.Context, connectors.Message) (connectors.Receipt, error) {
	return func(m *memory, ctx context.Context, msg connectors.Message) (connectors.Receipt, error) {
		r, err := m.Submit(ctx, msg)
		if err != nil {
			err = &connectors.Error{Class: class, Err: ctx.Err()}
		}
		return r, err
	}
}

// Whoever breaks the contract fails the check that is for it.
func TestFaulty(t *testing.T) {
	type receipt = connectors.Receipt
	for name, c := range map[string]struct {
		faulty faulty
		checks []string
	}{
		"in doubt is unavailable": {faulty{submit: relabel(connectors.ErrUnavailable)}, []string{"Submit/lost", "Submit/garbled", "Submit/huge", "Canceled", "Submit/refused", "Submit/login"}},
		"all is in doubt":         {faulty{submit: relabel(connectors.ErrInDoubt)}, []string{"Submit/down", "Submit/unavailable", "Submit/large", "CanceledBefore", "SubmitUnfit"}},
		"errors without a class": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if err != nil {
				err = errors.New("something")
			}
			return r, err
		}}, []string{"Submit/down", "Submit/lost", "Submit/unentitled"}},
		"tries again": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if connectors.Class(err) == connectors.ErrInDoubt {
				return m.Submit(ctx, msg)
			}
			return r, err
		}}, []string{"Submit/lost", "Submit/garbled"}},
		"success is a guess": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if err != nil {
				return receipt{ID: "guessed"}, nil
			}
			return r, nil
		}}, []string{"Submit/lost", "Submit/refused", "SubmitUnfit", "SubmitNowhere"}},
		"no id": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			_, err := m.Submit(ctx, msg)
			return receipt{}, err
		}}, []string{"Submit", "SubmitMany", "Find"}},
		"the message is made anew": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			if c, ok := msg.Content.(Content); ok {
				msg.Content = Content(strings.ReplaceAll(string(c), " \r\n", "\r\n"))
			}
			return m.Submit(ctx, msg)
		}}, []string{"Submit"}},
		"options are lost": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			msg.Options.Receipt = false
			return m.Submit(ctx, msg)
		}}, []string{"Submit"}},
		"secrets in errors": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if err != nil {
				err = connectors.Errorf(connectors.Class(err), "login with %s", password)
			}
			return r, err
		}}, []string{"Secrets"}},
		"subjects in errors": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if err != nil {
				err = connectors.Errorf(connectors.Class(err), "%s", subject)
			}
			return r, err
		}}, []string{"Secrets"}},
		"finds by prefix": {faulty{find: func(m *memory, ctx context.Context, key string) (receipt, error) {
			if _, err := m.Find(ctx, "x"); connectors.Class(err) != connectors.ErrNotFound {
				return receipt{}, err
			}
			for i, t := range m.taken {
				if strings.HasPrefix(t.Key, key) {
					return receipt{ID: fmt.Sprintf("out-%d", i+1)}, nil
				}
			}
			return receipt{}, connectors.Errorf(connectors.ErrNotFound, "")
		}}, []string{"Find"}},
		"finds nothing": {faulty{find: func(*memory, context.Context, string) (receipt, error) {
			return receipt{}, connectors.Errorf(connectors.ErrNotFound, "")
		}}, []string{"Find", "Submit/lost", "Canceled", "Ask/down", "Ask/login"}},
		"acknowledges first": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error { m.forget(in.ID); return h(ctx, in) })
		}}, []string{"Fetch", "FetchStops", "FetchLeaves", "FetchCut", "FetchUnacknowledged", "FetchEndless"}},
		"acknowledges whatever the handler says": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error { _ = h(ctx, in); return nil })
		}}, []string{"FetchStops", "FetchLeaves", "FetchCut", "FetchEndless"}},
		"stops at what is left": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
				if err := h(ctx, in); err != nil {
					return fmt.Errorf("%v", err)
				}
				return nil
			})
		}}, []string{"FetchLeaves", "FetchStops", "FetchCut"}},
		"half a message": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
				data, _ := io.ReadAll(io.LimitReader(in.Content, 1<<20))
				in.Content = bytes.NewReader(data)
				return h(ctx, in)
			})
		}}, []string{"FetchCut"}},
		"endless messages": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
				in.Content = io.MultiReader(in.Content, io.LimitReader(endless{}, 2*connectors.MaxIncoming))
				return h(ctx, in)
			})
		}}, []string{"Fetch"}},
		"another id each time": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			return m.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
				m.mu.Lock()
				m.next++
				n := m.next
				m.mu.Unlock()
				in.ID = fmt.Sprint(n)
				return h(ctx, in)
			})
		}}, []string{"FetchStops", "FetchUnacknowledged"}},
		"the newest first": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			m.mu.Lock()
			for i, j := 0, len(m.mailbox)-1; i < j; i, j = i+1, j-1 {
				m.mailbox[i], m.mailbox[j] = m.mailbox[j], m.mailbox[i]
			}
			m.mu.Unlock()
			return m.Fetch(ctx, h)
		}}, []string{"Fetch"}},
		"forgets to fail": {faulty{fetch: func(m *memory, ctx context.Context, h connectors.Handler) error {
			_ = m.Fetch(ctx, h)
			return nil
		}}, []string{"FetchStops", "FetchCut", "FetchUnacknowledged", "Ask/down", "Ask/login", "CanceledBefore", "NoAnswer"}},
		"everybody exists": {faulty{lookup: func(_ *memory, _ context.Context, a demail.Address) (connectors.Entry, error) {
			return connectors.Entry{Address: a}, nil
		}}, []string{"Lookup", "Ask/down", "Ask/login"}},
		"domains as they come": {faulty{domains: func(*memory, context.Context) ([]string, error) {
			return []string{"Firma.de-mail.de"}, nil
		}}, []string{"Domains", "Ask/down"}},
		"other domains": {faulty{domains: func(m *memory, ctx context.Context) ([]string, error) {
			d, err := m.Domains(ctx)
			if err == nil {
				d = []string{"other.de-mail.de"}
			}
			return d, err
		}}, []string{"Domains"}},
		"the address is not named": {faulty{submit: func(m *memory, ctx context.Context, msg connectors.Message) (receipt, error) {
			r, err := m.Submit(ctx, msg)
			if connectors.Class(err) == connectors.ErrNoSuchAddress {
				err = connectors.Errorf(connectors.ErrNoSuchAddress, "one of them")
			}
			return r, err
		}}, []string{"SubmitNowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := make(map[string]bool)
			for _, n := range c.checks {
				want[n] = true
			}
			for _, check := range Checks() {
				if !want[check.Name] {
					continue
				}
				delete(want, check.Name)
				f := c.faulty
				f.memory = newMemory()
				if err := check.Run(t.Context(), standOf(f.memory, f)); err == nil {
					t.Errorf("%s does not notice", check.Name)
				}
			}
			if len(want) > 0 {
				t.Errorf("there are no checks of these names: %v", want)
			}
		})
	}
}
