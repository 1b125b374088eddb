package tlsrpt

import (
	"sync"
	"sync/atomic"
	"time"
)

// Noter is what delivery needs of a [Collector].
type Noter interface {
	// Note counts an outcome. It does not wait and does not fail.
	Note(Outcome)
}

var _ Noter = (*Collector)(nil)

// Collector counts outcomes. A nil one counts nothing. Its methods may be called at once.
type Collector struct {
	now func() time.Time

	mu      sync.Mutex
	fresh   map[place]*Tally // not yet written
	lost    atomic.Uint64
	noticed atomic.Uint64
}

// place is what is counted together.
type place struct {
	day    Day
	domain string
}

// maxFresh is how many domains are counted between two writes.
const maxFresh = 10_000

// NewCollector makes a Collector that counts by the days of now; nil: time.Now.
func NewCollector(now func() time.Time) *Collector {
	if now == nil {
		now = time.Now
	}
	return &Collector{now: now, fresh: map[place]*Tally{}}
}

// Note counts an outcome. It does not wait for anything but memory, and keeps nothing of o. What finds no room is dropped and
// counted.
func (c *Collector) Note(o Outcome) {
	if c == nil {
		return
	}
	o, ok := o.bound()
	if !ok {
		return
	}
	at := place{DayOf(c.now()), o.Domain}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.fresh[at]
	if t == nil {
		if len(c.fresh) >= maxFresh {
			c.lost.Add(1)
			return
		}
		t = new(Tally)
		c.fresh[at] = t
	}
	c.noticed.Add(1)
	if !t.add(o) {
		c.lost.Add(1)
	}
}

// take returns what was counted since the last take.
func (c *Collector) take() map[place]*Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.fresh
	c.fresh = map[place]*Tally{}
	return fresh
}

// putBack counts again what could not be written.
func (c *Collector) putBack(back map[place]*Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, t := range back {
		switch have := c.fresh[at]; {
		case have != nil:
			c.lost.Add(have.merge(t))
		case len(c.fresh) < maxFresh:
			c.fresh[at] = t
		default:
			c.lost.Add(t.sessions())
		}
	}
}

// Lost is how many outcomes found no room since the start.
func (c *Collector) Lost() uint64 { return c.lost.Load() }
