package addin

import (
	"crypto/rand"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// The bounds of what a limiter keeps, however many ask.
const (
	maxAskers = 50_000
	maxAsked  = 1 << 20 // recipients that are kept of all askers together
)

// limiter bounds how often somebody asks, and about how many recipients. It keeps no address: what it counts by are keyed hashes.
type limiter struct {
	perMinute int
	perHour   int
	seed      maphash.Seed

	mu     sync.Mutex
	askers map[uint64]*asker
	kept   int // recipients, of all of them
	swept  time.Time
}

// asker is one of those who ask.
type asker struct {
	tokens float64 // of a bucket that holds those of a minute
	at     time.Time
	hour   time.Time // when the hour of recipients began
	asked  map[uint64]struct{}
	told   bool // that it was too many in this hour
}

func newLimiter(perMinute, perHour int) *limiter {
	return &limiter{perMinute: perMinute, perHour: perHour, seed: maphash.MakeSeed(), askers: map[uint64]*asker{}}
}

// enter takes one question of who. It returns how long to wait where there was one too many.
func (l *limiter) enter(who string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asker(who, now)
	if a == nil {
		return time.Minute
	}
	most, rate := float64(l.perMinute), float64(l.perMinute)/time.Minute.Seconds()
	if since := now.Sub(a.at); since > 0 {
		a.tokens = min(most, a.tokens+rate*since.Seconds())
	}
	a.at = now
	if a.tokens < 1 {
		return time.Duration((1 - a.tokens) / rate * float64(time.Second))
	}
	a.tokens--
	return 0
}

// ask takes recipients that who asks about. It returns how long to wait where there were too many different ones within the hour, and whether that is new. All are taken
// or none.
func (l *limiter) ask(who string, recipients []string, now time.Time) (wait time.Duration, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asker(who, now)
	if a == nil {
		return time.Minute, false
	}
	if now.Sub(a.hour) >= time.Hour || now.Before(a.hour) {
		l.kept -= len(a.asked)
		a.hour, a.asked, a.told = now, map[uint64]struct{}{}, false
	}
	fresh := map[uint64]struct{}{}
	for _, r := range recipients {
		if h := l.hash(r); !has(a.asked, h) {
			fresh[h] = struct{}{}
		}
	}
	if len(a.asked)+len(fresh) > l.perHour || l.kept+len(fresh) > maxAsked {
		first, a.told = !a.told, true
		return a.hour.Add(time.Hour).Sub(now), first
	}
	for h := range fresh {
		a.asked[h] = struct{}{}
	}
	l.kept += len(fresh)
	return 0, false
}

func has(m map[uint64]struct{}, h uint64) bool {
	_, ok := m[h]
	return ok
}

func (l *limiter) hash(s string) uint64 { return maphash.String(l.seed, s) }

// asker is what is kept of who; nil where there are too many others. l.mu is held.
func (l *limiter) asker(who string, now time.Time) *asker {
	h := l.hash(who)
	if a := l.askers[h]; a != nil {
		return a
	}
	if len(l.askers) >= maxAskers {
		l.sweep(now)
	}
	if len(l.askers) >= maxAskers {
		return nil
	}
	a := &asker{tokens: float64(l.perMinute), at: now, hour: now, asked: map[uint64]struct{}{}}
	l.askers[h] = a
	return a
}

// sweep forgets those of whom nothing counts any more, at most once a minute. l.mu is held.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute && !now.Before(l.swept) {
		return
	}
	l.swept = now
	for h, a := range l.askers {
		if now.Sub(a.hour) >= time.Hour && now.Sub(a.at) >= time.Minute {
			l.kept -= len(a.asked)
			delete(l.askers, h)
		}
	}
}

// network is what counts as one address: an IPv4 address, or an IPv6 network of 64 bits.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// reference is a short random name for a fault, by which the log tells what a user met.
func reference() string { return rand.Text()[:8] }
