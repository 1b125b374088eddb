package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

const (
	// hastened is how many messages of a destination are made due at once when it answers again.
	hastened = 1000
	// farthest is the longest time to the next attempt that any configuration gives: a day and its spread. What is
	// put off further was put off by a clock that has since been set back.
	farthest = 27 * time.Hour
)

// hurry makes the next messages of a destination that was down due now. They come in portions, so that a destination
// that goes down again has not moved all that waits for it. It reports whether there may be more.
func (l *lane) hurry() (more bool) {
	n, err := l.s.hasten(l.name, 0, hastened)
	if err != nil {
		l.s.o.Log.WithField("destination", l.name).WithError(err).Warn("The messages for a destination that answers again wait for their time.")
	}
	if n > 0 {
		l.poke()
	}
	return n == hastened
}

// again makes due now what is settled and was put off to a time, where the destination has had news since there were so many of them: whoever
// made the others due had to leave alone what was being tried. It returns the time of the next attempt.
func (l *lane) again(h *hold, news int64, next time.Time) time.Time {
	if next.IsZero() || l.news.Load() == news {
		return next
	}
	now := l.s.o.Now()
	err := l.s.store(func(ctx context.Context) error {
		_, err := l.s.o.Store.Change(ctx, h.claim.Message.Envelope.ID, queue.Order{Only: h.claim.Due, From: []queue.State{queue.Queued}, Due: now})
		return err
	})
	switch {
	case err == nil:
		return now
	case !errors.Is(err, queue.ErrNotFound) && !errors.Is(err, queue.ErrLeased): // an operator was there before
		l.s.o.Log.WithField("id", h.claim.Message.Envelope.ID).WithError(err).Warn("A message that should be tried again at once waits for its time.")
	}
	return next
}

// hasten makes messages due now that are put off for longer than a time.
func (s *Scheduler) hasten(destination string, than time.Duration, limit int) (n int, err error) {
	err = s.store(func(ctx context.Context) (err error) {
		now := s.o.Now()
		n, err = s.o.Store.Hasten(ctx, destination, now.Add(than), now, limit)
		return err
	})
	return n, err
}

// catchUp tries what is put off too far, as after the clock was set back: all that waits where that was just noticed.
func (s *Scheduler) catchUp(list []queue.Due, back bool) {
	const most = 100 // portions at once
	than, now := farthest, s.o.Now()
	if back {
		than = 0
	}
	for _, d := range list {
		sum, portions := 0, 0
		for ; (back || d.At.Sub(now) > than) && portions < most; portions++ {
			n, err := s.hasten(d.Destination, than, hastened)
			if err != nil {
				s.o.Log.WithField("destination", d.Destination).WithError(err).Error("Messages wait for a time that is far away, since the clock was set back.")
			}
			if sum += n; n < hastened {
				break
			}
		}
		if sum > 0 {
			s.o.Log.WithField("destination", d.Destination).Warnf("The clock was set back: %d messages are tried now, not when it has caught up.", sum)
			s.TryAgain(d.Destination)
		}
	}
}
