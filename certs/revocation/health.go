package revocation

import "sync/atomic"

// counts are what happened since the start.
type counts struct {
	cached, late, got, lost      atomic.Int64
	good, bad, untold, unaskable atomic.Int64
}

func (c *counts) count(v verdict) {
	switch v.state {
	case good:
		c.good.Add(1)
	case revoked:
		c.bad.Add(1)
	case nowhere:
		c.unaskable.Add(1)
	default:
		c.untold.Add(1)
	}
}

func (c *counts) fetched(err error) {
	if err != nil {
		c.lost.Add(1)
		return
	}
	c.got.Add(1)
}

// Stats are the figures of a Checker.
type Stats struct {
	Good, Revoked, Unknown, Nowhere int64 // certificates that were judged: nobody could tell; nobody is to be asked
	Cached, Fetched, Failed, Late   int64 // answers that were known; fetches; fetches that failed; judgements that did not wait any longer
	Failing                         int   // sources that failed the last time they were asked
	Kept                            int   // answers and lists in memory
	Bytes                           int64 // of these
}

// Stats returns the figures.
func (c *Checker) Stats() Stats {
	n, size := c.memory.figures()
	return Stats{
		Good: c.counts.good.Load(), Revoked: c.counts.bad.Load(), Unknown: c.counts.untold.Load(), Nowhere: c.counts.unaskable.Load(),
		Cached: c.counts.cached.Load(), Fetched: c.counts.got.Load(), Failed: c.counts.lost.Load(), Late: c.counts.late.Load(),
		Failing: c.sources.count(), Kept: n, Bytes: size,
	}
}

// Check names the sources that failed the last time they were asked, and since when; nil where none did.
func (c *Checker) Check() error { return c.sources.fault() }
