// Package crowd bounds how many connections of a listener are open, altogether and of one address. It makes nobody wait: who finds no room is
// turned away at once.
package crowd

import (
	"net"
	"net/netip"
	"sync"
)

// New returns a listener that has at most these many connections of l open, and ofOne of one IPv4 address or one IPv6 network of 64 bits. Others
// are closed as they come.
func New(l net.Listener, all, ofOne int) net.Listener {
	return &crowd{Listener: l, all: all, ofOne: ofOne, from: map[netip.Addr]int{}}
}

type crowd struct {
	net.Listener
	all, ofOne int

	mu   sync.Mutex
	open int
	from map[netip.Addr]int
}

// Accept returns the next connection there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := network(conn.RemoteAddr())
		if !c.enter(from) {
			conn.Close()
			continue
		}
		return &guest{Conn: conn, leave: sync.OnceFunc(func() { c.leave(from) })}, nil
	}
}

// network is what counts as one: an IPv4 address, or an IPv6 network of 64 bits.
func network(a net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap()
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

func (c *crowd) enter(from netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.all || c.from[from] >= c.ofOne {
		return false
	}
	c.open++
	c.from[from]++
	return true
}

func (c *crowd) leave(from netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.from[from]--; c.from[from] == 0 {
		delete(c.from, from)
	}
}

// guest is a connection that counts.
type guest struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room for another.
func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}
