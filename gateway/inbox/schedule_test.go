package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// quiet is a record and a queue that have nothing.
type quiet struct {
	queue.Store
	mu     sync.Mutex // guards what follows
	fault  error
	alarms []string
}

func (q *quiet) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fault = err
}

func (q *quiet) alarm(_ context.Context, id texts.ID, v texts.Values) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.alarms = append(q.alarms, string(id))
}

// told are the alarms that were given.
func (q *quiet) told() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.alarms)
}

func (q *quiet) Check() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fault
}
func (*quiet) Overdue(context.Context, string, time.Time) ([]proof.Late, error) {
	return nil, nil
}
func (*quiet) Inside(mail.Address) bool                                { return true }
func (*quiet) Destination(mail.Address) (string, time.Duration, error) { return "x", 0, nil }

type quietRecord struct{ *quiet }

func (quietRecord) Arrived(context.Context, proof.Arrival) (a proof.Arrival, b bool, err error) {
	return
}
func (quietRecord) Delivered(context.Context, string, string, []mail.Address, time.Time) error {
	return nil
}
func (quietRecord) Confirm(context.Context, proof.Evidence) (m []proof.Record, b bool, err error) {
	return
}
func (quietRecord) Told(context.Context, string, ...demail.MessageType) error { return nil }

