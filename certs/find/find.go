package find

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
)

// Defaults of Options.
const (
	DefaultTimeout = 5 * time.Second
	DefaultFound   = 24 * time.Hour
	DefaultMissing = 15 * time.Minute
	DefaultMost    = 100_000
)

// Options of a Finder.
type Options struct {
	// Own is asked first, and for all that needs a key: what the gateway has itself.
	Own certs.Finder
	// Sources are asked in this order for what Own does not have, until one has a valid certificate.
	Sources []Source
	// Pass are the sources, by name, whose absence counts as "none is known", and not as "that cannot be told".
	Pass map[string]bool
	// Judge judges what the sources have, before anything else is done with it.
	Judge certs.Judge
	// Fits says whether this program can encrypt to the key of a certificate; nil: to all.
	Fits func(*x509.Certificate) bool
	// Keep is given what a source had that is valid, with the chain that was found; nil: it is not kept. It may be
	// called at once.
	Keep func(ctx context.Context, source string, found []*x509.Certificate) error
	// Timeout bounds one source for one address.
	Timeout time.Duration
	// Found is how long what a source had is believed before it is asked again, in the background where there is a valid
	// certificate. Missing is how long it is believed that it has none.
	Found, Missing time.Duration
	// Most are the addresses whose answers are remembered, those that were asked for last.
	Most int
	Now  func() time.Time
	Log  logrus.FieldLogger
}

// Finder finds by Own and, for certificates to encrypt to, by sources. It implements certs.Finder and is safe for
// concurrent use. One address is looked up once at a time, however many ask for it.
type Finder struct {
	o      Options
	places []*place

	mu      sync.Mutex
	answers *answers
	flights map[string]*flight // by address; one that is in it no more is remembered by nobody
	closed  bool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

var _ certs.Finder = (*Finder)(nil)

// New returns a Finder; the caller closes it. The error names an option that is missing, or a name that two sources have.
func New(o Options) (*Finder, error) {
	if o.Own == nil || o.Judge == nil {
		return nil, errors.New("certs/find: Own and Judge are needed")
	}
	o.Timeout, o.Most = cmp.Or(max(o.Timeout, 0), DefaultTimeout), cmp.Or(max(o.Most, 0), DefaultMost)
	o.Found, o.Missing = cmp.Or(max(o.Found, 0), DefaultFound), cmp.Or(max(o.Missing, 0), DefaultMissing)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	f := &Finder{o: o, answers: newAnswers(o.Most), flights: map[string]*flight{}}
	names := map[string]bool{}
	for _, s := range o.Sources {
		if names[s.Name()] {
			return nil, errors.New("certs/find: two sources are called " + s.Name())
		}
		names[s.Name()] = true
		f.places = append(f.places, newPlace(s, o))
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// Close ends what is under way and waits for it. What is asked afterwards is answered by Own and by what is
// remembered. A second Close does nothing.
func (f *Finder) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.wg.Wait()
}

// Forget has the sources asked again for every address of a domain, with the next look-up, whatever they said before.
func (f *Finder) Forget(domain string) {
	key := certs.AddressKey("x@" + domain)
	if key == "" {
		return
	}
	end := key[strings.LastIndexByte(key, '@'):]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers.forget(end)
	maps.DeleteFunc(f.flights, func(key string, _ *flight) bool { return strings.HasSuffix(key, end) }) // they may have been told already
}

// Signing implements certs.Finder by Own.
func (f *Finder) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	return f.o.Own.Signing(ctx, address, now)
}

// Decryption implements certs.Finder by Own.
func (f *Finder) Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	return f.o.Own.Decryption(ctx, ids)
}

// Recipient implements certs.Finder. What Own has is taken; the sources are asked whether they have something newer once in
// Options.Found then, without anybody waiting. The error is an *UnavailableError where no valid certificate was
// found and a source that may have one cannot be asked.
func (f *Finder) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	return f.recipient(ctx, address, now, f.refresh, f.answer)
}

// recipient is Recipient, with what is done where Own has a certificate, and where it has none.
func (f *Finder) recipient(ctx context.Context, address string, now time.Time, refresh func(string, time.Time), ask func(context.Context, string, time.Time) (answer, error)) (*x509.Certificate, error) {
	cert, own := f.o.Own.Recipient(ctx, address, now)
	key := certs.AddressKey(address)
	if len(f.places) == 0 || key == "" {
		return cert, own
	}
	if own == nil {
		refresh(key, now)
		return cert, nil
	}
	if !isNone(own) && !errors.Is(own, certs.ErrUnavailable) {
		return nil, own
	}
	a, err := ask(ctx, key, now)
	if err != nil {
		return nil, err
	}
	cert, found := f.choose(ctx, a, key, now)
	if cert != nil {
		return cert, nil
	}
	return nil, none(own, found, a.away)
}

// isNone reports whether err says that there is no certificate that may be used.
func isNone(err error) bool {
	var unusable *certs.UnusableError
	return errors.Is(err, certs.ErrNotFound) || errors.As(err, &unusable)
}

// none is why there is no certificate: one that is known and may not be used is the better explanation, unless
// another may be somewhere.
func none(own, found, away error) error {
	switch {
	case errors.Is(own, certs.ErrUnavailable):
		return own
	case away != nil:
		return away
	case errors.Is(found, certs.ErrUnavailable): // whether it is revoked cannot be told
		return found
	case !errors.Is(own, certs.ErrNotFound):
		return own
	}
	return found
}

// choose returns the newest certificate of an answer that is valid now, or why there is none.
func (f *Finder) choose(ctx context.Context, a answer, key string, now time.Time) (*x509.Certificate, error) {
	valid, err := f.judge(ctx, a.certs, key, now)
	if len(valid) == 0 {
		return nil, err
	}
	return valid[0].Chain[0], nil
}
