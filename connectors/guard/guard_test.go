package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/guard"
)

// fake is a provider that says to everything what the test says, after a while.
type fake struct {
	mu       sync.Mutex
	err      error
	takes    time.Duration
	asked    int
	now, top int // requests at once: in this moment, and at most
	messages int // that lie in the account
}

func (f *fake) request(ctx context.Context) error {
	f.mu.Lock()
	f.asked++
	f.now++
	f.top = max(f.top, f.now)
	err, takes := f.err, f.takes
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.now--
	}()
	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return connectors.Unsent(ctx.Err(), "called off")
	}
}

func (f *fake) says(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fake) figures() (asked, top int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked, f.top
}

func (f *fake) Domains(ctx context.Context) ([]string, error) { return nil, f.request(ctx) }
func (f *fake) Submit(ctx context.Context, _ connectors.Message) (connectors.Receipt, error) {
	return connectors.Receipt{ID: "1"}, f.request(ctx)
}
func (f *fake) Find(ctx context.Context, _ string) (connectors.Receipt, error) {
	return connectors.Receipt{ID: "1"}, f.request(ctx)
}
func (f *fake) Fetch(ctx context.Context, handler connectors.Handler) error {
	for i := range f.messages {
		if err := handler(ctx, connectors.Incoming{ID: fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return f.request(ctx)
}
func (f *fake) Lookup(ctx context.Context, _ demail.Address) (connectors.Entry, error) {
	return connectors.Entry{}, f.request(ctx)
}

// requests are one of each kind.
func requests(g *guard.Provider) map[string]func(context.Context) error {
	a, _ := demail.ParseAddress("amt@stadt.de-mail.de")
	m := connectors.Message{Key: "k", Sender: a, Recipients: demail.Recipients{To: []demail.Mailbox{{Address: a}}}, Content: content("x")}
	return map[string]func(context.Context) error{
		"domains": func(ctx context.Context) error { _, err := g.Domains(ctx); return err },
		"submit":  func(ctx context.Context) error { _, err := g.Submit(ctx, m); return err },
		"find":    func(ctx context.Context) error { _, err := g.Find(ctx, "k"); return err },
		"fetch": func(ctx context.Context) error {
			return g.Fetch(ctx, func(context.Context, connectors.Incoming) error { return nil })
		},
		"lookup": func(ctx context.Context) error { _, err := g.Lookup(ctx, a); return err },
	}
}

type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

// After one refused login nobody asks, whatever for, until Resume.
func TestStopsAfterOne(t *testing.T) {
	for first := range requests(guard.New(new(fake), nil)) {
		f, told := &fake{err: connectors.Errorf(connectors.ErrLogin, "wrong password")}, 0
		g := guard.New(f, func() time.Time { return time.Unix(0, 0).UTC() })
		g.Tell(func(err error) {
			if told++; !strings.Contains(err.Error(), "wrong password") {
				t.Errorf("told %v", err)
			}
		})
		if err := requests(g)[first](t.Context()); connectors.Class(err) != connectors.ErrLogin || strings.Contains(err.Error(), "siegel reload") {
			t.Errorf("%s: %v", first, err)
		}
		f.says(nil)
		for name, ask := range requests(g) {
			if err := ask(t.Context()); connectors.OutcomeOf(err) != connectors.Mend || !strings.Contains(err.Error(), "refused at 1970-01-01T00:00:00Z") || !strings.Contains(err.Error(), "siegel reload") {
				t.Errorf("%s after %s: %v", name, first, err)
			}
		}
		if asked, _ := f.figures(); asked != 1 || told != 1 {
			t.Errorf("%s: asked %d times, told %d times", first, asked, told)
		}
		if since, why := g.Refused(); since.IsZero() || connectors.Class(why) != connectors.ErrLogin {
			t.Error(since, why)
		}
		g.Resume()
		for name, ask := range requests(g) {
			if err := ask(t.Context()); err != nil {
				t.Errorf("%s after Resume: %v", name, err)
			}
		}
		if since, why := g.Refused(); !since.IsZero() || why != nil {
			t.Error(since, why)
		}
	}
}

// Many requests at the start of a process, or after a change, are one refused login.
func TestOneAtATimeUntilProven(t *testing.T) {
	for name, c := range map[string]struct {
		err        error
		asked, top int
	}{
		"refused":     {connectors.ErrLogin, 1, 1},
		"let in":      {nil, 20, 19},
		"not found":   {connectors.ErrNotFound, 20, 19},
		"unavailable": {connectors.ErrUnavailable, 20, 1}, // which shows nothing
		"rejected":    {connectors.ErrRejected, 20, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{err: c.err, takes: time.Second}
			g := guard.New(f, nil)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { g.Find(t.Context(), "k") })
			}
			all.Wait()
			if asked, top := f.figures(); asked != c.asked || top != c.top {
				t.Errorf("%s: asked %d times, %d at once", name, asked, top)
			}
		})
	}
}

