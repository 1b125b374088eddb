package inbox_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// letters is a provider whose messages a test lays down itself, by id: whatever bytes it likes.
type letters struct {
	connectors.Provider
	ids     []string
	content map[string]io.Reader
	mailbox demail.Address

	mu      sync.Mutex // guards what follows
	fails   error      // of the next Fetch
	fetched int
}

// fail has the next fetches end so.
func (l *letters) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = err
}

// count is how often was fetched.
func (l *letters) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fetched
}

func lay(texts ...string) *letters {
	l := &letters{content: map[string]io.Reader{}}
	for _, t := range texts {
		l.put(string(rune('a'+len(l.ids))), strings.NewReader(t))
	}
	return l
}

func (l *letters) put(id string, r io.Reader) {
	l.ids = append(l.ids, id)
	l.content[id] = r
}

// Fetch implements connectors.Provider.
func (l *letters) Fetch(ctx context.Context, handler connectors.Handler) error {
	l.mu.Lock()
	l.fetched++
	err := l.fails
	l.mu.Unlock()
	if err != nil {
		return err
	}
	var stay []string
	for n, id := range l.ids {
		err := handler(ctx, connectors.Incoming{ID: id, Mailbox: l.mailbox, Size: -1, Content: again(l.content, id)})
		if err == nil {
			continue
		}
		stay = append(stay, id)
		if !errors.Is(err, connectors.ErrLeave) {
			l.ids = append(stay, l.ids[n+1:]...)
			return err
		}
	}
	l.ids = stay
	return nil
}

// again gives the same bytes each time.
func again(content map[string]io.Reader, id string) io.Reader {
	if s, ok := content[id].(io.Seeker); ok {
		s.Seek(0, io.SeekStart)
	}
	return content[id]
}

// cut is a message in whose midst the provider stops.
func cut() io.Reader {
	return io.MultiReader(strings.NewReader("Subject: x\r\n\r\nhalf"), iotest.ErrReader(io.ErrUnexpectedEOF))
}

// zeros is a message without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var errPlanted = errors.New("planted")

// breaking fails at one call, before it has done anything or afterwards: as a process does that ends there.
type breaking struct {
	Queue  inbox.Queue
	Record inbox.Record
	at     int // counts down to the call
	after  bool
}

// records is the record of something that breaks.
type records struct {
	inbox.Record
	b *breaking
}

// step calls, or fails.
func (b *breaking) step(call func() error) error {
	b.at--
	if b.at == 0 && !b.after {
		return errPlanted
	}
	err := call()
	if b.at == 0 {
		return errPlanted
	}
	return err
}

func (b *breaking) Put(ctx context.Context, entries []queue.New) error {
	return b.step(func() error { return b.Queue.Put(ctx, entries) })
}

func (b *breaking) List(ctx context.Context, f queue.Filter) (out []queue.Message, err error) {
	err = b.step(func() (err error) { out, err = b.Queue.List(ctx, f); return err })
	return out, err
}

func (b *breaking) Change(ctx context.Context, id mail.ID, o queue.Order) (out []int, err error) {
	err = b.step(func() (err error) { out, err = b.Queue.Change(ctx, id, o); return err })
	return out, err
}

func (r records) Arrived(ctx context.Context, a proof.Arrival) (out proof.Arrival, known bool, err error) {
	err = r.b.step(func() (err error) { out, known, err = r.Record.Arrived(ctx, a); return err })
	return out, known, err
}

func (r records) Confirm(ctx context.Context, e proof.Evidence) (out []proof.Record, known bool, err error) {
	err = r.b.step(func() (err error) { out, known, err = r.Record.Confirm(ctx, e); return err })
	return out, known, err
}

func (r records) Delivered(ctx context.Context, account, id string, to []mail.Address, at time.Time) error {
	return r.b.step(func() error { return r.Record.Delivered(ctx, account, id, to, at) })
}

// has fails where an alarm of that subject was not given so often.
func (s *stand) has(n int, subject string) {
	s.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, a := range s.alarms {
		if strings.Contains(a.subject, subject) {
			count++
		}
	}
	if count != n {
		s.Errorf("%d alarms %q, want %d: %v", count, subject, n, s.alarms)
	}
}

var _ testing.TB = (*stand)(nil)
