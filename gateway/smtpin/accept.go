package smtpin

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

// client is the far end of a connection. Limits count by network.
type client struct {
	addr    netip.Addr
	network netip.Prefix
	wide    netip.Prefix // around network, of IPv6
}

func clientOf(a net.Addr) client {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return client{}
	}
	return clientAt(ap.Addr().Unmap().WithZone(""))
}

func clientAt(addr netip.Addr) client {
	c := client{addr: addr}
	if addr.Is4() {
		c.network, _ = addr.Prefix(32)
		return c
	}
	c.network, _ = addr.Prefix(64) // what one customer commonly has
	c.wide, _ = addr.Prefix(48)    // what one commonly gets who asks for more
	return c
}

// acceptAll takes connections until the listener is closed.
func (s *Server) acceptAll(b *bound) {
	const longest = time.Second
	wait := 5 * time.Millisecond
	for {
		c, err := b.Accept()
		if err == nil {
			wait = 5 * time.Millisecond
			s.admit(c, clientOf(c.RemoteAddr()), b.site.Load())
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		b.site.Load().Log.WithError(err).Warn("smtpin: accept failed, trying again")
		select { // out of descriptors, most likely
		case <-time.After(wait):
			wait = min(2*wait, longest)
		case <-s.handling.Done():
			return
		}
	}
}

// admit opens the door to a connection, or refuses it.
func (s *Server) admit(c net.Conn, from client, l *site) {
	d := newDoor(s, l, c, from)
	if refusal := s.register(d); refusal != nil {
		d.turnAway(refusal)
		return
	}
	go d.open()
}

// register counts a connection and notes it, unless it is one too many or may not be here at all.
func (s *Server) register(d *door) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return errStopping
	}
	switch {
	case !d.site.permits(d.client):
		return errNotHere()
	case !s.spend(d.site, d.client, connecting, 1):
		return errTooOften
	case s.spent(d.site, d.client, failing):
		return errTooManyErrors
	}
	crowd := s.crowds[d.site.Name]
	if crowd == nil {
		crowd = newCrowd()
		s.crowds[d.site.Name] = crowd
	}
	err := crowd.enter(d.client, &d.site.limits)
	if errors.Is(err, errFull) && s.makeRoom(d.site) {
		err = crowd.enter(d.client, &d.site.limits)
	}
	if err != nil {
		return err
	}
	s.doors[d] = struct{}{}
	s.running.Add(1)
	return nil
}

func (s *Server) unregister(d *door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doors, d)
	if crowd := s.crowds[d.site.Name]; !d.pace.evicted.Load() {
		if crowd.count(d.client, -1); crowd.open == 0 {
			delete(s.crowds, d.site.Name)
		}
	}
	s.running.Done()
}

// turnAway says why there is no door, in place of a greeting (RFC 5321, 3.1), where the client would
// understand it.
func (d *door) turnAway(refusal error) {
	defer d.raw.Close()
	reply := d.told(refusal)
	if d.server.spend(d.site, d.client, recording, 1) { // a flood of connections is none of log lines
		d.site.Recorder.Record(track.Event{
			Time: d.site.Now(), Kind: track.Refused, Direction: d.direction(), Client: d.describe(""), Reply: reply.String(),
		})
	}
	d.site.Log.WithFields(logrus.Fields{"listener": d.site.Name, "client": d.client.addr}).Debug("smtpin: connection refused")
	if !d.site.Implicit {
		d.raw.SetWriteDeadline(time.Now().Add(time.Second))
		d.raw.Write([]byte(reply.String() + "\r\n"))
	}
}

func (d *door) direction() mail.Direction {
	if d.site.Role == External {
		return mail.Incoming
	}
	return "" // each recipient has its own
}
