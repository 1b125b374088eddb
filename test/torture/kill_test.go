package torture

import (
	"context"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/test/stand"
)

// grace is what the gateway gives the attempts that are on their way at a stop (delivery.Options.Grace).
const grace = 5 * time.Second

// TestKilled kills the gateway again and again while mail flows: what was answered with 250 comes, whole and
// protected; nothing else comes that was not sent whole; what comes twice was on its way at a kill; nothing
// is left lying. A kill of the process shows what the gateway wrote before it answered, and in which order.
// That it was synced does not show here, since what was written outlives a process: see TestFailingDisk.
func TestKilled(t *testing.T) {
	w := newWorld(t)
	stop := w.pour()
	orphans := 0
	for range rounds(t, 8) {
		g := w.launch()
		w.letLive(g)
		g.Kill()
		w.readable()
		orphans += w.kept("queue/content") + w.kept("spool")
		if t.Failed() {
			return
		}
	}
	d := w.end(stop, unanswered)
	t.Logf("%d files lay there after the kills", orphans)
	for life, n := range d.unsettled {
		if n > inFlight {
			t.Errorf("life %d: %d messages came again after it, more than can have been on their way", life, n)
		}
	}
}

// TestStopped ends the gateway by SIGTERM instead. A stop finishes or hands back what is on its way: what
// the next hop took does not come again, and who got no 250 can be sure that nothing comes of it, unless the
// connection broke.
func TestStopped(t *testing.T) {
	w := newWorld(t)
	stop := w.pour()
	long := map[int]bool{} // lives whose stop took longer than the attempts were given
	for range rounds(t, 8) {
		g := w.launch()
		if err := g.Listening(within(t, patience, "listening")); err != nil {
			t.Fatal(err)
		}
		if w.dice.percent(75) {
			w.accept(t.Context(), w.dice.below(150))
		}
		begun := time.Now()
		if err := g.Stop(within(t, patience, "the stop")); err != nil {
			t.Fatal(err)
		}
		long[w.life] = time.Since(begun) > grace
		if n := w.kept("spool"); n > 0 {
			t.Errorf("%d scratch files are left after a stop", n)
		}
	}
	for life, n := range w.end(stop, unanswered).unsettled {
		if !long[life] {
			t.Errorf("life %d: %d messages came again though it was stopped in order", life, n)
		}
	}
}

// end lets a last life deliver what is left, and judges.
func (w *world) end(stop func(), mayArrive ...fate) doubles {
	w.t.Helper()
	g := w.launch()
	if err := g.Listening(within(w.t, patience, "the last life")); err != nil {
		w.t.Fatal(err)
	}
	stop()
	w.settle(g)
	d := w.judge(mayArrive...)
	if err := g.Stop(within(w.t, patience, "the stop")); err != nil {
		w.t.Error(err)
	}
	return d
}

// letLive waits until a random number of messages was accepted in this life, and a little more: one life in
// four does not get to listen.
func (w *world) letLive(g *stand.Gateway) {
	w.t.Helper()
	ctx := within(w.t, patience, "listening")
	if w.dice.percent(25) {
		pause(ctx, w.dice.upTo(100*time.Millisecond))
		return
	}
	if err := g.Listening(ctx); err != nil {
		w.t.Fatal(err)
	}
	w.accept(ctx, w.dice.below(150))
	pause(ctx, w.dice.upTo(50*time.Millisecond))
}

// accept waits until so many more messages were accepted, for a few seconds at most: clients may be waiting
// for the next hop.
func (w *world) accept(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	w.book.until(ctx, func() bool { return w.book.accepted >= n }, func() { n += w.book.accepted })
}
