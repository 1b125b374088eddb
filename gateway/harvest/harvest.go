// Package harvest learns the certificates of partners from their signatures, within bounds; it neither opens messages nor stores anything itself.
package harvest

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Signature is one that is right for its message, by somebody who says to be its author.
type Signature struct {
	From        mail.Address // the single From address
	Certificate *x509.Certificate
	Others      []*x509.Certificate // that came with it; not to be trusted
	Encryption  cms.RecipientID     // the certificate for mail to the signer, as the signature says; zero: it does not say
	// Valid: the signature was judged valid. Else the certificate is from an issuer nobody knows.
	Valid bool
}

// Keeper keeps certificates durably.
type Keeper interface {
	// Known tells whether a certificate is kept, and whether it, or its key, must not be used.
	Known(ctx context.Context, c *x509.Certificate) (known, distrusted bool, err error)
	// Keep keeps what is new and tells which it was. Unknown is what comes from an issuer nobody knows: it waits for
	// an administrator and is not used.
	Keep(ctx context.Context, all []*x509.Certificate, unknown bool) (news []*x509.Certificate, err error)
	// Preferred returns the certificates of an address that an administrator brought in.
	Preferred(ctx context.Context, address string) ([]*x509.Certificate, error)
	// Tally counts what is kept of signatures, and what was added since a time.
	Tally(ctx context.Context, since time.Time) (Tally, error)
}

// Tally is how much is kept.
type Tally struct {
	All      int            // of valid signatures
	New      int            // of them, lately
	Unknown  int            // from issuers nobody knows, lately
	ByDomain map[string]int // both, lately
}

// Settings are what a reload may change.
type Settings struct {
	Enabled       bool
	Unknown       bool        // certificates from issuers nobody knows are kept for an administrator
	Judge         certs.Judge // of everything, before it is kept
	Local         mail.Patterns
	PerDay        int // new certificates of valid signatures
	PerDomain     int // and others, of one domain
	UnknownPerDay int
	Most          int // of valid signatures, at all
}

// Options of a Harvester.
type Options struct {
	Keeper Keeper
	// Learned is told an address of which there is a certificate now; nil: nobody is.
	Learned func(ctx context.Context, address mail.Address)
	// Beside is told of a new certificate of an address that has a valid one which an administrator brought in; nil: nobody is.
	Beside func(ctx context.Context, address mail.Address, found, preferred *x509.Certificate)
	// Asked is told of an issuer nobody knows: the topmost certificate of a chain, or the lone one; nil: nobody is.
	Asked func(ctx context.Context, address mail.Address, top *x509.Certificate)
	Now   func() time.Time
	Log   logrus.FieldLogger
}

const (
	waiting    = 256              // signatures that wait to be looked at
	mostOthers = 20               // certificates beside the signer's
	mostBytes  = 128 << 10        // of them together
	lately     = time.Hour        // what was looked at is not looked at again
	mostLately = 10_000           // certificates
	oneTime    = 30 * time.Second // for one signature
)

// Harvester keeps the certificates of valid signatures. It may be used at once.
type Harvester struct {
	o        Options
	settings atomic.Pointer[Settings]
	offers   chan Signature
	bounds   bounds // of the goroutine of Run

	mu   sync.Mutex
	seen map[[sha256.Size]byte]time.Time // certificates that were looked at
}

// New returns a Harvester that learns nothing before Set.
func New(o Options) (*Harvester, error) {
	if o.Keeper == nil {
		return nil, errors.New("harvest: no keeper")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	h := &Harvester{o: o, offers: make(chan Signature, waiting), seen: map[[sha256.Size]byte]time.Time{}}
	h.settings.Store(&Settings{})
	return h, nil
}

// Set puts settings into force.
func (h *Harvester) Set(s Settings) { h.settings.Store(&s) }

// Offer hands over a signature and returns at once. What there is no time for is let go: the next message of the same partner
// brings it again.
func (h *Harvester) Offer(s Signature) {
	set := h.settings.Load()
	if !set.Enabled || !s.Valid && !set.Unknown || s.Certificate == nil || s.From.IsNull() || set.Local.Match(s.From) || h.wasSeen(s.Certificate) {
		return
	}
	others, bytes := s.Others, 0
	s.Others = nil
	for _, c := range others {
		if c == nil || c.Equal(s.Certificate) {
			continue
		}
		if bytes += len(c.Raw); bytes > mostBytes || len(s.Others) == mostOthers {
			break
		}
		s.Others = append(s.Others, c)
	}
	if len(s.Certificate.Raw) > mostBytes {
		return
	}
	select {
	case h.offers <- s:
	default:
		h.forget(s.Certificate)
	}
}

// wasSeen reports whether a certificate was looked at lately, and notes that it is now.
func (h *Harvester) wasSeen(c *x509.Certificate) bool {
	id, now := sha256.Sum256(c.Raw), h.o.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.seen[id]; ok && now.Sub(at).Abs() < lately {
		return true
	}
	if len(h.seen) >= mostLately {
		clear(h.seen)
	}
	h.seen[id] = now
	return false
}

func (h *Harvester) forget(c *x509.Certificate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, sha256.Sum256(c.Raw))
}

// Run looks at what is offered until ctx ends.
func (h *Harvester) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-h.offers:
			h.look(ctx, s)
		}
	}
}

// look looks at one signature. A fault in it, which reads what strangers wrote, does not end the process.
func (h *Harvester) look(ctx context.Context, s Signature) {
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			h.o.Log.WithField("stack", string(debug.Stack())).Errorf("A fault in the gateway (%T) while it learned from a signature; please report it.", v)
		}
	}()
	err := h.take(ctx, *h.settings.Load(), s)
	if err != nil && ctx.Err() == nil {
		h.forget(s.Certificate)
		h.o.Log.WithError(err).Warn("The certificate of a valid signature could not be kept; the next message brings it again.")
	}
}
