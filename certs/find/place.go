package find

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
)

const (
	atOnce    = 8               // look-ups of one source
	firstRest = 2 * time.Second // how long a source that failed is left alone, twice as long each time
	longRest  = time.Minute
	mostOf    = 64 // certificates of one answer
)

// place is a source, and how it fares.
type place struct {
	source  Source
	pass    bool
	timeout time.Duration
	now     func() time.Time
	log     logrus.FieldLogger
	slots   chan struct{} // taken until the source has returned, however long it was waited for

	mu       sync.Mutex
	failures int
	rests    time.Time // it is left alone until then
}

func newPlace(s Source, o Options) *place {
	return &place{source: s, pass: o.Pass[s.Name()], timeout: o.Timeout, now: o.Now, log: o.Log, slots: make(chan struct{}, atOnce)}
}

var (
	errRests = errors.New("it failed a moment ago and is left alone for a while")
	errBusy  = errors.New("it has not answered earlier questions")
)

// reply is what a source said.
type reply struct {
	certs []*x509.Certificate
	err   error
}

// ask asks the source, for no longer than its time. Every error is an *UnavailableError.
func (p *place) ask(ctx context.Context, address string) ([]*x509.Certificate, error) {
	if p.resting() {
		return nil, p.away(errRests)
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, p.failed(errBusy)
	}
	done := make(chan reply, 1)
	go func() {
		defer func() { <-p.slots }()
		done <- p.call(ctx, address)
	}()
	var r reply
	select {
	case r = <-done:
	case <-ctx.Done():
		r.err = context.Cause(ctx)
	}
	if r.err != nil {
		return nil, p.failed(r.err)
	}
	p.answered()
	return r.certs[:min(len(r.certs), mostOf)], nil
}

// call calls the source. A fault in it, which reads what strangers wrote, does not end the process.
func (p *place) call(ctx context.Context, address string) (r reply) {
	defer func() {
		if v := recover(); v != nil {
			r = reply{err: fmt.Errorf("certs/find: a fault (%T); please report it", v)}
		}
	}()
	r.certs, r.err = p.source.Certificates(ctx, address)
	return r
}

// away is err as that of this source.
func (p *place) away(err error) error {
	var known *certs.UnavailableError
	if errors.As(err, &known) && known.Source != "" {
		return known
	}
	return &certs.UnavailableError{Source: p.source.Name(), Err: err}
}

func (p *place) resting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.rests.Sub(p.now())
	return left > 0 && left <= longRest // more: the clock was set back
}

// failed leaves the source alone for a while, so that what hangs does not keep each message waiting. The first
// failure is logged.
func (p *place) failed(err error) error {
	away := p.away(err)
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := longRest
	if p.failures < 6 {
		rest = min(firstRest<<p.failures, longRest)
	}
	if p.failures++; p.failures == 1 {
		p.log.WithField("source", p.source.Name()).WithError(away).Warn("A source of certificates cannot be asked; it is tried again soon.")
	}
	p.rests = p.now().Add(rest)
	return away
}

// answered ends the trouble of the source.
func (p *place) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures > 0 {
		p.log.WithField("source", p.source.Name()).Info("The source of certificates answers again.")
	}
	p.failures, p.rests = 0, time.Time{}
}
