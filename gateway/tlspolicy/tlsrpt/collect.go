package tlsrpt

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Noter is what delivery needs of a [Collector].
type Noter interface {
	// Note counts an outcome. It does not wait and does not fail.
	Note(Outcome)
}

var _ Noter = (*Collector)(nil)

// Collector counts outcomes. A nil one counts nothing. Its methods may be called at once.
type Collector struct {
	now      func() time.Time
	outcomes *prometheus.CounterVec
	lost     atomic.Uint64
	full     chan struct{} // there is much that is not written

	mu     sync.Mutex
	on     bool             // whether anybody is told
	ends   []netip.Addr     // ours, as the internet sees them
	fresh  map[place]*Tally // not yet written
	weight int              // of fresh
}

// place is what is counted together.
type place struct {
	day    Day
	domain string
}

// The bounds of what is counted between two writes.
const (
	maxFresh  = 10_000   // domains
	maxWeight = 16 << 20 // bytes, about
)

// NewCollector makes a Collector that counts by the days of now; nil: time.Now.
func NewCollector(now func() time.Time) *Collector {
	if now == nil {
		now = time.Now
	}
	return &Collector{
		now: now, on: true, fresh: map[place]*Tally{}, full: make(chan struct{}, 1),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_tls_outcomes_total", Help: "Outgoing sessions by the policy of the other end and what came of it.",
		}, []string{"policy", "result"}),
	}
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
	c.outcomes.WithLabelValues(string(o.Policy.Type), o.Result.label()).Inc()
	at := place{DayOf(c.now()), o.Domain}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on {
		return
	}
	o.seenFrom(c.ends)
	t := c.fresh[at]
	if t == nil {
		t = new(Tally)
	}
	c.keep(at, t, 1, func() uint64 {
		if t.add(o) {
			return 0
		}
		return 1
	})
}

// keep adds to the tally of a place, where there is room. c.mu is held.
func (c *Collector) keep(at place, t *Tally, sessions uint64, add func() (lost uint64)) {
	if _, known := c.fresh[at]; !known && len(c.fresh) >= maxFresh || c.weight >= maxWeight {
		c.lost.Add(sessions)
		return
	}
	before := t.weight()
	if _, known := c.fresh[at]; !known {
		before = -len(at.domain)
	}
	c.lost.Add(add())
	c.fresh[at] = t
	c.weight += t.weight() - before
	if len(c.fresh) > maxFresh/2 || c.weight > maxWeight/2 {
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
}

// set says whether anybody is told, and how the internet sees our ends of connections. Where nobody is, outcomes are only counted for the metrics.
func (c *Collector) set(on bool, ends []netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on, c.ends = on, ends
}

// take returns what was counted since the last take.
func (c *Collector) take() map[place]*Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.fresh
	c.fresh, c.weight = map[place]*Tally{}, 0
	return fresh
}

// putBack counts again what could not be written.
func (c *Collector) putBack(back map[place]*Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, t := range back {
		have := c.fresh[at]
		if have == nil {
			have = new(Tally)
		}
		c.keep(at, have, t.sessions(), func() uint64 { return have.merge(t) })
	}
}

// label is a result as metrics have it.
func (r Result) label() string {
	if r == Success {
		return "success"
	}
	for _, known := range Results() {
		if r == known {
			return string(r)
		}
	}
	return string(Failed)
}
