package delivery

import (
	"sync"
	"time"
)

const (
	// leap is by how much the time of day must differ from the time that went by to count as set anew.
	leap = 5 * time.Minute
	// maxLeaps bounds how many of them are remembered.
	maxLeaps = 100
)

// clock notices that the time of day was set, or that the machine slept: it compares the time of day with the time
// that this process has seen go by. What waited then is not out of time because of that.
type clock struct {
	now func() time.Time

	mu    sync.Mutex
	wall  time.Time // the time of day at the last look
	seen  time.Time // the same moment as the process counts it
	leaps []leapt
	back  bool // it was set back, and nobody asked yet
}

// leapt is a change of the time of day.
type leapt struct {
	at time.Time // the time of day before it
	by time.Duration
}

// look is the time of day.
func (c *clock) look() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, seen := c.now(), time.Now()
	if !c.seen.IsZero() {
		by := now.Round(0).Sub(c.wall) - seen.Sub(c.seen)
		if by >= leap || by <= -leap {
			c.leaps = append(c.leaps, leapt{c.wall, by})
			c.leaps = c.leaps[max(len(c.leaps)-maxLeaps, 0):]
			c.back = c.back || by < 0
		}
	}
	c.wall, c.seen = now.Round(0), seen
	return now
}

// wentBack reports, once, that the time of day was set back.
func (c *clock) wentBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.back
	c.back = false
	return back
}

// shift is by how much the end of what was received at a time is to be moved, so that it has its full time. A step
// back counts only for what was received before the time to which it led; for the rest it only puts off the end.
// What may have been received after a change is not moved by it.
func (c *clock) shift(received time.Time) (by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.wall // of the time of day that the change led to
	for i := len(c.leaps) - 1; i >= 0; i-- {
		l := c.leaps[i]
		if from := l.at.Add(l.by - time.Second); !received.Before(from) && !received.After(until.Add(leap)) {
			break
		}
		before := l.at
		if l.by < 0 {
			before = before.Add(l.by)
		}
		if !received.After(before) {
			by += l.by
		}
		until = l.at
	}
	return by
}