// run runs an inbox in a bubble of time, with a provider that fails as it is told.
func run(t *testing.T, change func(*inbox.Options), check func(p *letters, i *inbox.Inbox, q *quiet)) {
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	must(t, err)
	synctest.Test(t, func(t *testing.T) {
		p, q := lay(), &quiet{}
		o := inbox.Options{
			Account: account, Provider: p, Record: quietRecord{q}, Queue: q, Ways: q, Spool: spool, Recorder: recorder{}, Every: 5 * time.Minute,
			Clean: func(*entity.Header) {}, Entered: func(queue.New) {},
			Alarm: q.alarm,
		}
		if change != nil {
			change(&o)
		}
		i, err := inbox.New(o)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- i.Run(ctx) }()
		synctest.Wait()
		check(p, i, q)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

type recorder struct{}

func (recorder) Record(track.Event) {}

// after lets time pass and returns how often was fetched meanwhile.
func (l *letters) after(d time.Duration) int {
	before := l.count()
	time.Sleep(d)
	synctest.Wait()
	return l.count() - before
}

// Many messages that are told of do not keep quiet that nothing is fetched any more.
func TestManyAlarms(t *testing.T) {
	provider, k, alarms, now := lay(), &keeping{}, map[string]int{}, time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for n := range 1100 {
		provider.put(fmt.Sprint(n), strings.NewReader(fmt.Sprintf("X-de-mail-message-type: notification\r\nX-de-mail-sender: u%d@stadt.de-mail.de\r\n", n)+fine))
	}
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	must(t, err)
	i, err := inbox.New(inbox.Options{
		Account: account, Provider: provider, Record: matching{quietRecord{&k.quiet}}, Queue: k, Ways: &k.quiet, Spool: spool, Recorder: recorder{},
		Mailboxes: map[demail.Address]mail.Address{deMail(t, "post@firma.de-mail.de"): address(t, "office@firma.example")},
		Clean:     func(*entity.Header) {}, Entered: func(queue.New) {}, Alarm: func(_ context.Context, id texts.ID, _ texts.Values) { alarms[string(id)]++ },
		Now: func() time.Time { return now },
	})
	must(t, err)
	must(t, i.Fetch(t.Context()))
	if n := alarms[string(texts.FetchClaims)]; n != 1000 {
		t.Errorf("%d alarms", n)
	}
	provider.fails = connectors.Errorf(connectors.ErrUnavailable, "down")
	for range 3 {
		now = now.Add(2 * time.Hour)
		if i.Fetch(t.Context()) == nil {
			t.Error("no error")
		}
	}
	if n := alarms[string(texts.FetchAway)]; n != 1 {
		t.Errorf("%v", alarms)
	}
}

// It fetches at once, then by the schedule, a little early or late.
func TestSchedule(t *testing.T) {
	run(t, nil, func(p *letters, i *inbox.Inbox, _ *quiet) {
		if p.count() != 1 {
			t.Errorf("%d at the start", p.count())
		}
		if n := p.after(10 * time.Hour); n < 108 || n > 134 {
			t.Errorf("%d in ten hours", n)
		}
		if i.Check() != nil || i.Status().Failures != 0 {
			t.Error(i.Check())
		}
	})
}

// A provider that is away is asked less and less often, once an hour at least; the administrators are told once, and when it is back it goes on.
func TestAway(t *testing.T) {
	run(t, nil, func(p *letters, i *inbox.Inbox, q *quiet) {
		p.fail(connectors.Errorf(connectors.ErrUnavailable, "down"))
		p.after(6 * time.Minute)
		if n := p.after(time.Hour); n < 4 || n > 8 {
			t.Errorf("%d in the first hour", n)
		}
		if n := p.after(20 * time.Hour); n < 17 || n > 23 {
			t.Errorf("%d in twenty hours", n)
		}
		if len(q.told()) != 1 {
			t.Errorf("%q", q.told())
		}
		p.fail(nil)
		if n := p.after(70 * time.Minute); n < 1 || i.Status().Failures != 0 {
			t.Errorf("%d, %+v", n, i.Status())
		}
		if n := p.after(time.Hour); n < 10 {
			t.Errorf("%d in an hour", n)
		}
	})
}

// A login that was refused is told of by who guards the logins, and not twice.
func TestLogin(t *testing.T) {
	run(t, nil, func(p *letters, i *inbox.Inbox, q *quiet) {
		p.fail(connectors.Errorf(connectors.ErrLogin, "wrong password"))
		p.after(10 * time.Hour)
		if len(q.told()) != 0 || i.Status().Failures == 0 || i.Check() != nil {
			t.Errorf("%q, %+v", q.told(), i.Status())
		}
	})
}

// The provider may say when it wants to be asked again.
func TestAfter(t *testing.T) {
	run(t, nil, func(p *letters, _ *inbox.Inbox, _ *quiet) {
		p.fail(&connectors.Error{Class: connectors.ErrUnavailable, After: 3 * time.Hour})
		p.after(6 * time.Minute)
		if n := p.after(2*time.Hour + 30*time.Minute); n != 0 {
			t.Errorf("%d before that", n)
		}
	})
}

// While the record cannot be used nothing is asked for; that is not the provider's fault, and is seen.
func TestRecordIsAway(t *testing.T) {
	run(t, nil, func(p *letters, i *inbox.Inbox, q *quiet) {
		q.fail(errors.New("damaged"))
		if n := p.after(10 * time.Minute); n != 0 || i.Check() == nil {
			t.Errorf("%d, %v", n, i.Check())
		}
	})
}

// Where nothing is to be fetched, what was sent is looked after all the same.
func TestNever(t *testing.T) {
	var reconciled atomic.Int32
	run(t, func(o *inbox.Options) {
		o.Never = true
		o.Reconcile = func(context.Context) error { reconciled.Add(1); return errors.New("planted") }
	}, func(p *letters, _ *inbox.Inbox, _ *quiet) {
		if p.after(time.Hour); p.count() != 0 || reconciled.Load() < 10 {
			t.Errorf("%d fetched, %d reconciled", p.count(), reconciled.Load())
		}
	})
}

// hanging is a provider that answers nothing until it is called off.
type hanging struct{ connectors.Provider }

func (hanging) Fetch(ctx context.Context, _ connectors.Handler) error {
	<-ctx.Done()
	return connectors.Unsent(ctx.Err(), "called off")
}

// A provider that hangs is called off after an hour, and at once when the gateway stops.
func TestHangs(t *testing.T) {
	run(t, func(o *inbox.Options) { o.Provider = hanging{} }, func(_ *letters, i *inbox.Inbox, _ *quiet) {
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if i.Status().Failures != 1 {
			t.Errorf("%+v", i.Status())
		}
	})
}
