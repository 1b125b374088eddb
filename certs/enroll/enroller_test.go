package enroll_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
)

// shelf is a keeper in memory: a fake, whose faults can be chosen. The scenarios of the gateway run on the true store.
type shelf struct {
	mu      sync.Mutex
	held    []certs.Identity // newest last
	bad     map[string]bool  // distrusted, by raw certificate
	fail    error            // of Keep
	away    error            // of Signing
	refuses bool             // nothing that is kept may sign
}

func (s *shelf) Keep(_ context.Context, i enroll.Issued, key crypto.Signer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.held = append(s.held, certs.Identity{Certificate: i.Certificate, Chain: i.Chain, Key: key})
	}
	return s.fail
}

func (s *shelf) Kept(_ context.Context, c *x509.Certificate) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.held {
		if id.Certificate.Equal(c) {
			return true, nil
		}
	}
	return false, nil
}

func (s *shelf) Distrust(_ context.Context, c *x509.Certificate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[string(c.Raw)] = true
	return nil
}

func (s *shelf) Signing(_ context.Context, address string, now time.Time) (certs.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return certs.Identity{}, s.away
	}
	err := certs.ErrNotFound
	for i := len(s.held) - 1; i >= 0; i-- {
		id := s.held[i]
		c := id.Certificate
		if certs.AddressKey(certs.Addresses(c)[0]) != certs.AddressKey(address) || c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
			continue
		}
		if s.refuses || s.bad[string(c.Raw)] || now.After(c.NotAfter) || now.Before(c.NotBefore) {
			err = &certs.UnusableError{Address: address, Result: certs.Result{Status: certs.StatusUntrusted}}
			continue
		}
		return id, nil
	}
	return certs.Identity{}, err
}

// office is an enroller with a CA and a shelf.
type office struct {
	*bench
	shelf *shelf
	e     *enroll.Enroller
	o     enroll.Options
	hook  *logtest.Hook
	noted []string
	mu    sync.Mutex
}

func newOffice(t *testing.T, alter func(*enroll.Options)) *office {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	f := &office{bench: newBench(t), shelf: &shelf{bad: map[string]bool{}}, hook: hook}
	f.found()
	f.o = enroll.Options{Issuer: f.ca, Ledger: f.store.Ledger(), Keeper: f.shelf, Key: enroll.P256, Now: func() time.Time { return f.now }, Log: log,
		Note: func(_ context.Context, address string, o enroll.Occasion) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.noted = append(f.noted, fmt.Sprint(address, ": ", o))
			return nil
		}}
	if alter != nil {
		alter(&f.o)
	}
	f.begin()
	return f
}

// begin makes the enroller, again where there is one.
func (f *office) begin() {
	f.t.Helper()
	if f.e != nil {
		f.e.Close()
	}
	f.e = must(enroll.New(f.o))
	f.t.Cleanup(func() { f.e.Close() })
}

