// Package waiting stands at the doors of a gateway that cannot take mail yet, and asks everybody to come again; it takes nothing.
package waiting

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Options of Serve.
type Options struct {
	Hostname  string   // as the greeting has it
	Addresses []string // of the listeners, bound as they will be
	Silent    []string // those whose clients begin with TLS: they are told nothing, only closed
	// Bound is told the addresses once all are bound, in the order of Addresses and Silent; it may be nil.
	Bound func([]net.Addr)
}

const (
	mostAtOnce = 200             // connections; whoever comes beyond that is closed without a word
	patience   = 5 * time.Second // for a client to take its leave
	mostSaid   = 4 << 10         // bytes of what a client says meanwhile
)

// Serve answers each connection with 421 (RFC 5321, 3.8) until ctx ends. It returns after the last connection is closed, nil where all
// went well, or why an address cannot be bound.
func Serve(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := doors{text: fmt.Sprintf("421 4.3.2 %s is not ready, please try again later\r\n", o.Hostname), slots: make(chan struct{}, mostAtOnce)}
	var addresses []net.Addr
	for i, a := range append(append([]string{}, o.Addresses...), o.Silent...) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", a)
		if err != nil {
			cancel()
			d.close()
			return fmt.Errorf("waiting: %w", err)
		}
		d.all = append(d.all, l)
		addresses = append(addresses, l.Addr())
		d.serving.Go(func() { d.serve(ctx, l, i < len(o.Addresses)) })
	}
	if o.Bound != nil {
		o.Bound(addresses)
	}
	<-ctx.Done()
	d.close()
	return nil
}

// doors are the listeners, with those who stand there.
type doors struct {
	text    string
	slots   chan struct{}
	all     []net.Listener
	serving sync.WaitGroup
	guests  sync.WaitGroup
}

// close closes the doors, and returns when everybody has left. The context has ended before.
func (d *doors) close() {
	for _, l := range d.all {
		l.Close()
	}
	d.serving.Wait()
	d.guests.Wait()
}

func (d *doors) serve(ctx context.Context, l net.Listener, speaks bool) {
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			pause := time.NewTimer(50 * time.Millisecond) // of files there are too few
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			continue
		}
		select {
		case d.slots <- struct{}{}:
			d.guests.Go(func() {
				defer func() { <-d.slots }()
				d.answer(ctx, c, speaks)
			})
		default:
			c.Close()
		}
	}
}

// answer tells a client to come again, and lets it read that before the connection is closed.
func (d *doors) answer(ctx context.Context, c net.Conn, speaks bool) {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if !speaks {
		return
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, d.text); err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		t.CloseWrite()
	}
	io.CopyN(io.Discard, c, mostSaid)
}
