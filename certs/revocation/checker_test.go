package revocation_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// Either way tells, in the order that is set, and the other one where the first cannot.
func TestWays(t *testing.T) {
	p := newPlace(t)
	both, bad := p.leaf("list", "ocsp"), p.leaf("list", "ocsp")
	p.page("list", p.list(nil, bad))
	p.responder("ocsp", nil, bad)
	p.responder("unknown", func(a *ocsp.Response) { a.Status = ocsp.Unknown })
	p.page("down", nil)
	crlFirst := p.settings()
	crlFirst.Order = []revocation.Method{revocation.CRL, revocation.OCSP}
	onlyOCSP := p.settings()
	onlyOCSP.Order = []revocation.Method{revocation.OCSP}
	for _, c := range []struct {
		name        string
		s           revocation.Settings
		cert        *x509.Certificate
		want        string
		lists, ocsp int // that were asked for
	}{
		{"good by OCSP", p.settings(), both, "valid", 0, 1},
		{"revoked by OCSP", p.settings(), bad, "revoked", 0, 1},
		{"good by CRL", crlFirst, both, "valid", 1, 0},
		{"revoked by CRL", crlFirst, bad, "revoked", 1, 0},
		{"only a list", p.settings(), p.leaf("list", ""), "valid", 1, 0},
		{"a responder that is down", p.settings(), p.leaf("list", "down"), "valid", 1, 0},
		{"a responder that does not know it", p.settings(), p.leaf("list", "unknown"), "valid", 1, 0},
		{"lists that are down", crlFirst, p.leaf("down", "ocsp"), "valid", 0, 1},
		{"lists are not to be asked", onlyOCSP, p.leaf("list", ""), "untrusted", 0, 0},
		{"nobody to ask", p.settings(), p.leaf("", ""), "untrusted", 0, 0},
		{"an address of a kind that is not known", p.settings(), p.leaf("", "", func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"file:///etc/passwd"} }), "untrusted", 0, 0},
		{"nobody knows", p.settings(), p.leaf("", "unknown"), "away", 0, 0},
		{"nobody answers", p.settings(), p.leaf("down", "down"), "away", 0, 0},
		{"not to be asked for", p.settings(), p.leaf("", "", func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, extension([]int{2, 5, 29, 56}, false, []byte{5, 0}))
		}), "valid", 0, 0},
	} {
		lists, answers := p.count("list"), p.count("ocsp")
		p.check(p.checker(revocation.Options{Settings: c.s}), c.cert, c.want)
		if l, o := p.count("list")-lists, p.count("ocsp")-answers; l != c.lists || o != c.ocsp {
			t.Errorf("%s: %d lists, %d answers", c.name, l, o)
		}
	}
}

// What becomes of a certificate of which nobody can tell is the mode's to say, which may be another for some authorities and domains.
func TestModes(t *testing.T) {
	p := newPlace(t)
	down, none := p.leaf("down", ""), p.leaf("", "")
	p.page("down", nil)
	with := func(mode revocation.Mode, rules ...revocation.Rule) *revocation.Checker {
		s := p.settings()
		s.Mode, s.Rules = mode, rules
		return p.checker(revocation.Options{Settings: s})
	}
	p.check(with(revocation.Soft), down, "remark", "cannot be told: 127.0.0.1 by CRL: it answers with the HTTP status 503")
	p.check(with(revocation.Soft), none, "valid")
	p.check(with(revocation.Require), down, "away", "see that this machine reaches")
	p.check(with(revocation.Require), none, "untrusted", "names nobody who could be asked")
	asked := p.count("down")
	p.check(with(revocation.Off), down, "valid")
	if p.count("down") != asked {
		t.Error("somebody was asked")
	}
	root := sha256.Sum256(p.root.Certificate().Raw)
	for _, c := range []struct {
		rule revocation.Rule
		want string
	}{
		{revocation.Rule{Authorities: [][32]byte{root}, Mode: revocation.Soft}, "remark"},
		{revocation.Rule{Authorities: [][32]byte{{1}}, Mode: revocation.Soft}, "away"},
		{revocation.Rule{Domains: []string{"firma.example"}, Mode: revocation.Off}, "valid"},
		{revocation.Rule{Domains: []string{"*.firma.example", "example"}, Mode: revocation.Off}, "away"},
		{revocation.Rule{Domains: []string{"*.example"}, Mode: revocation.Off}, "valid"},
		{revocation.Rule{Mode: revocation.Off}, "away"},
	} {
		p.check(with(revocation.Require, c.rule, revocation.Rule{Domains: []string{"firma.example"}, Mode: revocation.Require}), down, c.want)
	}
}