// A password that is changed meanwhile: those under way may be refused, no others.
func TestRefusedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, told := &fake{takes: time.Second}, 0
		g := guard.New(f, nil)
		g.Tell(func(error) { told++ })
		g.Domains(t.Context())
		f.says(connectors.ErrLogin)
		for range 3 {
			go g.Domains(t.Context())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		g.Domains(t.Context())
		if asked, _ := f.figures(); asked != 4 || told != 1 {
			t.Errorf("asked %d times, told %d times", asked, told)
		}
	})
}

// A request that began before Resume, and before the refusal, and ends well after both, does not show that the account is let in now.
func TestShownBeforeResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		g := guard.New(f, nil)
		g.Domains(t.Context())
		f.mu.Lock()
		f.takes = time.Minute
		f.mu.Unlock()
		go g.Domains(t.Context())
		synctest.Wait()
		f.mu.Lock()
		f.err, f.takes = connectors.ErrLogin, time.Second
		f.mu.Unlock()
		g.Domains(t.Context())
		g.Resume()
		time.Sleep(2 * time.Minute)
		before, _ := f.figures()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { g.Domains(t.Context()) })
		}
		all.Wait()
		if after, _ := f.figures(); after-before != 1 {
			t.Errorf("the provider refused %d logins", after-before)
		}
	})
}

// A long fetch does not keep others waiting once a message came.
func TestFetchShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{messages: 1}
		g := guard.New(f, nil)
		handling, end := make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- g.Fetch(t.Context(), func(context.Context, connectors.Incoming) error { close(handling); <-end; return connectors.ErrLogin })
		}()
		<-handling
		if _, err := g.Domains(t.Context()); err != nil {
			t.Error(err)
		}
		close(end)
		if err := <-done; err != connectors.ErrLogin { //nolint:errorlint // the handler's own
			t.Error(err)
		}
		if _, why := g.Refused(); why != nil {
			t.Error("an error of the handler counts as one of the provider:", why)
		}
	})
}

// A refusal that ends a fetch counts, also after a message came.
func TestFetchRefused(t *testing.T) {
	f := &fake{messages: 1, err: connectors.ErrLogin}
	g := guard.New(f, nil)
	err := g.Fetch(t.Context(), func(context.Context, connectors.Incoming) error { return nil })
	if _, why := g.Refused(); why == nil || connectors.Class(err) != connectors.ErrLogin {
		t.Error(err, why)
	}
}

// Who waits for another's answer stops when told to, and a message that is unfit asks nobody.
func TestCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Hour}
		g := guard.New(f, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go g.Domains(ctx)
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		_, err := g.Find(short, "k")
		if connectors.OutcomeOf(err) != connectors.Later || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := g.Submit(short, connectors.Message{}); connectors.Class(err) != connectors.ErrRejected {
			t.Error(err)
		}
		cancel()
		synctest.Wait()
		if asked, _ := f.figures(); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// The provider's answers pass as they are.
func ExampleProvider() {
	f := &fake{err: connectors.Errorf(connectors.ErrLogin, "E401")}
	g := guard.New(f, func() time.Time { return time.Unix(0, 0).UTC() })
	for range 2 {
		_, err := g.Domains(context.Background())
		fmt.Println(err)
	}
	fmt.Println(f.asked)
	// Output:
	// connectors: the provider does not let the account in: E401
	// connectors: the provider does not let the account in: refused at 1970-01-01T00:00:00Z, and not tried again since, for tries may lock the account; mend it, then: siegel reload
	// 1
}
