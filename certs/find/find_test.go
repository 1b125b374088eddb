package find_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/find"
)

const bob = "bob@partner.example"

// The certificates of these tests, made once: keys take time. The time of synctest begins in 2000.
var world = sync.OnceValue(func() *cast {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	must := func(id certs.Identity, err error) *x509.Certificate {
		if err != nil {
			panic(err)
		}
		return id.Certificate
	}
	ca, err := democa.NewCA(now)
	if err != nil {
		panic(err)
	}
	below, err := ca.Intermediate("below", democa.Options{})
	if err != nil {
		panic(err)
	}
	stranger, err := democa.NewCA(now)
	if err != nil {
		panic(err)
	}
	from := func(days int) democa.Options { return democa.Options{NotBefore: now.AddDate(0, 0, days)} }
	return &cast{
		ca: ca, below: below,
		old: must(ca.Issue(bob, from(-30))), fresh: must(ca.Issue("Bob@PARTNER.example", from(-3))),
		deep: must(below.Issue(bob, from(-2))), carol: must(ca.Issue("carol@partner.example", from(-1))),
		expired: must(ca.Issue(bob, democa.Options{NotBefore: now.AddDate(-2, 0, 0)})),
		foreign: must(stranger.Issue(bob, democa.Options{})),
		signs:   must(ca.Issue(bob, democa.Options{KeyUsage: x509.KeyUsageDigitalSignature})),
	}
})

type cast struct {
	ca, below                                        *democa.CA
	old, fresh, deep, carol, expired, foreign, signs *x509.Certificate
}

// source is a directory in the test's hands.
type source struct {
	name  string
	asked atomic.Int64
	reply func(ctx context.Context, address string) ([]*x509.Certificate, error)
}

func (s *source) Name() string { return s.name }

func (s *source) Certificates(ctx context.Context, address string) ([]*x509.Certificate, error) {
	s.asked.Add(1)
	return s.reply(ctx, address)
}

func has(name string, all ...*x509.Certificate) *source {
	return &source{name: name, reply: func(context.Context, string) ([]*x509.Certificate, error) { return all, nil }}
}

var errDown = errors.New("connection refused")

func down(name string) *source {
	return &source{name: name, reply: func(context.Context, string) ([]*x509.Certificate, error) { return nil, errDown }}
}

// own is what the gateway has itself.
type own struct {
	mu   sync.Mutex
	cert *x509.Certificate
	err  error
}

func (o *own) set(c *x509.Certificate, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cert, o.err = c, err
}

func (o *own) Signing(context.Context, string, time.Time) (certs.Identity, error) {
	return certs.Identity{}, certs.ErrNotFound
}

func (o *own) Recipient(context.Context, string, time.Time) (*x509.Certificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cert, o.err
}

func (o *own) Decryption(context.Context, []certs.KeyID) ([]certs.Identity, error) {
	return []certs.Identity{{}}, nil
}

// bench is a finder and what it was made of.
type bench struct {
	*testing.T
	*find.Finder
	own  *own
	hook *logtest.Hook
	mu   sync.Mutex
	kept []string
}

func (b *bench) keep(_ context.Context, source string, found []*x509.Certificate) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, fmt.Sprintf("%s %d", source, len(found)))
	return nil
}

func run(t *testing.T, alter func(*find.Options), f func(*bench), sources ...find.Source) {
	t.Helper()
	w := world()
	synctest.Test(t, func(t *testing.T) {
		log, hook := logtest.NewNullLogger()
		log.SetLevel(logrus.DebugLevel)
		b := &bench{T: t, own: &own{err: certs.ErrNotFound}, hook: hook}
		o := find.Options{
			Own: b.own, Sources: sources, Keep: b.keep, Log: log,
			Judge: certs.NewValidator([]*x509.Certificate{w.ca.Certificate()}, nil),
		}
		if alter != nil {
			alter(&o)
		}
		var err error
		if b.Finder, err = find.New(o); err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		f(b)
	})
}

// ask looks an address up and names the certificate by its serial number, or the error.
func (b *bench) ask(address string) (*x509.Certificate, error) {
	return b.Recipient(b.Context(), address, time.Now())
}

func (b *bench) want(what string, want *x509.Certificate) {
	b.Helper()
	if got, err := b.ask(bob); err != nil || !got.Equal(want) {
		b.Errorf("%s: %v, %v", what, got, err)
	}
}

func (b *bench) wantErr(what string, want error) {
	b.Helper()
	if got, err := b.ask(bob); got != nil || !errors.Is(err, want) {
		b.Errorf("%s: %v, %v; want %v", what, got, err, want)
	}
}