// Every certificate below the anchor is judged, and the anchor is not.
func TestWholePath(t *testing.T) {
	p := newPlace(t)
	at := func(list string) democa.Options {
		return democa.Options{Key: p.key, Alter: func(c *x509.Certificate) { c.CRLDistributionPoints = []string{p.url(list)} }}
	}
	sub := must(p.root.Intermediate("Issuing CA", at("root")))
	leaf := p.leafOf(sub, "sub", "")
	path := []*x509.Certificate{leaf, sub.Certificate(), p.root.Certificate()}
	p.page("sub", p.listOf(sub.Certificate(), sub.Key(), nil))
	p.page("root", p.list(nil))
	p.checkPath(p.checker(revocation.Options{}), path, "valid")
	p.page("root", p.list(nil, sub.Certificate()))
	p.checkPath(p.checker(revocation.Options{}), path, "revoked", "the CA certificate of CN=Issuing CA")
	p.page("root", nil)
	p.checkPath(p.checker(revocation.Options{}), path, "away", "the CA certificate of CN=Issuing CA")
	c := p.checker(revocation.Options{})
	if f := c.Revoked(t.Context(), path[2:], p.clock()); f != nil {
		t.Errorf("the anchor: %v", f)
	}
	if f := c.Revoked(t.Context(), nil, p.clock()); f != nil {
		t.Errorf("no path: %v", f)
	}
}

// What is known is not asked for again until it ends; what is in use is fetched anew before.
func TestKept(t *testing.T) {
	p := newPlace(t)
	leaf, listed := p.leaf("", "ocsp"), p.leaf("list", "")
	p.responder("ocsp", nil)
	p.page("list", p.list(nil))
	c := p.checker(revocation.Options{})
	for range 20 {
		p.check(c, leaf, "valid")
		p.check(c, listed, "valid")
	}
	expect := func(list, ocsp int) {
		t.Helper()
		if l, o := p.count("list"), p.count("ocsp"); l != list || o != ocsp {
			t.Errorf("%d lists, %d answers", l, o)
		}
	}
	expect(1, 1)
	c.Refresh()
	expect(1, 1)
	p.pass(13 * time.Hour) // beyond half a day
	c.Refresh()
	expect(1, 2)
	p.page("list", p.list(func(l *x509.RevocationList) { l.Number.SetInt64(11) }, listed))
	p.pass(12 * time.Hour)
	p.check(c, listed, "valid") // what is known, and the new list is fetched meanwhile
	c.Idle()
	p.check(c, listed, "revoked")
	p.check(c, leaf, "valid")
	c.Idle()
	expect(2, 3)
	p.page("list", nil)
	p.page("ocsp", nil)
	for range 20 { // the sources are gone: what is known counts to its end
		p.pass(time.Hour)
		c.Refresh()
		p.check(c, leaf, "valid")
	}
	p.pass(5 * time.Hour)
	p.check(c, leaf, "away")
	p.check(c, listed, "revoked")
	p.pass(7 * 24 * time.Hour)
	p.check(c, listed, "away", "HTTP status 503")
	p.responder("ocsp", nil)
	p.pass(31 * time.Minute)
	p.check(c, leaf, "valid")
	if s := c.Stats(); s.Cached == 0 || s.Fetched == 0 || s.Failed == 0 || s.Good == 0 || s.Revoked == 0 || s.Unknown == 0 || s.Kept == 0 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
}

// What nobody asks for any more is not fetched anew for ever.
func TestUnused(t *testing.T) {
	p := newPlace(t)
	p.page("list", p.list(func(l *x509.RevocationList) { l.NextUpdate = p.clock().AddDate(0, 0, 40) }))
	c := p.checker(revocation.Options{})
	p.check(c, p.leaf("list", ""), "valid")
	for range 10 {
		p.pass(25 * time.Hour)
		c.Refresh()
	}
	if n := p.count("list"); n != 3 { // the first time, and on two days
		t.Errorf("fetched %d times", n)
	}
	p.pass(40 * 24 * time.Hour)
	c.Refresh()
	if s := c.Stats(); s.Kept != 0 {
		t.Errorf("%d are kept", s.Kept)
	}
}

