package delivery

import (
	"math/rand/v2"
	"time"
)

// Retry is when to try again. The zero Retry has no steps.
type Retry struct {
	// Steps are the waits after the first, second, … attempt; the last one repeats until the message expires.
	Steps []time.Duration
	// Jitter spreads each wait by up to this share of it in both directions, so that what failed together
	// is not tried together again: 0.1 is ten percent.
	Jitter float64
}

// DefaultRetry waits 1, 5, 15 and 30 minutes and then an hour, and from the ninth attempt three hours.
func DefaultRetry() Retry {
	return Retry{
		Steps: []time.Duration{
			time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
			time.Hour, time.Hour, time.Hour, time.Hour, 3 * time.Hour,
		},
		Jitter: 0.1,
	}
}

// protectRetry is quick at first, since a card is soon back in its reader.
func protectRetry() Retry {
	return Retry{
		Steps: []time.Duration{
			5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		},
		Jitter: 0.1,
	}
}

// Wait is the time until the next attempt after the given number of them.
func (r Retry) Wait(attempts int) time.Duration {
	if len(r.Steps) == 0 {
		r = DefaultRetry()
	}
	wait := r.Steps[min(max(attempts-1, 0), len(r.Steps)-1)]
	return wait + time.Duration((2*rand.Float64()-1)*r.Jitter*float64(wait))
}