func (f *office) records(address string) []enroll.Record {
	f.t.Helper()
	all, err := f.o.Ledger.IssuedTo(f.t.Context(), address)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// However many messages of one new user come at once, there is one certificate, noted once; the others wait for it.
func TestFirstUseOnce(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	f := newOffice(t, nil)
	var wg sync.WaitGroup
	serials := make([]string, 100)
	for i := range serials {
		wg.Go(func() {
			id, err := f.e.Signing(t.Context(), []string{"alice@firma.example", "Alice@FIRMA.example"}[i%2])
			if err != nil {
				t.Error(err)
				return
			}
			serials[i] = id.Certificate.SerialNumber.String()
		})
	}
	wg.Wait()
	for _, s := range serials {
		if s != serials[0] {
			t.Fatal("there are two certificates")
		}
	}
	if all := f.records("alice@firma.example"); len(all) != 1 || !all[0].Kept || len(f.noted) != 1 || f.noted[0] != "alice@firma.example: first use" {
		t.Errorf("%d records, noted %q", len(all), f.noted)
	}
	if err := f.e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.e.Signing(t.Context(), "bob@firma.example"); !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	f.store.Close()
}

// What is in the way decides whether a message waits or goes without.
func TestFirstUseFails(t *testing.T) {
	broken := errors.New("the disk is full")
	for name, c := range map[string]struct {
		alter  func(*office)
		who    string
		waits  bool
		issued int // records
	}{
		"no address":       {nil, "alice", false, 0},
		"not ours":         {nil, "eve@other.example", false, 0},
		"store away":       {func(f *office) { f.shelf.away = &certs.UnavailableError{} }, "", true, 0},
		"ledger away":      {func(f *office) { f.store.Close() }, "", true, -1},
		"not kept":         {func(f *office) { f.shelf.fail = broken }, "", true, 1},
		"not noted":        {func(f *office) { f.o.Note = func(context.Context, string, enroll.Occasion) error { return broken } }, "", true, 0},
		"nobody":           {func(f *office) { f.o.Exists = func(context.Context, string) (bool, error) { return false, nil } }, "", false, 0},
		"directory away":   {func(f *office) { f.o.Exists = func(context.Context, string) (bool, error) { return true, broken } }, "", true, 0},
		"not believed":     {func(f *office) { f.shelf.refuses = true }, "", false, 1},
		"issuer panics":    {func(f *office) { f.o.Issuer = panicking{} }, "", true, 0},
		"another key":      {func(f *office) { f.o.Issuer = swapping{f.ca} }, "", true, 1},
		"too many at once": {func(f *office) { f.o.PerHour = -1 }, "", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newOffice(t, nil)
			if c.alter != nil {
				c.alter(f)
				f.begin()
			}
			who := c.who
			if who == "" {
				who = "alice@firma.example"
			}
			for range 3 { // it does not get worse
				_, err := f.e.Signing(t.Context(), who)
				var refused *enroll.RefusedError
				if waits := errors.Is(err, certs.ErrUnavailable); waits != c.waits || waits == errors.As(err, &refused) {
					t.Fatalf("waits %v: %v", waits, err)
				}
				if name == "not kept" || name == "another key" {
					break
				}
			}
			if c.issued >= 0 && len(f.records("alice@firma.example")) != c.issued {
				t.Errorf("%d records", len(f.records("alice@firma.example")))
			}
			if _, err := f.o.Keeper.Signing(t.Context(), "alice@firma.example", f.now); err == nil {
				t.Error("something signs all the same")
			}
		})
	}
}

type panicking struct{}

func (panicking) Issue(context.Context, enroll.Request) (enroll.Issued, error)   { panic("driver") }
func (panicking) Revoke(context.Context, *x509.Certificate, enroll.Reason) error { return nil }

// swapping certifies another key than it was given.
type swapping struct{ enroll.Issuer }

func (s swapping) Issue(ctx context.Context, r enroll.Request) (enroll.Issued, error) {
	r.Key = must(enroll.NewKey(enroll.P256))
	return s.Issuer.Issue(ctx, r)
}

func TestFirstUsesAreBounded(t *testing.T) {
	f := newOffice(t, func(o *enroll.Options) { o.PerHour = 2 })
	use := func(who string) error { _, err := f.e.Signing(t.Context(), who+"@firma.example"); return err }
	if err := errors.Join(use("a"), use("b"), use("a"), use("b")); err != nil {
		t.Error(err)
	}
	if err := use("c"); !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("the third: %v", err)
	}
	f.now = f.now.Add(time.Hour)
	if err := use("c"); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	f.now = f.now.Add(-90 * time.Minute) // the clock was set back: nobody is locked out until it catches up
	if err := use("a"); err != nil {
		t.Error(err)
	}
}

