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
			s.admit(c, clientAt(from), l)
			return
		}
	}
	c.Close()
}

// Wait returns when no connection is open.
func (s *Server) Wait() { s.running.Wait() }
