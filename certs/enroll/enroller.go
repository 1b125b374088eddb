package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/singleflight"

	"github.com/siegel-mail/siegel/certs"
)

// Keeper keeps the company's own certificates and keys, and knows which of them may be used. It is safe for concurrent use.
type Keeper interface {
	// Keep stores a certificate with its chain and key, durably and for use from now on.
	Keep(ctx context.Context, i Issued, key crypto.Signer) error
	// Kept reports whether a certificate is stored with its key.
	Kept(ctx context.Context, c *x509.Certificate) (bool, error)
	// Distrust ends the use of a certificate, but for the decryption of what was encrypted to it.
	Distrust(ctx context.Context, c *x509.Certificate) error
	// Signing is that of certs.Finder.
	Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error)
}

// Occasion is why a certificate is issued.
type Occasion string

// The occasions.
const (
	FirstUse Occasion = "first use" // its owner sent a message that is to be signed
	Ordered  Occasion = "ordered"   // by an administrator
	Renewal  Occasion = "renewal"   // the one before ends soon
)

// Options of an Enroller. Issuer, Ledger, Keeper and Log are needed.
type Options struct {
	Issuer Issuer
	Ledger Ledger
	Keeper Keeper
	Key    KeyKind // of users; empty: rsa-3072
	// Separate gives each address one certificate to sign with and another one to be encrypted to.
	Separate bool
	// RenewBefore is how long before its end a certificate gets a successor; 0: 30 days.
	RenewBefore time.Duration
	// PerHour is how many addresses get a certificate by using it first in one hour; 0: 100. The others wait.
	PerHour int
	// Tag is the mark after which what stands before the @ is not part of the address, beside "+", which always counts as one here: see [Options.PerBase].
	Tag string
	// PerBase is how many addresses with a mark get a certificate by using it first in a day for one address without; 0: 3. All of them together have a quarter
	// of PerHour, so that nobody who invents marks keeps others waiting.
	PerBase int
	// Exists reports whether an address may have a certificate at present: it is one of the company's, and somebody has it. Nil: all may.
	Exists func(ctx context.Context, address string) (bool, error)
	// Note writes down that an address is about to get a certificate without anybody's order; where it fails the address gets none.
	// Nil: nowhere.
	Note func(ctx context.Context, address string, o Occasion) error
	Now  func() time.Time // nil: time.Now
	Log  logrus.FieldLogger
}

// Enroller sees to it that addresses have certificates: on first use, by order, and again before they end. One address gets
// one at a time, however many ask. All methods may be called at once.
type Enroller struct {
	options atomic.Pointer[Options]
	flights singleflight.Group
	slots   chan struct{} // for what makes a key
	work    sync.WaitGroup

	mu     sync.Mutex
	busy   map[string]int // flights by address
	first  firsts
	closed bool
}

// flightTime bounds the making of one certificate, whoever still waits for it.
const flightTime = 2 * time.Minute

// New returns an Enroller; the caller closes it.
func New(o Options) (*Enroller, error) {
	e := &Enroller{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), busy: map[string]int{}}
	return e, e.Set(o)
}

// Set puts other options into force. What is under way goes on, and one address still gets one certificate at a time.
func (e *Enroller) Set(o Options) error {
	if o.Issuer == nil || o.Ledger == nil || o.Keeper == nil || o.Log == nil {
		return errors.New("enroll: an issuer, a ledger, a keeper and a log are needed")
	}
	if o.Key == "" {
		o.Key = RSA3072
	}
	if o.RenewBefore == 0 {
		o.RenewBefore = 30 * 24 * time.Hour
	}
	if o.PerHour == 0 {
		o.PerHour = 100
	}
	if o.PerBase == 0 {
		o.PerBase = 3
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e.options.Store(&o)
	return nil
}

func (e *Enroller) o() *Options { return e.options.Load() }

// Close waits for what is under way; nothing is begun any more. A second call does nothing.
func (e *Enroller) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.work.Wait()
	return nil
}