// Who invents marks for an address gets a few certificates, waits for nobody's, and keeps nobody waiting who has none.
func TestFirstUsesWithMarks(t *testing.T) {
	f := newOffice(t, func(o *enroll.Options) { o.PerHour, o.Tag = 16, "--" })
	use := func(who string) error { _, err := f.e.Signing(t.Context(), who+"@firma.example"); return err }
	var refused *enroll.RefusedError
	if err := errors.Join(use("mallory+1"), use("Mallory+2"), use("mallory--3+4")); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"mallory+5", "mallory--6", "mallory+1+7"} {
		if err := use(who); !errors.As(err, &refused) || !strings.Contains(err.Error(), "without the mark") {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := errors.Join(use("mallory+1"), use("mallory"), use("bob+x")); err != nil { // who has one, who has no mark, another one
		t.Error(err)
	}
	if err := use("carol+x"); !errors.Is(err, certs.ErrUnavailable) { // the fifth with a mark of 16
		t.Errorf("%v", err)
	}
	for i := range 11 {
		if err := use(fmt.Sprintf("u%d", i)); err != nil {
			t.Errorf("kept waiting by marks: %v", err)
		}
	}
	if err := use("last"); !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("the seventeenth: %v", err)
	}
	f.now = f.now.Add(time.Hour)
	if err := use("carol+x"); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	if err := use("mallory+8"); !errors.As(err, &refused) {
		t.Errorf("an hour later: %v", err)
	}
	f.now = f.now.Add(23 * time.Hour)
	if err := errors.Join(use("mallory+8"), use("+dora"), use("+erin")); err != nil { // a mark at the beginning is none
		t.Errorf("a day later: %v", err)
	}
}

// Nobody waits longer than their time; the certificate is there for the next who asks.
func TestImpatience(t *testing.T) {
	f := newOffice(t, nil)
	slow := &slowIssuer{Issuer: f.ca, begun: make(chan struct{}), go_: make(chan struct{})}
	f.o.Issuer = slow
	f.begin()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := f.e.Signing(ctx, "alice@firma.example"); done <- err }()
	<-slow.begun
	cancel()
	if err := <-done; !errors.Is(err, certs.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	close(slow.go_)
	f.e.Close()
	if all := f.records("alice@firma.example"); len(all) != 1 || !all[0].Kept {
		t.Errorf("%+v", all)
	}
}

type slowIssuer struct {
	enroll.Issuer
	begun, go_ chan struct{}
}

func (s *slowIssuer) Issue(ctx context.Context, r enroll.Request) (enroll.Issued, error) {
	close(s.begun)
	<-s.go_
	return s.Issuer.Issue(ctx, r)
}

// A certificate that was revoked is followed by another one, unless its owner has left; the administrator decides otherwise.
func TestAfterRevocation(t *testing.T) {
	for why, again := range map[enroll.Reason]bool{enroll.KeyCompromise: true, enroll.Superseded: true, enroll.Unspecified: true,
		enroll.AffiliationChanged: false, enroll.CessationOfOperation: false, enroll.PrivilegeWithdrawn: false} {
		t.Run(why.String(), func(t *testing.T) {
			f := newOffice(t, nil)
			id, err := f.e.Signing(t.Context(), "alice@firma.example")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.e.Revoke(t.Context(), id.Certificate, why); err != nil {
				t.Fatal(err)
			}
			next, err := f.e.Signing(t.Context(), "alice@firma.example")
			if (err == nil) != again || again && next.Certificate.Equal(id.Certificate) {
				t.Fatalf("afterwards: %v", err)
			}
			if l := f.list(id.Certificate); len(l.RevokedCertificateEntries) != 1 {
				t.Error("the world is not told")
			}
			if done, err := f.e.Order(t.Context(), "alice@firma.example", false); err != nil || done == again {
				t.Errorf("by order: %v, %v", done, err)
			}
			if _, err := f.e.Signing(t.Context(), "alice@firma.example"); err != nil {
				t.Error(err)
			}
		})
	}
	f := newOffice(t, nil)
	if err := f.e.Revoke(t.Context(), f.issue("x@firma.example", certs.Any, enroll.P256).Certificate, 0); err != nil {
		t.Error(err)
	}
	if err := f.e.Revoke(t.Context(), newOffice(t, nil).issue("x@firma.example", certs.Any, enroll.P256).Certificate, 0); !errors.Is(err, enroll.ErrUnknown) {
		t.Error(err)
	}
}

