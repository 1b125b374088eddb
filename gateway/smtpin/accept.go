package smtpin

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
)

// client is the far end of a connection. Limits count by network.
type client struct {
	addr    netip.Addr
	network netip.Prefix
}

func clientOf(a net.Addr) client {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return client{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64 // what one customer commonly has
	}
	network, _ := addr.Prefix(bits)
	return client{addr: addr, network: network}
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
	switch limits := d.site.Limits; {
	case s.stopping.Load():
		return errStopping()
	case !d.site.permits(d.client):
		return status.Refuse(554, "5.7.1", "your address may not use this listener")
	case len(s.doors) >= limits.Connections:
		return status.Refuse(421, "4.7.0", "too many connections, please try again later")
	case s.clients[d.client.network] >= limits.PerClient:
		return status.Refuse(421, "4.7.0", "too many connections from your network, please try again later")
	}
	s.doors[d] = struct{}{}
	s.clients[d.client.network]++
	s.running.Add(1)
	return nil
}

func (s *Server) unregister(d *door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.doors, d)
	if s.clients[d.client.network]--; s.clients[d.client.network] <= 0 {
		delete(s.clients, d.client.network)
	}
	s.running.Done()
}

// turnAway says why there is no door, in place of a greeting (RFC 5321, 3.1), where the client would
// understand it.
func (d *door) turnAway(refusal error) {
	defer d.raw.Close()
	reply := status.For(refusal)
	d.site.Recorder.Record(track.Event{
		Time: d.site.Now(), Kind: track.Refused, Direction: d.direction(), Client: d.describe(""), Reply: reply.String(),
	})
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