// Signing returns the identity with which an address signs now; one that has none gets one. Errors: a *certs.UnavailableError
// where waiting may help, which every fault counts as; a *RefusedError where it does not. When ctx ends the certificate is made
// all the same, for the next who asks.
func (e *Enroller) Signing(ctx context.Context, address string) (certs.Identity, error) {
	key := certs.AddressKey(address)
	if key == "" {
		return certs.Identity{}, &RefusedError{address, "this is no mail address"}
	}
	err := e.fly(ctx, key, func(ctx context.Context) error { return e.firstUse(ctx, key) })
	if err != nil {
		return certs.Identity{}, away(err)
	}
	id, err := e.o().Keeper.Signing(ctx, key, e.o().Now())
	if err != nil {
		return certs.Identity{}, e.unusable(ctx, key, err)
	}
	return id, nil
}

// away makes every error but a refusal one that may pass.
func away(err error) error {
	var refused *RefusedError
	if errors.As(err, &refused) || errors.Is(err, certs.ErrUnavailable) {
		return err
	}
	return &certs.UnavailableError{Source: Source, Err: err}
}

// unusable is the error of an address whose certificate was issued and may not be used all the same: another one
// would not help.
func (e *Enroller) unusable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil || errors.Is(err, certs.ErrUnavailable) {
		return away(err)
	}
	return &RefusedError{address, "a certificate was issued to it and is not usable here: " + err.Error() +
		". Look at it with siegel certs find " + printable(address) + "; where its authority is not trusted: siegel certs import --trust"}
}

// fly runs f once for all who ask for an address at the same time. f does not end with ctx, only the wait does.
func (e *Enroller) fly(ctx context.Context, address string, f func(context.Context) error) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return &certs.UnavailableError{Source: Source, Err: errors.New("the gateway stops")}
	}
	e.work.Add(1)
	e.busy[address]++
	e.mu.Unlock()
	ended := e.flights.DoChan(address, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTime)
		defer cancel()
		defer func() {
			if v := recover(); v != nil { // of an issuer: it must not end the gateway
				err = fmt.Errorf("enroll: an issuer panicked (%T)", v)
			}
		}()
		return nil, f(ctx)
	})
	done := make(chan error, 1)
	go func() {
		defer e.work.Done()
		err := (<-ended).Err
		e.mu.Lock()
		if e.busy[address]--; e.busy[address] == 0 {
			delete(e.busy, address)
		}
		e.mu.Unlock()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return &certs.UnavailableError{Source: Source, Err: context.Cause(ctx)}
	}
}

// firstUse gives an address a certificate that has none it can sign with.
func (e *Enroller) firstUse(ctx context.Context, address string) error {
	now := e.o().Now()
	_, err := e.o().Keeper.Signing(ctx, address, now)
	if err == nil || errors.Is(err, certs.ErrUnavailable) {
		return err
	}
	records, lookErr := e.o().Ledger.IssuedTo(ctx, address)
	if lookErr != nil {
		return lookErr
	}
	if ended(records) {
		return &RefusedError{address, "its certificate was revoked as of one who has left; siegel certs issue gives it another one"}
	}
	for _, r := range records {
		if r.Kept && r.Revoked.IsZero() && signs(r.Certificate) && !now.Before(r.Certificate.NotBefore) && now.Before(r.Certificate.NotAfter) {
			return e.unusable(ctx, address, err)
		}
	}
	if err := e.exists(ctx, address); err != nil {
		return err
	}
	if err := e.able(ctx, address); err != nil {
		return err
	}
	if err := e.admit(address, now); err != nil {
		return err
	}
	if err := e.note(ctx, address, FirstUse); err != nil {
		return err
	}
	return e.make(ctx, address, FirstUse)
}

func (e *Enroller) note(ctx context.Context, address string, o Occasion) error {
	if e.o().Note == nil {
		return nil
	}
	return e.o().Note(ctx, address, o)
}

// ended reports whether the newest certificate that an address had was revoked for good.
func ended(records []Record) bool {
	for _, r := range records {
		if r.Kept {
			return !r.Revoked.IsZero() && r.Reason.EndsEnrollment()
		}
	}
	return false
}

