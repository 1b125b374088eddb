package vaulttest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy passes connections on to a server, counts them, and takes the server away without stopping it.
type Proxy struct {
	Address string // https://127.0.0.1:PORT

	to       string
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	opened   int
	most     int // open at once
	state    state
	done     sync.WaitGroup
}

// state is what becomes of connections.
type state int

const (
	passes state = iota
	cut          // closed at once
	silent       // taken, and nothing is answered
)

// NewProxy returns a proxy in front of a server; it ends with the test.
func (s *Server) NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: "https://" + l.Addr().String(), to: strings.TrimPrefix(s.Address, "https://"), listener: l, open: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.set(cut)
		p.done.Wait()
	})
	return p
}

// Pass lets connections through again.
func (p *Proxy) Pass() { p.set(passes) }

// Cut closes every connection, and each new one at once.
func (p *Proxy) Cut() { p.set(cut) }

// Hang closes every connection, and takes new ones without ever answering.
func (p *Proxy) Hang() { p.set(silent) }

func (p *Proxy) set(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	for c := range p.open {
		c.Close()
	}
}

// Opened is how many connections were taken so far, and Most how many of them at once.
func (p *Proxy) Opened() (opened, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.most
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if s := p.enter(c); s != cut {
			p.done.Go(func() { p.serve(c, s) })
		}
	}
}

// enter counts a connection, and closes it where that is what becomes of it.
func (p *Proxy) enter(c net.Conn) state {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	if p.state == cut {
		c.Close()
		return cut
	}
	p.open[c] = true
	p.most = max(p.most, len(p.open))
	return p.state
}

func (p *Proxy) leave(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *Proxy) serve(c net.Conn, s state) {
	defer p.leave(c)
	if s == silent {
		io.Copy(io.Discard, c)
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	p.done.Go(func() {
		io.Copy(server, c)
		server.Close()
	})
	io.Copy(c, server)
}