// Who failed is left alone for a while, by all certificates; the log and the health check say so once, and when it is over.
func TestFailing(t *testing.T) {
	p := newPlace(t)
	log, said := logtest.NewNullLogger()
	log.SetLevel(logrus.InfoLevel)
	c := p.checker(revocation.Options{Log: log})
	p.page("ocsp", nil)
	one, two := p.leaf("", "ocsp"), p.leaf("", "ocsp")
	for range 5 {
		p.check(c, one, "away")
		p.check(c, two, "away")
	}
	if n := p.count("ocsp"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), " by OCSP fails since 2030-05-01 12:00 UTC: it answers with the HTTP status 503") {
		t.Errorf("health: %v", err)
	}
	for i := range 4 { // after 1, 2, 4 and 8 minutes
		p.pass(time.Minute << i)
		p.check(c, one, "away")
	}
	if n := p.count("ocsp"); n != 5 {
		t.Errorf("asked %d times", n)
	}
	p.pass(10 * time.Minute)
	p.check(c, one, "away")
	if n := p.count("ocsp"); n != 5 {
		t.Errorf("asked %d times", n)
	}
	p.responder("ocsp", nil)
	p.pass(time.Hour)
	p.check(c, one, "valid")
	c.Idle()
	p.check(c, two, "valid")
	if err := c.Check(); err != nil {
		t.Errorf("health: %v", err)
	}
	if len(said.AllEntries()) != 2 || said.AllEntries()[0].Level != logrus.WarnLevel || said.LastEntry().Level != logrus.InfoLevel {
		t.Errorf("log: %v", said.AllEntries())
	}
	// Other settings: everybody is asked anew.
	p.page("ocsp", nil)
	three := p.leaf("", "ocsp")
	p.check(c, three, "away")
	p.responder("ocsp", nil)
	p.check(c, three, "away")
	c.Set(p.settings())
	p.check(c, three, "valid")
}