// What a crash left between issue and storage is revoked, or known to be kept; it never signs.
func TestTidyAfterCrash(t *testing.T) {
	f := newOffice(t, nil)
	lost := f.issue("lost@firma.example", certs.Any, enroll.P256) // in the ledger, its key is gone
	key := must(enroll.NewKey(enroll.P256))
	stored := must(f.ca.Issue(t.Context(), enroll.Request{Address: "stored@firma.example", Purpose: certs.Any, Key: key}))
	if err := f.shelf.Keep(t.Context(), stored, key); err != nil { // and the process died before the ledger knew
		t.Fatal(err)
	}
	for range 2 {
		f.open()
		f.o.Issuer, f.o.Ledger = f.ca, f.store.Ledger()
		f.begin()
		if err := f.e.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.ca.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l := f.list(lost.Certificate); len(l.RevokedCertificateEntries) != 1 || l.RevokedCertificateEntries[0].SerialNumber.Cmp(lost.Certificate.SerialNumber) != 0 {
		t.Error("what was lost is not revoked, or more than that is")
	}
	if all := f.records("stored@firma.example"); len(all) != 1 || !all[0].Kept || !all[0].Revoked.IsZero() {
		t.Errorf("what was stored: %+v", all)
	}
	if _, err := f.e.Signing(t.Context(), "lost@firma.example"); err != nil {
		t.Errorf("the address stays without: %v", err)
	}
}

// Certificates are renewed in time and once, for those who are still there, with a new key.
func TestRenewal(t *testing.T) {
	for _, separate := range []bool{false, true} {
		t.Run(fmt.Sprint("separate ", separate), func(t *testing.T) {
			left := map[string]bool{"left@firma.example": true}
			f := newOffice(t, func(o *enroll.Options) {
				o.Separate = separate
				o.Exists = func(_ context.Context, address string) (bool, error) { return !left[address], nil }
			})
			each := 1
			if separate {
				each = 2
			}
			for _, who := range []string{"alice", "left", "fired"} {
				if _, err := f.e.Order(t.Context(), who+"@firma.example", false); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range f.records("fired@firma.example") {
				if err := f.e.Revoke(t.Context(), r.Certificate, enroll.AffiliationChanged); err != nil {
					t.Fatal(err)
				}
			}
			end := f.records("alice@firma.example")[0].Certificate.NotAfter
			for _, step := range []struct {
				before time.Duration
				want   int // certificates of alice
			}{{40 * 24 * time.Hour, each}, {29 * 24 * time.Hour, 2 * each}, {20 * 24 * time.Hour, 2 * each}, {time.Hour, 2 * each}} {
				f.now = end.Add(-step.before)
				f.begin() // a restart
				if err := f.e.Tidy(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := len(f.records("alice@firma.example")); got != step.want {
					t.Errorf("%v before the end: %d certificates", step.before, got)
				}
			}
			if got := len(f.records("left@firma.example")) + len(f.records("fired@firma.example")); got != 2*each {
				t.Errorf("those who left have %d", got)
			}
			all := f.records("alice@firma.example")
			if fmt.Sprint(all[0].Certificate.PublicKey) == fmt.Sprint(all[each].Certificate.PublicKey) {
				t.Error("the key is the old one")
			}
		})
	}
}

// Two certificates of one address divide the work.
func TestSeparate(t *testing.T) {
	f := newOffice(t, func(o *enroll.Options) { o.Separate = true })
	id, err := f.e.Signing(t.Context(), "alice@firma.example")
	if err != nil || id.Certificate.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Fatal(err)
	}
	var usages []x509.KeyUsage
	for _, id := range f.shelf.held {
		usages = append(usages, id.Certificate.KeyUsage)
	}
	if len(usages) != 2 || usages[0] != x509.KeyUsageKeyAgreement {
		t.Errorf("%v", usages)
	}
}
