package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// relay is a Scheduler over a queue on disk.
type relay struct {
	testing.TB
	queue.Store
	*delivery.Scheduler
	delivered atomic.Int64 // recipients
	failed    atomic.Int64
	done      chan struct{} // closed when as many as wanted are delivered
	want      int64
	once      sync.Once
}

// Record counts.
func (r *relay) Record(e track.Event) {
	switch e.Kind {
	case track.Delivered:
		if r.delivered.Add(int64(len(e.To))) >= r.want {
			r.once.Do(func() { close(r.done) })
		}
	case track.Failed:
		r.failed.Add(int64(len(e.To)))
	}
}

// newRelay opens a queue and puts n messages of size bytes, each for one recipient at domain.
func newRelay(t testing.TB, n, size int, router delivery.Router) *relay {
	t.Helper()
	store, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	r := &relay{TB: t, Store: store, done: make(chan struct{}), want: int64(n)}
	r.Scheduler, err = delivery.New(delivery.Options{
		Store: store, Router: router, Recorder: r, Hostname: "gw.firma.example",
		Retry: delivery.Retry{Steps: []time.Duration{50 * time.Millisecond}},
	})
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]queue.New, n)
	for i := range entries {
		entries[i] = entry(t, router, i, size)
	}
	for len(entries) > 0 {
		k := min(500, len(entries))
		if err := store.Put(t.Context(), entries[:k]); err != nil {
			t.Fatal(err)
		}
		entries = entries[k:]
	}
	return r
}

func entry(t testing.TB, router delivery.Router, i, size int) queue.New {
	t.Helper()
	now := time.Now()
	to := mail.Address{Local: fmt.Sprintf("bob%d", i), Domain: "partner.example"}
	destination, err := router.Destination(to)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf("From: alice@firma.example\r\nSubject: message %d.\r\n\r\n", i) + strings.Repeat(strings.Repeat("x", 78)+"\r\n", size/80)
	id := mail.NewID(now)
	return queue.New{
		Envelope: mail.Envelope{
			ID: id, From: mail.Address{Local: "alice", Domain: "firma.example"}, Internal: true, Received: now,
			Recipients: []mail.Recipient{{Address: to, Notify: []string{"FAILURE"}}},
		},
		Destinations: []string{destination}, Content: report.Content(body), Origin: id, Due: now, Expires: now.Add(time.Hour),
	}
}

// run runs the scheduler until everything is delivered.
func (r *relay) run() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	select {
	case <-r.done:
	case <-ctx.Done():
		r.Errorf("%d of %d delivered", r.delivered.Load(), r.want)
	}
	cancel()
	wg.Wait()
}

func to(t testing.TB, addr string, concurrency int) delivery.Table {
	t.Helper()
	transport, err := smtpout.New(smtpout.Options{Hosts: []string{addr}, Hello: "gw.firma.example", TLS: smtpout.Security{Level: smtpout.None}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { transport.Close() })
	return table(t, delivery.Route{Name: "partner", Transport: transport, Concurrency: concurrency})
}

func table(t testing.TB, route delivery.Route) delivery.Table {
	t.Helper()
	all, err := mail.ParsePattern("*")
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Table{{Match: mail.Patterns{all}, Route: route}}
}

// From the queue on disk to smtp-sink: every message arrives, once, and the queue is empty.
func TestRelay(t *testing.T) {
	dir := smtptest.Dir(t)
	r := newRelay(t, 300, 4096, to(t, smtptest.Sink(t, "-d", dir+"/%M."), 0))
	r.run()
	all := strings.Join(smtptest.Dumps(t, dir, 300), "\n")
	for i := range 300 {
		if n := strings.Count(all, fmt.Sprintf("Subject: message %d.\n", i)); n != 1 {
			t.Errorf("message %d arrived %d times", i, n)
		}
	}
	if stats, err := r.Stats(t.Context()); err != nil || stats.Messages != 0 {
		t.Errorf("left in the queue: %+v %v", stats, err)
	}
}

// The next hop is away at first; then it refuses all for a while.
func TestRelayLater(t *testing.T) {
	addr := freeport.Address(t)
	var tries atomic.Int64
	route := to(t, addr, 0)[0].Route
	inner := route.Transport
	sink := sync.OnceValue(func() delivery.Transport {
		return to(t, smtptest.Sink(t), 0)[0].Route.Transport
	})
	route.Transport = transportFunc(func(ctx context.Context, a delivery.Attempt) []delivery.Result {
		if tries.Add(1) <= 20 {
			return inner.Deliver(ctx, a) // nobody listens
		}
		return sink().Deliver(ctx, a)
	})
	r := newRelay(t, 100, 1000, table(t, route))
	r.run()
	if r.failed.Load() != 0 {
		t.Errorf("%d failed", r.failed.Load())
	}
}

// What the next hop refuses comes back as a report, over the same queue.
func TestRelayReports(t *testing.T) {
	dir := smtptest.Dir(t)
	good := to(t, smtptest.Sink(t, "-d", dir+"/%M."), 0)
	bad := to(t, smtptest.Sink(t, "-f", "RCPT", "-B", "550 5.1.1 no such user"), 0)
	company, err := mail.ParsePattern("@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	good[0].Match, good[0].Route.Name = mail.Patterns{company}, "company"
	r := newRelay(t, 40, 1000, append(good, bad...))
	r.run() // until 40 reports are delivered
	if r.failed.Load() != 40 {
		t.Errorf("%d failed, want 40", r.failed.Load())
	}
	for _, dump := range smtptest.Dumps(t, dir, 40) {
		for _, want := range []string{"X-Mail-Args: <>", "X-Rcpt-Args: <alice@firma.example>", "Status: 5.1.1", "Diagnostic-Code: smtp; 550 5.1.1 no such user", "Subject: message "} {
			if !strings.Contains(dump, want) {
				t.Fatalf("a report lacks %q:\n%s", want, dump)
			}
		}
	}
}

type transportFunc func(context.Context, delivery.Attempt) []delivery.Result

// Deliver calls f.
func (f transportFunc) Deliver(ctx context.Context, a delivery.Attempt) []delivery.Result {
	return f(ctx, a)
}

// BenchmarkRelay delivers 4 KB messages from a queue on disk to smtp-sink, and has smtp-source send as many.
func BenchmarkRelay(b *testing.B) {
	addr := smtptest.Sink(b)
	const count = 5000
	for b.Loop() {
		b.StopTimer()
		r := newRelay(b, count, 4096, to(b, addr, 20))
		b.StartTimer()
		begin := time.Now()
		r.run()
		b.ReportMetric(count/time.Since(begin).Seconds(), "msg/s")
		b.StopTimer()
		took := smtptest.Source(b, addr, "-d", "-s", "20", "-l", "4096", "-m", fmt.Sprint(count))
		b.ReportMetric(count/took.Seconds(), "smtp-source-msg/s")
		b.StartTimer()
	}
}

// BenchmarkCycle is claim, attempt and settlement over a queue on disk, with a hop that costs nothing.
func BenchmarkCycle(b *testing.B) {
	taken := transportFunc(func(_ context.Context, a delivery.Attempt) []delivery.Result {
		return []delivery.Result{{Status: delivery.Delivered, Code: 250, Host: "mx:25", Remote: true}}
	})
	const count = 5000
	for b.Loop() {
		b.StopTimer()
		r := newRelay(b, count, 4096, table(b, delivery.Route{Name: "partner", Transport: taken, Concurrency: 20}))
		b.StartTimer()
		begin := time.Now()
		r.run()
		b.ReportMetric(count/time.Since(begin).Seconds(), "msg/s")
	}
}
