package find

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// look is a Finder that leaves no trace.
type look struct{ *Finder }

// Look returns what answers as f does at the same moment, and leaves no trace: what the sources have is neither kept nor remembered. It is for who
// wants to know what would become of mail, and is as safe for concurrent use as f.
func (f *Finder) Look() certs.Finder { return look{f} }

// Recipient implements certs.Finder.
func (l look) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	return l.recipient(ctx, address, now, func(string, time.Time) {}, l.answer)
}

// answer is what is remembered, else what a look-up that is under way finds, else what the sources say to this one.
func (l look) answer(ctx context.Context, key string, now time.Time) (answer, error) {
	l.mu.Lock()
	a, ok := l.answers.peek(key)
	w := l.flights[key]
	if (!ok || !a.holds(now)) && w == nil && !l.closed {
		w = l.glance(key, now, a)
	}
	l.mu.Unlock()
	switch {
	case ok && a.holds(now):
		return a, nil
	case w == nil:
		return answer{away: &certs.UnavailableError{Err: errClosed}}, nil
	}
	return w.wait(ctx)
}

// glance begins a look-up that nobody else hears of. before is what is remembered. The mutex is held.
func (l look) glance(key string, now time.Time, before answer) *flight {
	w := &flight{done: make(chan struct{})}
	l.wg.Go(func() {
		if w.answer, _ = l.ask(key, now); w.answer.away != nil && w.answer.certs == nil {
			w.answer.certs = before.certs
		}
		close(w.done)
	})
	return w
}
