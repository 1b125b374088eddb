package inbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/siegel-mail/siegel/connectors"
)

// Status is how fetching fares.
type Status struct {
	Tried    time.Time // when it was last begun
	Last     time.Time // when everything was last fetched that could be; zero: never, since the gateway was started
	Failures int       // in a row, since then
	Err      error     // of the last failure
	Left     int       // messages that were left with the provider the last time
	Why      string    // why, of one of them
	Taken    int64     // messages that were taken in since the start

	failing time.Time // since when it fails
}

// Status tells how fetching fares.
func (i *Inbox) Status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.status
}

// Account is the name of the account.
func (i *Inbox) Account() string { return i.o.Account }

// Check returns nil where everything is fetched, and else what is not, and why. Where it is the provider that does not answer, whoever watches its
// connection says so.
func (i *Inbox) Check() error {
	s := i.Status()
	switch {
	case s.Failures > 0 && connectors.Class(s.Err) == nil:
		return fmt.Errorf("nothing was fetched since %s: %w", s.failing.Format(time.RFC3339), s.Err)
	case s.Left > 0:
		return fmt.Errorf("%d messages were left with the provider; of one: %s", s.Left, s.Why)
	}
	return nil
}

// Run fetches, at once and then by the schedule, until ctx ends. It returns nil.
func (i *Inbox) Run(ctx context.Context) error {
	for {
		err := i.Fetch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		timer := time.NewTimer(i.wait(err))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// How long to wait after failures: from the first to the most, and twice as long each time; and the longest that a provider may ask for.
const firstPause, mostPause, longestPause = time.Minute, time.Hour, 12 * time.Hour

// jitter spreads waits by up to this share in both directions, so that gateways that failed together do not come together.
const jitter = 0.1

// wait is how long to wait after a fetch.
func (i *Inbox) wait(err error) time.Duration {
	s := i.Status()
	d := i.o.Every
	if err != nil {
		first, most := min(firstPause, i.o.Every), max(mostPause, i.o.Every)
		d = first
		for n := 1; n < s.Failures && d < most; n++ {
			d *= 2
		}
		d = min(d, most)
		if e, ok := errors.AsType[*connectors.Error](err); ok { // the provider says when it wants to be asked again
			d = max(d, min(e.After, longestPause))
		}
	}
	return d + time.Duration((2*rand.Float64()-1)*jitter*float64(d))
}

// Fetch takes in everything that lies in the account, once, and asks what became of what is in doubt. The error is that of the provider, of
// the record or of the queue: then what was not taken in lies there still.
func (i *Inbox) Fetch(ctx context.Context) error {
	i.fetching.Lock()
	defer i.fetching.Unlock()
	if i.o.Never {
		i.afterwards(ctx)
		return nil
	}
	r := &round{i: i, began: i.o.Now()}
	err := i.fetch(ctx, r)
	if ctx.Err() != nil {
		return err // it was stopped, which says nothing
	}
	i.ended(ctx, r, err)
	i.afterwards(ctx)
	return err
}

// afterwards looks after what was sent: what is in doubt, and what is missed.
func (i *Inbox) afterwards(ctx context.Context) {
	log := i.o.Log.WithField("account", i.o.Account)
	if i.o.Reconcile != nil {
		if e := i.o.Reconcile(ctx); e != nil && ctx.Err() == nil {
			log.WithError(e).Warn("What became of De-Mail that is in doubt cannot be asked at present.")
		}
	}
	if e := i.overdue(ctx); e != nil && ctx.Err() == nil {
		log.WithError(e).Warn("Nobody can be told at present of confirmations of De-Mail that are missing.")
	}
}

// round is one Fetch.
type round struct {
	i     *Inbox
	began time.Time
	taken int64
	left  int
	why   string
}

func (i *Inbox) fetch(ctx context.Context, r *round) error {
	if err := i.o.Record.Check(); err != nil { // nothing is asked for that cannot be kept
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return i.o.Provider.Fetch(ctx, r.handle)
}

// ended notes how a round ended, and tells whom it concerns.
func (i *Inbox) ended(ctx context.Context, r *round, err error) {
	log := i.o.Log.WithField("account", i.o.Account)
	i.mu.Lock()
	before := i.status
	s := &i.status
	s.Tried, s.Left, s.Why, s.Taken = r.began, r.left, r.why, s.Taken+r.taken
	if err == nil {
		s.Last, s.Failures, s.Err = i.o.Now(), 0, nil
	} else {
		if s.Failures == 0 {
			s.failing = r.began
		}
		s.Failures, s.Err = s.Failures+1, err
	}
	now := *s
	i.mu.Unlock()
	switch {
	case err == nil && before.Failures > 0:
		log.Info("De-Mail is fetched again.")
		i.forget(aboutAway)
	case err == nil:
	case connectors.Class(err) == connectors.ErrLogin: // who guards the logins tells of it
	default:
		log.WithError(err).Warn("De-Mail cannot be fetched at present.")
		if i.o.Now().Sub(now.failing) >= awayAfter {
			i.alarm(ctx, aboutAway, i.awayAlarm(now.failing, err))
		}
	}
}

// awayAfter is how long a provider may be away until the administrators are told by mail.
const awayAfter = 2 * time.Hour