// The first source in order that has a valid certificate decides, and of its certificates the newest.
func TestOrder(t *testing.T) {
	w := world()
	first, second, third := has("first", w.expired, w.carol, nil), has("second", w.old, w.fresh, w.foreign), has("third", w.deep, w.below.Certificate())
	run(t, nil, func(b *bench) {
		b.want("second", w.fresh)
		b.want("again", w.fresh)
		if first.asked.Load() != 1 || second.asked.Load() != 1 || third.asked.Load() != 0 {
			t.Errorf("asked %d, %d, %d", first.asked.Load(), second.asked.Load(), third.asked.Load())
		}
		if got := strings.Join(b.kept, ", "); got != "second 2" {
			t.Errorf("kept %s", got)
		}
	}, first, second, third)
	run(t, nil, func(b *bench) {
		b.want("a path through what the source has beside it", w.deep)
		if got := strings.Join(b.kept, ", "); got != "third 2" {
			t.Errorf("kept %s", got)
		}
	}, third)
}

// Nothing of a stranger is used that does not stand up to judgement, and the reason is told.
func TestJudged(t *testing.T) {
	w := world()
	for name, c := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"expired": {w.expired, "has expired"}, "of nobody known": {w.foreign, "comes from an issuer that is not trusted"},
		"of somebody else": {w.carol, "is known"}, "for signing": {w.signs, "is not made for this purpose"}, "none": {nil, "is known"},
	} {
		run(t, nil, func(b *bench) {
			got, err := b.ask(bob)
			if got != nil || !strings.Contains(certs.Why(err, bob), c.want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			if len(b.kept) > 0 {
				t.Errorf("%s: kept %q", name, b.kept)
			}
		}, has("s", c.cert))
	}
	run(t, func(o *find.Options) { o.Fits = func(*x509.Certificate) bool { return false } }, func(b *bench) {
		if _, err := b.ask(bob); !strings.Contains(certs.Why(err, bob), "is not made for this purpose") {
			t.Errorf("a key that does not fit: %v", err)
		}
	}, has("s", w.fresh))
}

// deadRevocation cannot tell of any certificate whether it is revoked.
type deadRevocation struct{}

func (deadRevocation) Revoked(_ context.Context, chain []*x509.Certificate, _ time.Time) []certs.Fault {
	return []certs.Fault{{Status: certs.StatusRevoked, Reason: "nobody answers", Away: &certs.UnavailableError{Source: "crl", Err: errDown}}}
}

// Where it cannot be told whether a certificate is revoked, waiting may help; it is neither used nor kept meanwhile.
func TestRevocationAway(t *testing.T) {
	w := world()
	s := has("s", w.expired, w.fresh)
	run(t, func(o *find.Options) {
		o.Judge = certs.NewValidator([]*x509.Certificate{w.ca.Certificate()}, nil).WithRevocation(deadRevocation{})
	}, func(b *bench) {
		b.wantErr("away", certs.ErrUnavailable)
		time.Sleep(2 * time.Minute)
		b.wantErr("still", certs.ErrUnavailable)
		if s.asked.Load() != 2 || len(b.kept) > 0 {
			t.Errorf("asked %d times, kept %q", s.asked.Load(), b.kept)
		}
	}, s)
}

// What the gateway has itself is taken, and asked for once in a while whether there is something newer; what
// it has and may not use is explained, unless somebody has better.
func TestOwnFirst(t *testing.T) {
	w := world()
	s := has("s", w.fresh)
	run(t, nil, func(b *bench) {
		b.own.set(w.old, nil)
		for range 3 {
			b.want("own", w.old)
			synctest.Wait()
		}
		time.Sleep(25 * time.Hour)
		b.want("own, a day later", w.old)
		synctest.Wait()
		if s.asked.Load() != 2 || len(b.kept) != 2 {
			t.Errorf("refreshed %d times, kept %q", s.asked.Load(), b.kept)
		}
		unusable := &certs.UnusableError{Address: bob, Result: certs.Result{Status: certs.StatusRevoked}}
		b.own.set(nil, unusable)
		b.want("own is revoked", w.fresh)
		odd := errors.New("disk")
		b.own.set(nil, odd)
		b.wantErr("own has a fault", odd)
	}, s)
	run(t, nil, func(b *bench) {
		b.own.set(nil, &certs.UnusableError{Address: bob, Result: certs.Result{Status: certs.StatusRevoked}})
		if _, err := b.ask(bob); !strings.Contains(certs.Why(err, bob), "revoked") {
			t.Errorf("%v", err)
		}
		b.own.set(nil, &certs.UnavailableError{Source: "vault"})
		b.wantErr("own is away", certs.ErrUnavailable)
	}, has("s", w.expired))
	run(t, nil, func(b *bench) {
		b.wantErr("no sources", certs.ErrNotFound)
		if _, err := b.Signing(b.Context(), bob, time.Now()); !errors.Is(err, certs.ErrNotFound) {
			t.Error(err)
		}
		if all, err := b.Decryption(b.Context(), nil); len(all) != 1 || err != nil {
			t.Error(all, err)
		}
	})
}

