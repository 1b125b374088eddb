package torture

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// link is a bad line: a TCP proxy that cuts connections in the middle, and lets some of them crawl. Its
// methods may be called at once.
type link struct {
	dice   *dice
	target string

	mu     sync.Mutex
	conns  map[net.Conn]bool
	cuts   int // connections that were cut
	closed bool
	flows  sync.WaitGroup
}

// newLink serves until the test ends, and returns the address.
func newLink(t *testing.T, d *dice, target string) (*link, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &link{dice: d, target: target, conns: map[net.Conn]bool{}}
	p.flows.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.flows.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cut()
		p.flows.Wait()
	})
	return p, l.Addr().String()
}

// serve passes one connection on.
func (p *link) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.enter(near, far) {
		return
	}
	defer p.leave(near, far)
	slow := p.dice.percent(5)
	most := int64(-1)
	if p.dice.percent(5) {
		most = int64(p.dice.below(100 << 10))
	}
	var both sync.WaitGroup
	both.Go(func() { p.flow(far, near, most, slow) })
	p.flow(near, far, -1, slow)
	both.Wait()
}

// enter remembers a connection, so that it can be cut.
func (p *link) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.closed
}

func (p *link) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// flow copies until the end, or until most octets went by, where both connections are cut; slowly, if so.
func (p *link) flow(to, from net.Conn, most int64, slow bool) {
	defer to.Close()
	defer from.Close()
	for block := make([]byte, 4<<10); ; {
		n, err := from.Read(block)
		if most >= 0 && int64(n) > most {
			n, err = int(most), io.EOF
			p.mu.Lock()
			p.cuts++
			p.mu.Unlock()
		}
		if slow {
			pause(context.Background(), p.dice.upTo(50*time.Millisecond))
		}
		if _, failed := to.Write(block[:n]); failed != nil || err != nil {
			return
		}
		if most >= 0 {
			most -= int64(n)
		}
	}
}

// cut ends every connection there is.
func (p *link) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cuts += len(p.conns) / 2
	for c := range p.conns {
		c.Close()
	}
}
