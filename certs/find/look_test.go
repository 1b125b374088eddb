package find_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/find"
)

func (b *bench) look() (*x509.Certificate, error) {
	return b.Look().Recipient(b.Context(), bob, time.Now())
}

// Who only looks gets the answer that mail would get at this moment, and nothing is kept or remembered of it.
func TestLook(t *testing.T) {
	w := world()
	s := has("s", w.old, w.fresh)
	run(t, nil, func(b *bench) {
		for range 2 {
			if got, err := b.look(); err != nil || !got.Equal(w.fresh) {
				t.Fatalf("%v, %v", got, err)
			}
		}
		if s.asked.Load() != 2 || len(b.kept) > 0 {
			t.Errorf("asked %d times, kept %q", s.asked.Load(), b.kept)
		}
		b.want("mail", w.fresh)
		if s.asked.Load() != 3 || len(b.kept) != 1 {
			t.Errorf("mail after it: asked %d times, kept %q", s.asked.Load(), b.kept)
		}
		if got, err := b.look(); err != nil || !got.Equal(w.fresh) || s.asked.Load() != 3 {
			t.Errorf("what is remembered counts: %v, %v, asked %d times", got, err, s.asked.Load())
		}
		b.own.set(w.deep, nil)
		time.Sleep(48 * time.Hour)
		if got, err := b.look(); err != nil || !got.Equal(w.deep) || s.asked.Load() != 3 {
			t.Errorf("what the gateway has itself: %v, %v, asked %d times", got, err, s.asked.Load())
		}
	}, s)
}

// It waits for what is under way, for its own context, and not after the end.
func TestLookWaits(t *testing.T) {
	w := world()
	var answer chan struct{}
	s := &source{name: "s", reply: func(ctx context.Context, _ string) ([]*x509.Certificate, error) {
		select {
		case <-answer:
			return []*x509.Certificate{w.fresh}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	run(t, nil, func(b *bench) {
		answer = make(chan struct{})
		mail := make(chan error, 1)
		go func() {
			_, err := b.ask(bob)
			mail <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		defer cancel()
		if _, err := b.Look().Recipient(ctx, bob, time.Now()); !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("after its time: %v", err)
		}
		looked := make(chan error, 1)
		go func() {
			_, err := b.look()
			looked <- err
		}()
		synctest.Wait()
		close(answer)
		if err := errors.Join(<-mail, <-looked); err != nil || s.asked.Load() != 1 {
			t.Errorf("%v, asked %d times", err, s.asked.Load())
		}
		b.Close()
		b.own.set(nil, certs.ErrNotFound)
		b.Forget("partner.example")
		if _, err := b.look(); !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	}, s)
	run(t, nil, func(b *bench) {
		if _, err := b.look(); !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("a source that is down: %v", err)
		}
	}, down("s"))
}

var _ certs.Finder = (*find.Finder)(nil).Look()