// That there is none is remembered for a short time, that there is one for longer.
func TestRemembered(t *testing.T) {
	w := world()
	var there atomic.Bool
	s := &source{name: "s", reply: func(context.Context, string) ([]*x509.Certificate, error) {
		if there.Load() {
			return []*x509.Certificate{w.fresh}, nil
		}
		return nil, nil
	}}
	run(t, func(o *find.Options) { o.Keep = nil }, func(b *bench) {
		b.wantErr("none", certs.ErrNotFound)
		there.Store(true)
		time.Sleep(14 * time.Minute)
		b.wantErr("still remembered", certs.ErrNotFound)
		time.Sleep(2 * time.Minute)
		b.want("asked again", w.fresh)
		there.Store(false)
		time.Sleep(23 * time.Hour)
		b.want("remembered for a day", w.fresh)
		time.Sleep(2 * time.Hour)
		b.wantErr("and no longer", certs.ErrNotFound)
		if s.asked.Load() != 3 {
			t.Errorf("asked %d times", s.asked.Load())
		}
	}, s)
}

// What is forgotten is asked again, for the addresses of that domain and no others.
func TestForget(t *testing.T) {
	w := world()
	s := has("partners")
	run(t, nil, func(b *bench) {
		b.wantErr("nothing yet", certs.ErrNotFound)
		b.Finder.Recipient(b.Context(), "x@other.example", time.Now())
		s.reply = has("", w.fresh).reply
		b.wantErr("it is remembered that there was nothing", certs.ErrNotFound)
		for _, domain := range []string{"other.example", "example", "ner.example", "", "no domain"} {
			b.Forget(domain)
			b.wantErr(domain, certs.ErrNotFound)
		}
		b.Forget("Partner.EXAMPLE")
		b.want("asked again", w.fresh)
		if n := s.asked.Load(); n != 3 {
			b.Errorf("asked %d times", n)
		}
	}, s)
}

// A look-up that is under way may have been told already that there is nothing: it is not remembered, and whoever looks after Forget asks again.
func TestForgetDuringLookUp(t *testing.T) {
	w := world()
	var there atomic.Bool
	s := &source{name: "partners", reply: func(ctx context.Context, address string) ([]*x509.Certificate, error) {
		what := there.Load()
		time.Sleep(time.Second)
		if what {
			return []*x509.Certificate{w.fresh}, nil
		}
		return nil, nil
	}}
	run(t, nil, func(b *bench) {
		before := make(chan struct{})
		go func() {
			defer close(before)
			b.wantErr("before it is there", certs.ErrNotFound)
		}()
		synctest.Wait()
		there.Store(true)
		b.Forget("partner.example")
		b.want("while the other looks", w.fresh)
		<-before
		b.want("afterwards", w.fresh)
		if n := s.asked.Load(); n != 2 {
			b.Errorf("asked %d times", n)
		}
	}, s)
}

// What is remembered is judged anew each time, and bounded.
func TestRememberedIsBounded(t *testing.T) {
	w := world()
	s := has("s", w.old)
	run(t, func(o *find.Options) { o.Found, o.Most = 1000*24*time.Hour, 10 }, func(b *bench) {
		b.want("valid", w.old)
		for i := range 100 {
			if _, err := b.ask(fmt.Sprintf("user%d@partner.example", i)); !errors.Is(err, certs.ErrNotFound) {
				t.Fatal(err)
			}
		}
		b.want("forgotten and asked again", w.old)
		if s.asked.Load() != 102 {
			t.Errorf("asked %d times", s.asked.Load())
		}
		time.Sleep(400 * 24 * time.Hour)
		if _, err := b.ask(bob); !strings.Contains(certs.Why(err, bob), "expired") {
			t.Error(err)
		}
	}, s)
}

// A source that is away decides only where nothing else has a certificate, and where its absence matters.
func TestAway(t *testing.T) {
	w := world()
	run(t, nil, func(b *bench) {
		b.want("another has it", w.fresh)
	}, down("first"), has("second", w.fresh))
	run(t, nil, func(b *bench) {
		_, err := b.ask(bob)
		var away *certs.UnavailableError
		if !errors.As(err, &away) || away.Source != "first" || !errors.Is(err, errDown) {
			t.Errorf("%v", err)
		}
	}, down("first"), has("second"))
	pass := func(o *find.Options) { o.Pass = map[string]bool{"first": true} }
	s := has("second")
	run(t, pass, func(b *bench) {
		b.wantErr("passes", certs.ErrNotFound)
		time.Sleep(2 * time.Minute)
		b.wantErr("and is not remembered for long", certs.ErrNotFound)
		if s.asked.Load() != 2 {
			t.Errorf("asked %d times", s.asked.Load())
		}
	}, down("first"), s)
}

