package smtpin

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// crowd is who is connected to one listener. It is guarded by the server's mutex.
type crowd struct {
	open    int
	clients map[netip.Prefix]int // of each client, and of each /48
}

func newCrowd() *crowd { return &crowd{clients: map[netip.Prefix]int{}} }

// enter counts a connection, and reports why it may not come in where that is so.
func (w *crowd) enter(c client, limits *Limits) error {
	if !limits.exempts(c) {
		switch {
		case w.clients[c.network] >= limits.PerClient,
			c.wide.IsValid() && w.clients[c.wide] >= wider*limits.PerClient:
			return errNetworkFull
		case w.open >= limits.Connections:
			return errFull
		}
	}
	w.count(c, 1)
	return nil
}

func (w *crowd) count(c client, n int) {
	w.open += n
	for _, network := range []netip.Prefix{c.network, c.wide} {
		if w.clients[network] += n; w.clients[network] <= 0 || !network.IsValid() {
			delete(w.clients, network)
		}
	}
}

// pace is what others may see of how a door gets on. Times are in nanoseconds since 1970; zero: not so now.
type pace struct {
	silent  atomic.Int64 // since when a command is waited for
	moving  atomic.Int64 // since when a message comes in
	size    atomic.Int64 // of what came of it
	evicted atomic.Bool  // it is to end, to make room
}

// Who may be asked to leave a full listener: who has said nothing for a while, or sends as slowly as nobody
// does who means it.
const (
	patience  = 10 * time.Second
	longer    = 30 * time.Second
	snailPace = 8 << 10 // bytes a second
)

// burden is how much a door is in the way: the time for which nothing came, or in which what came could have come
// many times over. Zero is not at all.
func (p *pace) burden(now time.Time) time.Duration {
	if since := p.silent.Load(); since != 0 {
		if d := now.Sub(time.Unix(0, since)); d >= patience {
			return d
		}
	}
	if since := p.moving.Load(); since != 0 {
		d := now.Sub(time.Unix(0, since))
		if d >= longer && p.size.Load() < int64(d.Seconds())*snailPace {
			return d - time.Duration(float64(p.size.Load())/snailPace*float64(time.Second))
		}
	}
	return 0
}

// makeRoom ends the connection to a listener that is most in the way, and reports whether there was one. Its
// place is free at once; it hears 421 and ends in its own time. The server's mutex is held.
func (s *Server) makeRoom(l *site) bool {
	var worst *door
	var most time.Duration
	now := time.Now()
	for d := range s.doors {
		if d.site.Name != l.Name || d.pace.evicted.Load() || d.site.limits.exempts(d.client) {
			continue
		}
		if b := d.pace.burden(now); b > most {
			worst, most = d, b
		}
	}
	if worst == nil {
		return false
	}
	worst.pace.evicted.Store(true)
	s.crowds[l.Name].count(worst.client, -1)
	worst.interrupt()
	return true
}
