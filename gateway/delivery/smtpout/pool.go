package smtpout

import (
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// conn is a connection with what the pool knows about it.
type conn struct {
	*smtpclient.Client
	hop        hop
	protection string // "TLS1.3 …", for the record
	used       int    // messages sent
	timer      *time.Timer
}

// hop is one place to deliver to, and what it must give.
type hop struct {
	name   string // of the host, without port
	addr   string // that is dialled
	label  string // name and port, for the record
	demand *demand
	key    string // of the demand
}

// place is what connections are kept by: what was made for less must not serve more.
type place struct{ name, addr, demand string }

func (h hop) place() place { return place{h.name, h.addr, h.key} }

// pool keeps unused connections, the last used first, and remembers hops that could not be reached.
type pool struct {
	o        Options
	sessions tls.ClientSessionCache
	mu       sync.Mutex
	idle     map[place][]*conn
	kept     int                 // connections in idle
	bad      map[place]time.Time // until when a hop is tried last
	trouble  map[place]trouble   // without an address: hosts that do not meet a demand
	closed   bool
}

// sort parts hops into those to try and those that could not be reached a moment ago.
func (p *pool) sort(hops []hop) (good, bad []hop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bad) == 0 {
		return hops, nil
	}
	now := p.o.Now()
	for _, h := range hops {
		if p.bad[h.place()].After(now) {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return good, bad
}

// note remembers whether a hop could be reached, and forgets what is long past. p.mu is held.
func (p *pool) note(h hop, reached bool) {
	const many = 1000
	if reached {
		delete(p.bad, h.place())
		p.met(h)
		return
	}
	now := p.o.Now()
	if len(p.bad) >= many {
		maps.DeleteFunc(p.bad, func(_ place, until time.Time) bool { return !until.After(now) })
	}
	p.bad[h.place()] = now.Add(p.o.Penalty)
}

// take takes an unused connection to a hop; nil where there is none, or where the hop must not be talked to.
func (p *pool) take(h hop) *conn {
	if h.demand.refused != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := h.place()
	for list := p.idle[at]; len(list) > 0; list = p.idle[at] {
		c := list[len(list)-1]
		p.set(at, list[:len(list)-1])
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

// set replaces the unused connections to a hop. p.mu is held.
func (p *pool) set(at place, list []*conn) {
	p.kept += len(list) - len(p.idle[at])
	if len(list) == 0 {
		delete(p.idle, at)
		return
	}
	p.idle[at] = list
}

// dial makes a connection, and says how its TLS fared.
func (p *pool) dial(ctx context.Context, h hop) (*conn, error) {
	s := session{o: &p.o, d: h.demand, cache: p.sessions}
	if h.demand.refused != nil {
		for _, o := range h.demand.early {
			p.o.note(o)
		}
		return nil, p.hindered(h, h.demand.refused)
	}
	client, err := smtpclient.Dial(ctx, h.addr, s.options())
	if isOurs(err) {
		return nil, err
	}
	if ctx.Err() == nil {
		s.report(client, err)
	}
	if err != nil && ctx.Err() == nil && stage(err) == smtpclient.StageTLS {
		err = p.hindered(h, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			p.note(h, false)
		}
		return nil, err
	}
	p.note(h, true)
	return &conn{Client: client, hop: h, protection: s.protection()}, nil
}

// put keeps a connection for the next message, or closes it.
func (p *pool) put(c *conn) {
	if !c.Usable() {
		return
	}
	p.mu.Lock()
	at := c.hop.place()
	list := p.idle[at]
	keep := !p.closed && p.o.Idle > 0 && c.used < p.o.PerConn && len(list) < p.o.MaxIdle && p.kept < p.o.AllIdle
	if keep {
		c.timer = time.AfterFunc(p.o.Idle, func() { p.expire(c) })
		p.set(at, append(list, c))
	}
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// expire closes a connection that nobody wanted.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	at := c.hop.place()
	list := p.idle[at]
	if i := slices.Index(list, c); i >= 0 {
		p.set(at, slices.Delete(slices.Clone(list), i, i+1))
	}
	p.mu.Unlock()
	c.Close()
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	var all []*conn
	for at, list := range p.idle {
		for _, c := range list {
			if c.timer.Stop() {
				all = append(all, c)
			}
		}
		p.set(at, nil)
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}
