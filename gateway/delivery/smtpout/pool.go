package smtpout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// conn is a connection with what the pool knows about it.
type conn struct {
	*smtpclient.Client
	addr       string
	protection string // "TLS1.3 …", for the record
	used       int    // messages sent
	timer      *time.Timer
}

// pool keeps unused connections, the last used first, and remembers hosts that could not be reached.
type pool struct {
	o      Options
	mu     sync.Mutex
	idle   map[string][]*conn
	bad    map[string]time.Time // until when a host is tried last
	closed bool
}

// hosts are the hosts in the order in which to try them.
func (p *pool) hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bad) == 0 || len(p.o.Hosts) == 1 {
		return p.o.Hosts
	}
	now := p.o.Now()
	var good, bad []string
	for _, h := range p.o.Hosts {
		if p.bad[h].After(now) {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return append(good, bad...)
}

// take takes an unused connection to addr; nil where there is none.
func (p *pool) take(addr string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for list := p.idle[addr]; len(list) > 0; list = p.idle[addr] {
		c := list[len(list)-1]
		p.idle[addr] = list[:len(list)-1]
		if c.timer.Stop() {
			return c
		}
	}
	return nil
}

// dial makes a connection.
func (p *pool) dial(ctx context.Context, addr string) (*conn, error) {
	client, err := smtpclient.Dial(ctx, addr, p.o.client())
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			p.bad[addr] = p.o.Now().Add(p.o.Penalty)
		}
		return nil, err
	}
	delete(p.bad, addr)
	return &conn{Client: client, addr: addr, protection: describe(client.TLS(), p.o.TLS)}, nil
}

// put keeps a connection for the next message, or closes it.
func (p *pool) put(c *conn) {
	if !c.Usable() {
		return
	}
	p.mu.Lock()
	list := p.idle[c.addr]
	keep := !p.closed && p.o.Idle > 0 && c.used < p.o.PerConn && len(list) < p.o.MaxIdle
	if keep {
		c.timer = time.AfterFunc(p.o.Idle, func() { p.expire(c) })
		p.idle[c.addr] = append(list, c)
	}
	p.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// expire closes a connection that nobody wanted.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	list := p.idle[c.addr]
	if i := slices.Index(list, c); i >= 0 {
		p.idle[c.addr] = slices.Delete(list, i, i+1)
	}
	p.mu.Unlock()
	c.Close()
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	var all []*conn
	for _, list := range p.idle {
		for _, c := range list {
			if c.timer.Stop() {
				all = append(all, c)
			}
		}
	}
	clear(p.idle)
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}
