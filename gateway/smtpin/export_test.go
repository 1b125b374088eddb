package smtpin

import (
	"net"
	"net/netip"
)

// Admit serves a connection that came over no socket.
func (s *Server) Admit(c net.Conn, from netip.Addr, name string) {
	s.mu.Lock()
	set := s.set
	s.mu.Unlock()
	for _, l := range set.sites {
		if l.Name == name {
			network, _ := from.Prefix(from.BitLen())
			s.admit(c, client{addr: from, network: network}, l)
			return
		}
	}
	c.Close()
}

// Wait returns when no connection is open.
func (s *Server) Wait() { s.running.Wait() }
