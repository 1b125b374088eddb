package smtpout

import (
	"context"
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

// hop is one place to deliver to.
type hop struct {
	name  string // of the host, without port
	addr  string // that is dialled
	label string // name and port, for the record
}

// pool keeps unused connections, the last used first, and remembers hops that could not be reached.
type pool struct {
	o      Options
	mu     sync.Mutex
	idle   map[hop][]*conn
	kept   int               // connections in idle
	bad    map[hop]time.Time // until when a hop is tried last
	closed bool
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
		if p.bad[h].After(now) {
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
		delete(p.bad, h)
		return
	}
	now := p.o.Now()
	if len(p.bad) >= many {
		maps.DeleteFunc(p.bad, func(_ hop, until time.Time) bool { return !until.After(now) })
	}
	p.bad[h] = now.Add(p.o.Penalty)
}

// take takes an unused connection to a hop; nil where there is none.
func (p *pool) take(h hop) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for list := p.idle[h]; len(list) > 0; list = p.idle[h] {
		c := list[len(list)-1]
		p.set(h, list[:len(list)-1])
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

// set replaces the unused connections to a hop. p.mu is held.
func (p *pool) set(h hop, list []*conn) {
	p.kept += len(list) - len(p.idle[h])
	if len(list) == 0 {
		delete(p.idle, h)
		return
	}
	p.idle[h] = list
}

// dial makes a connection.
func (p *pool) dial(ctx context.Context, h hop) (*conn, error) {
	client, err := smtpclient.Dial(ctx, h.addr, p.o.client(h))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			p.note(h, false)
		}
		return nil, err
	}
	p.note(h, true)
	return &conn{Client: client, hop: h, protection: describe(client.TLS(), p.o.TLS)}, nil
}

// put keeps a connection for the next message, or closes it.
func (p *pool) put(c *conn) {
	if !c.Usable() {
		return
	}
	p.mu.Lock()
	list := p.idle[c.hop]
	keep := !p.closed && p.o.Idle > 0 && c.used < p.o.PerConn && len(list) < p.o.MaxIdle && p.kept < p.o.AllIdle
	if keep {
		c.timer = time.AfterFunc(p.o.Idle, func() { p.expire(c) })
		p.set(c.hop, append(list, c))
	}
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// expire closes a connection that nobody wanted.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	list := p.idle[c.hop]
	if i := slices.Index(list, c); i >= 0 {
		p.set(c.hop, slices.Delete(slices.Clone(list), i, i+1))
	}
	p.mu.Unlock()
	c.Close()
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	var all []*conn
	for h, list := range p.idle {
		for _, c := range list {
			if c.timer.Stop() {
				all = append(all, c)
			}
		}
		p.set(h, nil)
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}