// What a source once had is used while the source is away, as long as it is valid.
func TestAwayAfterAnswer(t *testing.T) {
	w := world()
	var away atomic.Bool
	s := &source{name: "s", reply: func(context.Context, string) ([]*x509.Certificate, error) {
		if away.Load() {
			return nil, errDown
		}
		return []*x509.Certificate{w.fresh}, nil
	}}
	run(t, func(o *find.Options) { o.Keep = nil }, func(b *bench) {
		b.want("there", w.fresh)
		away.Store(true)
		time.Sleep(25 * time.Hour)
		b.want("away", w.fresh)
		away.Store(false)
		time.Sleep(time.Minute)
		b.want("back", w.fresh)
		var lines []string
		for _, e := range b.hook.AllEntries() {
			lines = append(lines, e.Message)
		}
		if len(lines) != 2 || !strings.Contains(lines[0], "cannot be asked") || !strings.Contains(lines[1], "answers again") {
			t.Errorf("the log says %q", lines)
		}
	}, s)
}

// A source that hangs, also one that does not heed its context, costs each message little, and little room.
func TestHanging(t *testing.T) {
	var release chan struct{} // of the bubble of time
	var inside atomic.Int64
	s := &source{name: "s", reply: func(context.Context, string) ([]*x509.Certificate, error) {
		inside.Add(1)
		defer inside.Add(-1)
		<-release
		return nil, nil
	}}
	run(t, nil, func(b *bench) {
		release = make(chan struct{})
		start := time.Now()
		b.wantErr("hangs", certs.ErrUnavailable)
		if took := time.Since(start); took != find.DefaultTimeout {
			t.Errorf("it took %v", took)
		}
		start = time.Now()
		for i := range 100 {
			if _, err := b.ask(fmt.Sprintf("user%d@partner.example", i)); !errors.Is(err, certs.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a hundred more took %v", took)
		}
		for range 50 {
			time.Sleep(2 * time.Minute)
			b.wantErr("still hangs", certs.ErrUnavailable)
		}
		if n := inside.Load(); n > 8 {
			t.Errorf("%d questions hang", n)
		}
		close(release)
		time.Sleep(2 * time.Minute)
		b.wantErr("it has none", certs.ErrNotFound)
	}, s)
}

// However many ask at once, the source is asked once; who gives up does not end it for the others.
func TestOneAtATime(t *testing.T) {
	w := world()
	s := &source{name: "s", reply: func(ctx context.Context, _ string) ([]*x509.Certificate, error) {
		select {
		case <-time.After(time.Second):
			return []*x509.Certificate{w.fresh}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
	run(t, nil, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.Context(), time.Millisecond)
		defer cancel()
		if _, err := b.Recipient(ctx, bob, time.Now()); !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("who gave up: %v", err)
		}
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				address := bob
				if i%2 == 0 {
					address = "BOB@partner.EXAMPLE"
				}
				if got, err := b.ask(address); err != nil || !got.Equal(w.fresh) {
					t.Error(got, err)
				}
			})
		}
		wg.Wait()
		if s.asked.Load() != 1 {
			t.Errorf("asked %d times", s.asked.Load())
		}
	}, s)
}

// A fault in a source is that of a source that is away.
func TestPanic(t *testing.T) {
	s := &source{name: "s", reply: func(context.Context, string) ([]*x509.Certificate, error) { panic("planted") }}
	run(t, nil, func(b *bench) {
		if _, err := b.ask(bob); !errors.Is(err, certs.ErrUnavailable) || strings.Contains(err.Error(), "planted") {
			t.Error(err)
		}
	}, s)
}

// What cannot be kept is used, and said.
func TestNotKept(t *testing.T) {
	w := world()
	run(t, func(o *find.Options) {
		o.Keep = func(context.Context, string, []*x509.Certificate) error { return errors.New("disk full") }
	}, func(b *bench) {
		b.want("used", w.fresh)
		if last := b.hook.LastEntry(); last == nil || !strings.Contains(last.Message, "cannot be kept") {
			t.Error("the log does not say it")
		}
	}, has("s", w.fresh))
}

func TestClose(t *testing.T) {
	s := &source{name: "s", reply: func(ctx context.Context, _ string) ([]*x509.Certificate, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	run(t, nil, func(b *bench) {
		var wg sync.WaitGroup
		wg.Go(func() { b.wantErr("cut", certs.ErrUnavailable) })
		synctest.Wait()
		b.Close()
		wg.Wait()
		b.wantErr("closed", certs.ErrUnavailable)
	}, s)
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]find.Options{
		"nothing": {}, "no judge": {Own: &own{}},
		"one name twice": {Own: &own{}, Judge: certs.NewValidator(nil, nil), Sources: []find.Source{has("s"), has("s")}},
	} {
		if _, err := find.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