func signs(c *x509.Certificate) bool { return c.KeyUsage&x509.KeyUsageDigitalSignature != 0 }

func (e *Enroller) exists(ctx context.Context, address string) error {
	if e.o().Exists == nil {
		return nil
	}
	known, err := e.o().Exists(ctx, address)
	if err != nil {
		return err
	}
	if !known {
		return &RefusedError{address, "it is not an address of the company that exists; add it to the list of recipients, or issue it a certificate by order"}
	}
	return nil
}

// able asks an issuer that can tell whether it will issue for an address, before anything is written down and a key is made.
func (e *Enroller) able(ctx context.Context, address string) error {
	if i, ok := e.o().Issuer.(interface {
		Able(ctx context.Context, address string) error
	}); ok {
		return i.Able(ctx, address)
	}
	return nil
}

// make gives an address its certificates.
func (e *Enroller) make(ctx context.Context, address string, o Occasion) error {
	purposes := []certs.Purpose{certs.Any}
	if e.o().Separate {
		purposes = []certs.Purpose{certs.Encrypt, certs.Sign} // whoever can sign can be encrypted to
	}
	for _, p := range purposes {
		if err := e.makeOne(ctx, address, p, o); err != nil {
			return err
		}
	}
	return nil
}

// makeOne makes a key, has it certified, and keeps both. The ledger knows the certificate before anybody has it, and whether
// it was kept after that: what a crash leaves in between is found by Tidy.
func (e *Enroller) makeOne(ctx context.Context, address string, p certs.Purpose, o Occasion) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	key, err := NewKey(e.o().Key)
	if err != nil {
		return err
	}
	issued, err := e.o().Issuer.Issue(ctx, Request{Address: address, Purpose: p, Key: key})
	if err != nil {
		return err
	}
	if !fits(issued.Certificate, key) {
		return fmt.Errorf("enroll: the issuer gave %s a certificate of another key", printable(address))
	}
	if err := e.o().Ledger.Record(ctx, Record{Certificate: issued.Certificate, Address: address}); err != nil {
		return err
	}
	if err := e.o().Keeper.Keep(ctx, issued, key); err != nil {
		return err
	}
	if err := e.o().Ledger.Keep(ctx, issued.Certificate); err != nil {
		return err
	}
	e.o().Log.WithFields(logrus.Fields{"address": address, "serial": fmt.Sprintf("%x", issued.Certificate.SerialNumber),
		"until": issued.Certificate.NotAfter.UTC().Format(time.RFC3339), "occasion": string(o)}).Info("certificate issued")
	return nil
}

// Order gives an address a certificate by the word of an administrator. Without again one that can sign has enough:
// done is false then.
func (e *Enroller) Order(ctx context.Context, address string, again bool) (done bool, err error) {
	var made atomic.Bool
	key := certs.AddressKey(address)
	if key == "" {
		return false, &RefusedError{address, "this is no mail address"}
	}
	err = e.fly(ctx, key, func(ctx context.Context) error {
		_, err := e.o().Keeper.Signing(ctx, key, e.o().Now())
		if errors.Is(err, certs.ErrUnavailable) || err == nil && !again {
			return err
		}
		occasion := Ordered
		if err == nil {
			occasion = Renewal
		}
		if err := e.able(ctx, key); err != nil {
			return err
		}
		if err := e.make(ctx, key, occasion); err != nil {
			return err
		}
		made.Store(true)
		return nil
	})
	return made.Load() && err == nil, err
}

// Revoke ends the use of a certificate here and has its issuer tell the world.
func (e *Enroller) Revoke(ctx context.Context, c *x509.Certificate, why Reason) error {
	if _, err := e.o().Ledger.Find(ctx, c); err != nil {
		return err
	}
	if err := e.o().Keeper.Distrust(ctx, c); err != nil {
		return err
	}
	if err := e.o().Issuer.Revoke(ctx, c, why); err != nil {
		return err
	}
	return e.o().Ledger.Revoke(ctx, c, e.o().Now(), why)
}
