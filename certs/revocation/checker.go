package revocation

import (
	"context"
	"crypto/x509"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/revocation/fetch"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Options of a Checker. The zero value is ready to use: nothing is kept but in memory.
type Options struct {
	Settings Settings
	Cache    Cache              // keeps answers over restarts; nil: none
	Log      logrus.FieldLogger // of sources that fail or answer again; nil: none
	Now      func() time.Time   // nil: time.Now
	Memory   int64              // bytes of answers and lists in memory, roughly; 0: 256 MiB
}

// Cache keeps answers over restarts. It is not trusted: whatever it gives is verified anew. It is safe for concurrent use.
type Cache interface {
	// Load gives what was saved last under a key; data is nil where nothing is.
	Load(ctx context.Context, key string) (data []byte, fetched time.Time, err error)
	// Save keeps data in place of what was saved under the key before, until some time. It does not keep the slice.
	Save(ctx context.Context, key string, data []byte, fetched, until time.Time) error
}

// Checker tells whether certificates are revoked: by lists that it is given, and by OCSP and CRLs from where the
// certificates say (RFC 5280, 6.3; RFC 6960). Answers are kept to their end, and those in use are fetched anew before it, so that a message
// waits for nobody but the first time. It is safe for concurrent use. The caller closes it.
type Checker struct {
	o        Options
	settings atomic.Pointer[inForce]
	memory   *memory
	sources  *sources
	counts   counts

	life    context.Context
	end     context.CancelFunc
	mu      sync.Mutex // guards closed, flights and queues
	closed  bool
	flights map[string]*flight
	queues  map[string]*queue // by source
	running sync.WaitGroup
	slots   chan struct{} // of fetches at one time
	slow    chan struct{} // of those that take long
	after   func(time.Duration) <-chan time.Time
}

var _ certs.Bounded = (*Checker)(nil)

// inForce are settings with what is made of them.
type inForce struct {
	Settings
	client *fetch.Client
}

const (
	maxFetches    = 16 // at one time
	maxSlow       = 16 // that take longer than slowAfter, beside them
	maxPerSource  = 2
	maxFlights    = 1000 // that wait or fetch
	defaultMemory = 256 << 20
)

// New returns a Checker. It asks nobody yet.
func New(o Options) *Checker {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	c := &Checker{
		o: o, memory: newMemory(o.Memory), sources: newSources(o.Log),
		flights: map[string]*flight{}, queues: map[string]*queue{}, slots: make(chan struct{}, maxFetches),
		slow: make(chan struct{}, maxSlow), after: time.After,
	}
	c.life, c.end = context.WithCancel(context.Background())
	c.Set(o.Settings)
	return c
}

// Set puts other settings into force. What is known stays; who failed is asked again.
func (c *Checker) Set(s Settings) {
	s = s.withDefaults()
	d := s.dialer()
	direct := s.proxyDialer()
	now := &inForce{s, fetch.New(fetch.Options{
		Dial: d.DialContext, Proxy: s.Proxy, DialProxy: direct, Vet: d.Vet, Directory: s.Directory, Roots: s.Roots, TLS: s.TLS,
	})}
	c.settings.Store(now)
	c.sources.forget(now)
}

// Close ends what is being fetched, and returns when that has ended. A closed Checker tells what it knows.
func (c *Checker) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.running.Wait()
	return nil
}

// Within implements certs.Bounded.
func (c *Checker) Within() time.Duration { return c.settings.Load().Timeout }

// Revoked implements certs.Revocation. Authorities tell what is at present. At an earlier time a certificate was good that is so now, and
// also one that was revoked afterwards for a reason that says nothing of its key: its owner left, or got another one. What is revoked since a key
// may be in other hands, is on hold, or is revoked without a reason, was not safe before either. Of a later time the present is all that is known.
func (c *Checker) Revoked(ctx context.Context, chain []*x509.Certificate, at time.Time) []certs.Fault {
	s := c.settings.Load()
	if len(chain) < 2 {
		return nil
	}
	mode := s.mode(chain)
	if mode == Off {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	found := make([]verdict, len(chain)-1)
	var all sync.WaitGroup
	for i := range found[1:] {
		all.Go(func() { found[i+1] = c.judge(ctx, s, chain[i+1:], 0) })
	}
	found[0] = c.judge(ctx, s, chain, 0)
	all.Wait()
	var faults []certs.Fault
	for i, v := range found {
		c.counts.count(v)
		if v.state == revoked && v.entry.spares(at) {
			continue
		}
		if f, ok := v.fault(chain[i], mode, c.o.Now()); ok {
			faults = append(faults, f)
		}
	}
	return faults
}

// fault is what a verdict on a certificate is under a mode.
func (v verdict) fault(c *x509.Certificate, mode Mode, now time.Time) (certs.Fault, bool) {
	f := certs.Fault{Status: certs.StatusUntrusted, Certificate: c, Check: certs.CheckRevocation, Since: now}
	switch v.state {
	case good:
		return f, false
	case revoked:
		return v.entry.fault(c), true
	case nowhere:
		f.Reason = "whether " + certs.Describe(c) + " is revoked cannot be told: its issuer names nobody who could be asked"
		f.Advice = "give a list of the issuer by certificates.revocation.files, or make an exception for it by certificates.revocation.rules"
		return f, mode == Require
	}
	f.Reason = "whether " + certs.Describe(c) + " is revoked cannot be told: " + safetext.Line(strings.Join(v.why, "; "), maxWhy)
	f.Advice = "see that this machine reaches who is named, and list it in certificates.revocation.allowed where it stands inside"
	if mode == Soft {
		f.Status = certs.StatusValid
		return f, true
	}
	f.Away = &certs.UnavailableError{Source: "revocation:" + v.host, Err: v.err}
	return f, true
}

// maxWhy bounds what is said about sources that failed.
const maxWhy = 300
