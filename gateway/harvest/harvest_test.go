package harvest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/cms"
)

// The time of synctest begins in 2000.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var bob = mail.Address{Local: "bob", Domain: "partner.example"}

// cast are the certificates of these tests, made once: keys take time.
type cast struct {
	ca, below, stranger, strangerBelow                              *democa.CA
	bob, deep, signs, encrypts, other, expired, foreign, foreignLow *x509.Certificate
	alone                                                           *x509.Certificate
}

var world = sync.OnceValue(func() cast {
	ca := func(c *democa.CA, err error) *democa.CA {
		if err != nil {
			panic(err)
		}
		return c
	}
	issue := func(c *democa.CA, who string, o democa.Options) *x509.Certificate {
		id, err := c.Issue(who, o)
		if err != nil {
			panic(err)
		}
		return id.Certificate
	}
	var w cast
	w.ca, w.stranger = ca(democa.NewCA(start)), ca(democa.NewCA(start))
	w.below, w.strangerBelow = ca(w.ca.Intermediate("below", democa.Options{})), ca(w.stranger.Intermediate("strange", democa.Options{}))
	w.bob, w.deep = issue(w.ca, "Bob@partner.example", democa.Options{}), issue(w.below, "bob@partner.example", democa.Options{})
	w.signs = issue(w.ca, "bob@partner.example", democa.Options{KeyUsage: x509.KeyUsageDigitalSignature})
	w.encrypts = issue(w.below, "bob@partner.example", democa.Options{KeyUsage: x509.KeyUsageKeyEncipherment})
	w.other = issue(w.ca, "eve@partner.example", democa.Options{KeyUsage: x509.KeyUsageKeyEncipherment})
	w.expired = issue(w.ca, "bob@partner.example", democa.Options{NotBefore: start.AddDate(-2, 0, 0)})
	w.foreign, w.foreignLow = issue(w.stranger, "bob@partner.example", democa.Options{}), issue(w.strangerBelow, "bob@partner.example", democa.Options{})
	w.alone = issue(w.strangerBelow, "bob@partner.example", democa.Options{NotBefore: start.AddDate(-2, 0, 0)})
	return w
})

// keeper keeps in memory.
type keeper struct {
	mu         sync.Mutex
	kept       []*x509.Certificate
	unknown    []*x509.Certificate
	distrusted *x509.Certificate
	preferred  []*x509.Certificate
	tally      harvest.Tally
	err        error
}

func (k *keeper) Known(_ context.Context, c *x509.Certificate) (known, distrusted bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.ContainsFunc(slices.Concat(k.kept, k.unknown), c.Equal), k.distrusted != nil && c.Equal(k.distrusted), k.err
}

func (k *keeper) Keep(_ context.Context, all []*x509.Certificate, unknown bool) (news []*x509.Certificate, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return nil, k.err
	}
	list := &k.kept
	if unknown {
		list = &k.unknown
	}
	for _, c := range all {
		if !slices.ContainsFunc(slices.Concat(k.kept, k.unknown), c.Equal) {
			news, *list = append(news, c), append(*list, c)
		}
	}
	return news, nil
}

func (k *keeper) Preferred(context.Context, string) ([]*x509.Certificate, error) {
	return k.preferred, k.err
}

func (k *keeper) Tally(context.Context, time.Time) (harvest.Tally, error) { return k.tally, k.err }

// bench is a harvester that runs.
type bench struct {
	*testing.T
	*harvest.Harvester
	keeper   *keeper
	settings harvest.Settings
	hook     *logtest.Hook
	mu       sync.Mutex
	told     []string
}

func (b *bench) tell(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, fmt.Sprintf(format, args...))
}

