// Package dmdatest puts a simulated provider with a web service into the hands of package connectortest. It tests nothing itself.
package dmdatest

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
)

// Back is a simulated provider behind its web service, as connectortest.Back has it. It is an http.RoundTripper, too: the way to the provider, on which nobody answers
// when the provider is down. Its fields are set before it is used.
type Back struct {
	Handler *dmdaweb.Handler
	Own     dmda.Account    // of the connector
	At      *dmda.Simulated // its provider
	Far     dmda.Account    // of whom it writes to
	FarAt   *dmda.Simulated
	HTTP    http.RoundTripper
	// Pass lets time pass: what was put off because of a fault is due when it has ended.
	Pass func(time.Duration)

	down  atomic.Bool
	hung  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	taken []connectortest.Taken
}

// Log is for dmdaweb.Options: it hears of requests that hang.
func (b *Back) Log(e dmdaweb.Event) {
	if e.Fault == dmdaweb.Hang {
		b.hanging() <- struct{}{}
	}
}

func (b *Back) hanging() chan struct{} {
	b.once.Do(func() { b.hung = make(chan struct{}, 64) })
	return b.hung
}

// RoundTrip is http.RoundTripper.
func (b *Back) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.down.Load() {
		return nil, errors.New("connect: connection refused")
	}
	return b.HTTP.RoundTrip(r)
}

// Fault begins one and ends the one before.
func (b *Back) Fault(f connectortest.Fault) error {
	b.Pass(2 * time.Hour)
	b.down.Store(f == connectortest.Down)
	kind := map[connectortest.Fault]dmdaweb.Kind{
		connectortest.Dropped: dmdaweb.Drop, connectortest.Lost: dmdaweb.Lost, connectortest.Garbled: dmdaweb.Garbage, connectortest.Hangs: dmdaweb.Hang,
		connectortest.Huge: dmdaweb.Huge, connectortest.Refused: dmdaweb.Rejected, connectortest.Unentitled: dmdaweb.NotEntitled, connectortest.Large: dmdaweb.TooLarge,
		connectortest.Login: dmdaweb.Login, connectortest.Unavailable: dmdaweb.Unavailable, connectortest.KeepsAll: dmdaweb.Keep, connectortest.Cut: dmdaweb.Cut,
	}[f]
	if kind == "" {
		b.Handler.SetFaults()
	} else {
		b.Handler.SetFaults(dmdaweb.Fault{Kind: kind})
	}
	return nil
}

// Taken empties the mailboxes of those that are written to.
func (b *Back) Taken() ([]connectortest.Taken, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, box := range []struct {
		at *dmda.Simulated
		of dmda.Account
	}{{b.FarAt, b.Far}, {b.At, b.Own}} {
		s, err := box.at.Login(box.of.Addresses[0], demail.LevelHigh, "Test")
		if err != nil {
			return nil, err
		}
		for _, w := range s.List() {
			l, err := s.Get(w.ID)
			if err != nil {
				return nil, err
			}
			if err := b.note(l.Content); err != nil {
				return nil, err
			}
			s.Acknowledge(w.ID)
		}
	}
	return slices.Clone(b.taken), nil
}

// note keeps what a message says of how it was submitted. Who is not seen by the others has a message of his own.
func (b *Back) note(content []byte) error {
	header, err := demail.ReadHeader(bufio.NewReader(bytes.NewReader(content)))
	if err != nil {
		return err
	}
	m, err := demail.ParseMetadata(header)
	if err != nil || m.Type != demail.TypeNormal {
		return err
	}
	own := slices.DeleteFunc(slices.Clone(header.Fields()), func(f demail.Field) bool { return demail.IsMetadata(f.Name) || f.Is(demail.FieldEnvelopeTo) })
	t := connectortest.Taken{Key: m.PrivateID, Sender: m.Sender, Options: m.Options,
		Content: slices.Concat(demail.NewHeader(own...).Bytes(), content[len(header.Bytes()):])}
	i := slices.IndexFunc(b.taken, func(o connectortest.Taken) bool { return o.Key == t.Key })
	if i < 0 {
		i = len(b.taken)
		b.taken = append(b.taken, t)
	}
	for _, r := range m.Chosen.All() {
		if !slices.Contains(b.taken[i].Recipients, r.Address) {
			b.taken[i].Recipients = append(b.taken[i].Recipients, r.Address)
		}
	}
	return nil
}

// Put lays a message into the account's mailbox.
func (b *Back) Put(content []byte) error { return b.At.Lay(b.Own.Addresses[0], content) }

// Waiting is how many lie there.
func (b *Back) Waiting() (int, error) {
	s, err := b.At.Login(b.Own.Addresses[0], demail.LevelHigh, "Test")
	if err != nil {
		return 0, err
	}
	return len(s.List()), nil
}

// Hung receives a value for each request that is kept without an answer.
func (b *Back) Hung() <-chan struct{} { return b.hanging() }
