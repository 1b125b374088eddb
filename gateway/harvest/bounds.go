package harvest

import (
	"strings"
	"time"
)

const day = 24 * time.Hour

// bounds counts what strangers have us keep. What was counted is counted anew from what is kept once a day, and at the start.
type bounds struct {
	began time.Time
	t     Tally
	told  map[string]bool
}

// stale reports whether a day is over, or the clock was set back.
func (b *bounds) stale(now time.Time) bool {
	return b.began.IsZero() || now.Sub(b.began) >= day || now.Before(b.began)
}

// begin begins a day. What was added in the 24 hours before, as after a restart, counts for it.
func (b *bounds) begin(now time.Time, t Tally) {
	if !b.began.IsZero() { // the day is over: it counted itself
		t.New, t.Unknown, t.ByDomain = 0, 0, nil
	}
	if t.ByDomain == nil {
		t.ByDomain = map[string]int{}
	}
	b.began, b.t, b.told = now, t, map[string]bool{}
}

// full names the bound that so many new certificates would exceed; empty where there is room.
func (b *bounds) full(set Settings, domain string, fresh int, unknown bool) string {
	over := func(have, most int) bool { return most > 0 && have+fresh > most }
	switch {
	case over(b.t.ByDomain[domain], set.PerDomain):
		return "certificates.find.harvest.per_domain"
	case unknown && over(b.t.Unknown, set.UnknownPerDay):
		return "certificates.find.harvest.unknown_per_day"
	case unknown:
		return ""
	case over(b.t.New, set.PerDay):
		return "certificates.find.harvest.per_day"
	case over(b.t.All, set.Most):
		return "certificates.find.harvest.most"
	}
	return ""
}

// count counts what was added.
func (b *bounds) count(domain string, n int, unknown bool) {
	if n == 0 {
		return
	}
	if b.t.ByDomain == nil {
		b.t.ByDomain = map[string]int{}
	}
	b.t.ByDomain[strings.ToLower(domain)] += n
	if unknown {
		b.t.Unknown += n
		return
	}
	b.t.New, b.t.All = b.t.New+n, b.t.All+n
}

// tell reports whether a bound that was reached has not been told of today.
func (b *bounds) tell(what string) bool {
	first := !b.told[what]
	b.told[what] = true
	return first
}
