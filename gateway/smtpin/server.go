package smtpin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/internal/meter"
)

// Errors of Serve and Listen.
var (
	errListening    = errors.New("smtpin: the server listens already")
	errNotListening = errors.New("smtpin: the server does not listen: call Listen once before Serve")
)

// Server is a set of listeners and the connections that came over them. Its methods may be called at once.
type Server struct {
	stopping atomic.Bool        // no new command is read any more
	handling context.Context    // of Handler.Accept; ends when Serve gives up waiting
	giveUp   context.CancelFunc // ends handling

	mu        sync.Mutex
	set       *settings
	bound     []*bound
	listening bool
	serving   bool
	doors     map[*door]struct{}
	crowds    map[string]*crowd // by name of listener
	running   sync.WaitGroup    // accept loops and doors

	used    *meter.Meter[usageKey]
	buffers *buffers
	offers  tls.Config // what go-smtp offers STARTTLS by; nothing is ever done with it, the door answers
}

// bound is one open listener. A connection takes the settings that stand when it is accepted.
type bound struct {
	net.Listener
	address string // as configured
	site    atomic.Pointer[site]
}

// New checks the options and makes a server; it opens nothing.
func New(o Options) (*Server, error) {
	set, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	s := &Server{set: set, doors: map[*door]struct{}{}, crowds: map[string]*crowd{}, used: meter.New[usageKey](maxRemembered), buffers: newBuffers()}
	s.handling, s.giveUp = context.WithCancel(context.Background())
	return s, nil
}

// Listen binds all listeners, or none. Connections wait until Serve.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listening {
		return errListening
	}
	all, _, err := s.rebind(s.set)
	if err != nil {
		return err
	}
	s.bound, s.listening = all, true
	return nil
}

// Addr is the address a listener is bound to; nil where there is none of that name.
func (s *Server) Addr(name string) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bound {
		if b.site.Load().Name == name {
			return b.Listener.Addr()
		}
	}
	return nil
}

// Serve takes mail until ctx ends. Then it closes the listeners, tells idle clients 421, lets messages in
// transfer end for Limits.Grace, drops what is left, and returns when the last connection is closed. It may
// be called once, after Listen.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if !s.listening || s.serving {
		s.mu.Unlock()
		return errNotListening
	}
	s.serving = true
	for _, b := range s.bound {
		s.start(b)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.stop()
	return nil
}

func (s *Server) start(b *bound) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		s.acceptAll(b)
	}()
}

func (s *Server) stop() {
	s.mu.Lock()
	s.stopping.Store(true)
	for _, b := range s.bound {
		b.Close()
	}
	for d := range s.doors {
		d.interrupt()
	}
	grace := s.set.Limits.Grace
	s.mu.Unlock()

	timer := time.AfterFunc(grace, s.drop)
	s.running.Wait()
	timer.Stop()
	s.giveUp()
}

// drop ends what has not ended by itself.
func (s *Server) drop() {
	s.giveUp()
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.doors {
		d.raw.Close()
	}
}

// Reload takes up new options. Listeners that stay keep their socket, new ones are bound, those that are gone
// are closed; connections stay and keep the settings under which they were accepted. When it returns an
// error nothing has changed.
func (s *Server) Reload(o Options) error {
	set, err := newSettings(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() || !s.listening {
		s.set = set
		return nil
	}
	all, added, err := s.rebind(set)
	if err != nil {
		return err
	}
	s.closeAllBut(all)
	s.set, s.bound = set, all
	for _, b := range added {
		if s.serving {
			s.start(b)
		}
	}
	return nil
}

func (s *Server) closeAllBut(keep []*bound) {
	for _, b := range s.bound {
		kept := false
		for _, k := range keep {
			kept = kept || k == b
		}
		if !kept {
			b.Close()
		}
	}
}

// rebind finds or opens a socket for each site, and gives the sites to the sockets once it has all.
func (s *Server) rebind(set *settings) (all, added []*bound, err error) {
	free := append([]*bound(nil), s.bound...)
	for _, site := range set.sites {
		b := takeBound(&free, site)
		if b == nil {
			l, err := net.Listen("tcp", site.Address)
			if err != nil {
				for _, b := range added {
					b.Close()
				}
				return nil, nil, fmt.Errorf("smtpin: listener %q: %w", site.Name, err)
			}
			b = &bound{Listener: l, address: site.Address}
			added = append(added, b)
		}
		all = append(all, b)
	}
	for i, site := range set.sites {
		all[i].site.Store(site)
	}
	return all, added, nil
}

// takeBound takes the socket that serves site now out of free: the one of its name, else one of its address.
func takeBound(free *[]*bound, site *site) *bound {
	at := -1
	for i, b := range *free {
		if b.address != site.Address {
			continue
		}
		if b.site.Load().Name == site.Name {
			at = i
			break
		}
		if at < 0 && !strings.HasSuffix(site.Address, ":0") { // a free port is never the same one
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	b := (*free)[at]
	*free = append((*free)[:at:at], (*free)[at+1:]...)
	return b
}