// A fetch that began under other settings, and fails under these, keeps nobody from being asked now.
func TestFailingUnderOthers(t *testing.T) {
	p := newPlace(t)
	entered, release := make(chan struct{}), make(chan struct{})
	p.handle("ocsp", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c, leaf := p.checker(revocation.Options{}), p.leaf("", "ocsp")
	var before sync.WaitGroup
	before.Go(func() { p.check(c, leaf, "away") })
	<-entered
	c.Set(p.settings())
	close(release)
	before.Wait()
	c.Idle()
	p.responder("ocsp", nil)
	p.check(c, leaf, "valid")
}

// A responder that connects and says nothing keeps nobody waiting longer than is set, and nobody at all the next time.
func TestSilent(t *testing.T) {
	p := newPlace(t)
	release := make(chan struct{})
	p.handle("ocsp", func(w http.ResponseWriter, r *http.Request) { <-release })
	p.handle("trickle", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte{0x30})
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	s := p.settings()
	s.Timeout = 50 * time.Millisecond
	c := p.checker(revocation.Options{Settings: s})
	for _, page := range []string{"ocsp", "trickle"} {
		leaf := p.leaf("", page)
		for range 3 {
			p.check(c, leaf, "away", "it has not answered yet")
		}
	}
	if p.count("ocsp") > 1 || p.count("trickle") > 1 {
		t.Errorf("asked %d and %d times", p.count("ocsp"), p.count("trickle"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := outcome(c.Revoked(ctx, []*x509.Certificate{p.leaf("", "ocsp"), p.root.Certificate()}, p.clock())); got != "away" {
		t.Errorf("nobody waits: %s", got)
	}
	c.Close() // ends what is under way
	p.check(c, p.leaf("", "ocsp"), "away", "stops")
	if c.Within() != 50*time.Millisecond {
		t.Errorf("within %v", c.Within())
	}
}

// All who ask the same at once wait for one fetch.
func TestTogether(t *testing.T) {
	p := newPlace(t)
	leaf := p.leaf("list", "")
	entered, release := make(chan struct{}, 100), make(chan struct{})
	list := p.list(nil)
	p.handle("list", func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		w.Write(list)
	})
	c := p.checker(revocation.Options{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { p.check(c, leaf, "valid") })
	}
	<-entered
	close(release)
	all.Wait()
	if n := p.count("list"); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// Who looked just before a fetch ended has what it fetched, and fetches nothing itself.
func TestJustMissed(t *testing.T) {
	p := newPlace(t)
	leaf := p.leaf("list", "")
	p.page("list", p.list(nil))
	c := p.checker(revocation.Options{})
	p.check(c, leaf, "valid")
	c.Idle()
	if err := c.FetchList(p.url("list"), p.root.Certificate()); err != nil || p.count("list") != 1 {
		t.Errorf("fetched %d times, %v", p.count("list"), err)
	}
}

// Of one host two things are fetched at a time.
func TestFewAtOnce(t *testing.T) {
	p := newPlace(t)
	var mu sync.Mutex
	running, most := 0, 0
	p.responder("real", nil)
	real := p.pages["real"]
	p.handle("ocsp", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		real(w, r)
		mu.Lock()
		running--
		mu.Unlock()
	})
	c := p.checker(revocation.Options{})
	var all sync.WaitGroup
	for range 12 {
		leaf := p.leaf("", "ocsp")
		all.Go(func() { p.check(c, leaf, "valid") })
	}
	all.Wait()
	if most > 2 || p.count("ocsp") != 12 {
		t.Errorf("%d at once, %d in all", most, p.count("ocsp"))
	}
}

// files is a cache in memory.
type files struct {
	mu   sync.Mutex
	all  map[string]file
	fail error
}

type file struct {
	data           []byte
	fetched, until time.Time
}

func (f *files) Load(_ context.Context, key string) ([]byte, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[key].data, f.all[key].fetched, f.fail
}

func (f *files) Save(_ context.Context, key string, data []byte, fetched, until time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.all[key] = file{append([]byte(nil), data...), fetched, until}
	}
	return f.fail
}

// After a restart without a network what was known counts to its end, once it is verified again.
func TestRestart(t *testing.T) {
	p := newPlace(t)
	kept := &files{all: map[string]file{}}
	leaf, bad := p.leaf("", "ocsp"), p.leaf("list", "")
	p.responder("ocsp", nil)
	p.page("list", p.list(nil, bad))
	first := p.checker(revocation.Options{Cache: kept})
	p.check(first, leaf, "valid")
	p.check(first, bad, "revoked")
	first.Close()
	p.page("list", nil)
	p.page("ocsp", nil)
	lists, answers := p.count("list"), p.count("ocsp")
	p.pass(time.Hour)
	second := p.checker(revocation.Options{Cache: kept})
	p.check(second, p.leaf("", "ocsp"), "away") // the host fails
	p.check(second, leaf, "valid")
	p.check(second, bad, "revoked")
	if p.count("list") != lists || p.count("ocsp") != answers+1 {
		t.Errorf("asked %d, %d times", p.count("list")-lists, p.count("ocsp")-answers)
	}
	s := p.settings()
	s.Offline = true
	offline := p.checker(revocation.Options{Cache: kept, Settings: s})
	p.check(offline, leaf, "valid")
	p.check(offline, p.leaf("", "ocsp"), "away", "nobody is asked over the network")
	for key, f := range kept.all { // somebody alters what is kept
		f.data[len(f.data)-1] ^= 1
		kept.all[key] = f
	}
	p.check(p.checker(revocation.Options{Cache: kept}), leaf, "away")
	p.pass(30 * 24 * time.Hour)
	p.check(p.checker(revocation.Options{Cache: kept}), bad, "away")
	// A cache that fails takes nothing with it.
	p.responder("ocsp", nil)
	kept.fail = errors.New("disk")
	log, said := logtest.NewNullLogger()
	c := p.checker(revocation.Options{Cache: kept, Log: log})
	p.check(c, leaf, "valid")
	p.check(c, p.leaf("", "ocsp"), "valid")
	c.Close()
	if n := len(said.AllEntries()); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// An answer that ended before a restart still tells that an older one is played again.
func TestReplayAfterRestart(t *testing.T) {
	p := newPlace(t)
	kept := &files{all: map[string]file{}}
	leaf := p.leaf("list", "")
	old := p.list(func(l *x509.RevocationList) { l.NextUpdate = p.clock().AddDate(0, 2, 0) })
	p.pass(time.Hour)
	p.page("list", p.list(nil, leaf))
	c := p.checker(revocation.Options{Cache: kept})
	p.check(c, leaf, "revoked")
	c.Idle() // what it learned is kept
	p.pass(8 * 24 * time.Hour)
	p.page("list", old)
	p.check(p.checker(revocation.Options{Cache: kept}), leaf, "away", "older than what it gave before")
	p.check(p.checker(revocation.Options{}), leaf, "valid") // nothing tells who knows nothing
}

// The memory is bounded: what was not used for longest goes.
func TestMemory(t *testing.T) {
	p := newPlace(t)
	p.responder("ocsp", nil)
	c := p.checker(revocation.Options{Memory: 10 * 2048})
	var all []*x509.Certificate
	for range 30 {
		all = append(all, p.leaf("", "ocsp"))
		p.check(c, all[len(all)-1], "valid")
	}
	if s := c.Stats(); s.Kept != 10 || s.Bytes != 10*2048 {
		t.Errorf("%d kept, %d bytes", s.Kept, s.Bytes)
	}
	p.check(c, all[29], "valid")
	p.check(c, all[20], "valid")
	if n := p.count("ocsp"); n != 30 {
		t.Errorf("asked %d times", n)
	}
	p.check(c, all[0], "valid")
	if n := p.count("ocsp"); n != 31 {
		t.Errorf("asked %d times", n)
	}
}

// Lists of files are looked at first, for whoever they are about.
func TestGiven(t *testing.T) {
	p := newPlace(t)
	good, bad := p.leaf("", ""), p.leaf("", "ocsp")
	p.responder("ocsp", nil)
	s := p.settings()
	never := p.leaf("", "", func(c *x509.Certificate) { // noRevAvail: its issuer says that it never revokes it
		c.ExtraExtensions = append(c.ExtraExtensions, extension([]int{2, 5, 29, 56}, false, []byte{5, 0}))
	})
	s.Given = must(revocation.Parse(p.list(nil, bad, never)))
	p.check(p.checker(revocation.Options{Settings: s}), never, "revoked")
	c := p.checker(revocation.Options{Settings: s})
	p.check(c, bad, "revoked")
	p.check(c, good, "valid")
	if p.count("ocsp") != 0 {
		t.Error("the responder was asked")
	}
	p.pass(8 * 24 * time.Hour) // the list has ended: it tells of the revoked still
	p.check(c, bad, "revoked")
	p.check(c, p.leaf("", "ocsp"), "valid")
	p.check(c, good, "untrusted")
}

// The gateway's own use: Validator and Checker together.
func TestWithValidator(t *testing.T) {
	p := newPlace(t)
	good, bad := p.leaf("list", ""), p.leaf("list", "")
	p.page("list", p.list(nil, bad))
	v := certs.NewValidator([]*x509.Certificate{p.root.Certificate()}, nil).WithRevocation(p.checker(revocation.Options{}))
	for _, c := range []struct {
		cert *x509.Certificate
		want certs.Status
	}{{good, certs.StatusValid}, {bad, certs.StatusRevoked}} {
		if r := v.Validate(t.Context(), c.cert, nil, certs.Sign, "", p.clock()); r.Status != c.want {
			t.Errorf("%s: %q", r.Status, r.Reasons)
		}
	}
	p.page("gone", nil)
	r := v.Validate(t.Context(), p.leaf("gone", ""), nil, certs.Sign, "", p.clock())
	var away *certs.UnavailableError
	if !errors.As(r.Away, &away) || away.Source != "revocation:127.0.0.1" || !errors.Is(r.Err("x"), certs.ErrUnavailable) {
		t.Errorf("%v, %q", r.Away, r.Reasons)
	}
}

// BenchmarkRevoked is a judgement by what is known: a path of two certificates, one by OCSP and one by a list.
func BenchmarkRevoked(b *testing.B) {
	p := newPlace(b)
	sub := must(p.root.Intermediate("Issuing CA", democa.Options{Key: p.key, Alter: func(c *x509.Certificate) { c.CRLDistributionPoints = []string{p.url("list")} }}))
	leaf := p.leafOf(sub, "", "ocsp")
	p.page("list", p.list(nil))
	p.answers("ocsp", sub.Certificate(), sub.Certificate(), sub.Key(), nil)
	c := p.checker(revocation.Options{})
	path := []*x509.Certificate{leaf, sub.Certificate(), p.root.Certificate()}
	p.checkPath(c, path, "valid")
	b.ReportAllocs()
	for b.Loop() {
		if f := c.Revoked(b.Context(), path, p.now); f != nil {
			b.Fatal(f)
		}
	}
}