func run(t *testing.T, f func(*bench)) {
	t.Helper()
	w := world()
	synctest.Test(t, func(t *testing.T) {
		log, hook := logtest.NewNullLogger()
		log.SetLevel(logrus.DebugLevel)
		b := &bench{T: t, keeper: &keeper{}, hook: hook}
		var err error
		b.Harvester, err = harvest.New(harvest.Options{
			Keeper: b.keeper, Log: log,
			Learned: func(_ context.Context, a mail.Address) { b.tell("learned %s", a) },
			Beside:  func(_ context.Context, a mail.Address, _, _ *x509.Certificate) { b.tell("beside %s", a) },
			Asked: func(_ context.Context, _ mail.Address, top *x509.Certificate) {
				b.tell("asked %s", top.Subject.CommonName)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.settings = harvest.Settings{
			Enabled: true, Unknown: true, Judge: certs.NewValidator([]*x509.Certificate{w.ca.Certificate()}, nil),
			Local: mail.Patterns{}, PerDay: 5, PerDomain: 3, UnknownPerDay: 2, Most: 1000,
		}
		b.Set(b.settings)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { b.Harvester.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		f(b)
	})
}

// offer offers a signature and waits until it was looked at.
func (b *bench) offer(s harvest.Signature) {
	if s.From.IsNull() {
		s.From = bob
	}
	b.Offer(s)
	synctest.Wait()
}

// names are the certificates of a list by their serial numbers in the cast.
func names(all []*x509.Certificate) string {
	w := world()
	known := map[string]*x509.Certificate{
		"bob": w.bob, "deep": w.deep, "signs": w.signs, "encrypts": w.encrypts, "other": w.other, "expired": w.expired, "foreign": w.foreign,
		"foreignLow": w.foreignLow, "ca": w.ca.Certificate(), "below": w.below.Certificate(), "stranger": w.stranger.Certificate(), "strangerBelow": w.strangerBelow.Certificate(),
		"alone": w.alone,
	}
	var out []string
	for _, c := range all {
		for name, k := range known {
			if c.Equal(k) {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, " ")
}

// What is kept of a signature, and what is not.
func TestHarvest(t *testing.T) {
	w := world()
	id := func(c *x509.Certificate) cms.RecipientID {
		return cms.RecipientID{Issuer: c.RawIssuer, Serial: c.SerialNumber}
	}
	all := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	below, ca := w.below.Certificate(), w.ca.Certificate()
	for name, c := range map[string]struct {
		s                   harvest.Signature
		kept, unknown, told string
	}{
		"one for both":           {harvest.Signature{Certificate: w.bob, Valid: true}, "bob", "", "learned bob@partner.example"},
		"with what leads up":     {harvest.Signature{Certificate: w.deep, Others: all(w.other, ca, below), Valid: true}, "deep below", "", "learned bob@partner.example"},
		"one to encrypt to":      {harvest.Signature{Certificate: w.signs, Others: all(below, w.other, w.encrypts), Valid: true}, "signs encrypts below", "", "learned bob@partner.example"},
		"the one that is named":  {harvest.Signature{Certificate: w.bob, Others: all(below, w.encrypts), Encryption: id(w.encrypts), Valid: true}, "bob encrypts below", "", "learned bob@partner.example"},
		"one that is not named":  {harvest.Signature{Certificate: w.bob, Others: all(below, w.encrypts), Valid: true}, "bob", "", "learned bob@partner.example"},
		"itself is named":        {harvest.Signature{Certificate: w.bob, Others: all(below, w.encrypts), Encryption: id(w.bob), Valid: true}, "bob", "", "learned bob@partner.example"},
		"somebody else's named":  {harvest.Signature{Certificate: w.signs, Others: all(w.other), Encryption: id(w.other), Valid: true}, "signs", "", "learned bob@partner.example"},
		"named, and not there":   {harvest.Signature{Certificate: w.signs, Others: all(below, w.encrypts), Encryption: id(w.other), Valid: true}, "signs", "", "learned bob@partner.example"},
		"expired":                {harvest.Signature{Certificate: w.expired, Valid: true}, "", "", ""},
		"of somebody else":       {harvest.Signature{Certificate: w.other, Valid: true}, "", "", ""},
		"said to be valid":       {harvest.Signature{Certificate: w.foreign, Valid: true}, "", "", ""},
		"below an unknown root":  {harvest.Signature{Certificate: w.foreignLow, Others: all(w.stranger.Certificate(), w.strangerBelow.Certificate(), below)}, "", "foreignLow strangerBelow stranger", "asked Siegel Demo CA"},
		"without the root":       {harvest.Signature{Certificate: w.foreignLow, Others: all(w.strangerBelow.Certificate())}, "", "foreignLow strangerBelow", "asked strange"},
		"without anything":       {harvest.Signature{Certificate: w.foreign}, "", "foreign", "asked bob@partner.example"},
		"unknown and expired":    {harvest.Signature{Certificate: w.alone, Others: all(w.strangerBelow.Certificate())}, "", "", ""},
		"unknown, somebody else": {harvest.Signature{From: mail.Address{Local: "eve", Domain: "partner.example"}, Certificate: w.foreign}, "", "", ""},
		"said not to be valid":   {harvest.Signature{Certificate: w.bob}, "", "", ""},
		"nobody":                 {harvest.Signature{Valid: true}, "", "", ""},
		"a colleague":            {harvest.Signature{From: mail.Address{Local: "bob", Domain: "firma.example"}, Certificate: w.bob, Valid: true}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench) {
				local, err := mail.ParsePatterns("@firma.example")
				if err != nil {
					b.Fatal(err)
				}
				b.settings.Local = local
				b.Set(b.settings)
				b.offer(c.s)
				if got := names(b.keeper.kept); got != c.kept {
					b.Errorf("kept %q, want %q", got, c.kept)
				}
				if got := names(b.keeper.unknown); got != c.unknown {
					b.Errorf("unknown %q, want %q", got, c.unknown)
				}
				if got := strings.Join(b.told, ", "); got != c.told {
					b.Errorf("told %q, want %q", got, c.told)
				}
			})
		})
	}
}

// What an administrator said no to, and what is switched off, is not learned.
func TestNotLearned(t *testing.T) {
	w := world()
	run(t, func(b *bench) {
		b.keeper.distrusted = w.bob
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		b.keeper.distrusted = w.stranger.Certificate()
		b.offer(harvest.Signature{Certificate: w.foreign, Others: []*x509.Certificate{w.stranger.Certificate()}})
		b.settings.Unknown = false
		b.Set(b.settings)
		b.offer(harvest.Signature{Certificate: w.foreignLow})
		b.settings.Enabled = false
		b.Set(b.settings)
		b.offer(harvest.Signature{Certificate: w.deep, Others: []*x509.Certificate{w.below.Certificate()}, Valid: true})
		if len(b.keeper.kept)+len(b.keeper.unknown)+len(b.told) > 0 {
			b.Errorf("kept %s %s, told %q", names(b.keeper.kept), names(b.keeper.unknown), b.told)
		}
	})
}

// An issuer that is known is not asked about, whatever is wrong below it.
func TestKnownIssuerIsNotAsked(t *testing.T) {
	w := world()
	run(t, func(b *bench) {
		b.settings.Judge = odd{b.settings.Judge}
		b.Set(b.settings)
		b.offer(harvest.Signature{Certificate: w.deep, Others: []*x509.Certificate{w.below.Certificate()}})
		if len(b.keeper.unknown) > 0 {
			b.Errorf("kept %s", names(b.keeper.unknown))
		}
	})
}

// odd judges every certificate of people untrusted, as where a constraint of their issuer is broken.
type odd struct{ certs.Judge }

func (o odd) Validate(ctx context.Context, c *x509.Certificate, others []*x509.Certificate, p certs.Purpose, a string, at time.Time) certs.Result {
	if !c.IsCA {
		return certs.Result{Status: certs.StatusUntrusted}
	}
	return o.Judge.Validate(ctx, c, others, p, a, at)
}

// Beside a certificate that an administrator brought in, a new one is told of.
func TestBeside(t *testing.T) {
	w := world()
	run(t, func(b *bench) {
		b.keeper.preferred = []*x509.Certificate{w.expired, w.bob}
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		b.offer(harvest.Signature{Certificate: w.deep, Others: []*x509.Certificate{w.below.Certificate()}, Valid: true})
		if got := strings.Join(b.told, ", "); got != "learned bob@partner.example, beside bob@partner.example, learned bob@partner.example" {
			b.Errorf("told %q", got)
		}
	})
}

// strangers makes certificates of different people, with one key: keys take time.
func strangers(t *testing.T, ca *democa.CA, n int, domain string) []*x509.Certificate {
	t.Helper()
	key := world().ca.Key()
	var out []*x509.Certificate
	for i := range n {
		id, err := ca.Issue(fmt.Sprintf("user%d@%s", i, domain), democa.Options{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id.Certificate)
	}
	return out
}

// A thousand strangers are bounded: by day, by domain, unknown ones, and at all; the log says it once.
func TestBounds(t *testing.T) {
	w := world()
	offerAll := func(b *bench, all []*x509.Certificate, valid bool) {
		for _, c := range all {
			a, err := mail.ParseAddress(c.EmailAddresses[0])
			if err != nil {
				b.Fatal(err)
			}
			b.offer(harvest.Signature{From: a, Certificate: c, Valid: valid})
		}
	}
	several := func(ca *democa.CA) (all []*x509.Certificate) {
		for i := range 50 {
			all = append(all, strangers(t, ca, 4, fmt.Sprintf("d%d.example", i))...)
		}
		return all
	}
	one, many, unknown := strangers(t, w.ca, 500, "partner.example"), several(w.ca), several(w.stranger)
	run(t, func(b *bench) {
		offerAll(b, one, true)
		if len(b.keeper.kept) != 3 {
			b.Errorf("%d of one domain", len(b.keeper.kept))
		}
		offerAll(b, many, true)
		if len(b.keeper.kept) != 5 {
			b.Errorf("%d in a day", len(b.keeper.kept))
		}
		offerAll(b, unknown, false)
		if len(b.keeper.unknown) != 2 {
			b.Errorf("%d of unknown issuers", len(b.keeper.unknown))
		}
		if n := len(b.hook.AllEntries()); n != 3 {
			b.Errorf("the log says it %d times", n)
		}
		time.Sleep(25 * time.Hour)
		offerAll(b, many, true)
		if len(b.keeper.kept) != 10 {
			b.Errorf("%d in two days", len(b.keeper.kept))
		}
	})
	run(t, func(b *bench) {
		b.keeper.tally = harvest.Tally{All: 997, New: 4, Unknown: 2, ByDomain: map[string]int{"d0.example": 3}}
		offerAll(b, many, true)
		offerAll(b, unknown, false)
		if len(b.keeper.kept) != 1 || len(b.keeper.unknown) != 0 || !strings.HasPrefix(b.keeper.kept[0].EmailAddresses[0], "user0@d1.") {
			b.Errorf("after a restart: %d, %d", len(b.keeper.kept), len(b.keeper.unknown))
		}
		b.keeper.tally = harvest.Tally{All: 998}
		time.Sleep(25 * time.Hour)
		offerAll(b, many, true)
		if len(b.keeper.kept) != 3 {
			b.Errorf("%d at all", len(b.keeper.kept))
		}
	})
}

// What cannot be kept is tried again with the next message; what was looked at is not looked at again for a while.
func TestTrouble(t *testing.T) {
	w := world()
	run(t, func(b *bench) {
		b.keeper.err = errors.New("disk")
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		if last := b.hook.LastEntry(); last == nil || last.Level != logrus.WarnLevel {
			b.Error("the log does not say it")
		}
		b.keeper.err = nil
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		b.keeper.kept = nil
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		if len(b.keeper.kept) != 0 {
			b.Error("it was looked at again at once")
		}
		time.Sleep(2 * time.Hour)
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		if len(b.keeper.kept) != 1 {
			b.Error("it was not looked at later")
		}
	})
	if _, err := harvest.New(harvest.Options{}); err == nil {
		t.Error("no keeper, no error")
	}
}

// A fault ends neither the process nor the harvest.
func TestFault(t *testing.T) {
	w := world()
	run(t, func(b *bench) {
		sound := b.settings.Judge
		b.settings.Judge = faulty{}
		b.Set(b.settings)
		b.offer(harvest.Signature{Certificate: w.bob, Valid: true})
		b.settings.Judge = sound
		b.Set(b.settings)
		b.offer(harvest.Signature{Certificate: w.deep, Others: []*x509.Certificate{w.below.Certificate()}, Valid: true})
		if names(b.keeper.kept) != "deep below" {
			b.Errorf("kept %s", names(b.keeper.kept))
		}
	})
}

type faulty struct{}

func (faulty) Validate(context.Context, *x509.Certificate, []*x509.Certificate, certs.Purpose, string, time.Time) certs.Result {
	panic("planted")
}

// Whoever offers never waits, and what strangers add to a signature takes little room.
func TestOfferReturns(t *testing.T) {
	w := world()
	h, err := harvest.New(harvest.Options{Keeper: &keeper{}})
	if err != nil {
		t.Fatal(err)
	}
	h.Set(harvest.Settings{Enabled: true, Judge: faulty{}})
	others := strangers(t, w.ca, 100, "partner.example")
	for _, c := range strangers(t, w.ca, 1000, "partner.example") {
		h.Offer(harvest.Signature{From: bob, Certificate: c, Others: append(others, nil), Valid: true})
	}
}
