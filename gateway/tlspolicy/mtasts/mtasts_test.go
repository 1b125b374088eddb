package mtasts_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

// A domain is asked once, however many messages go to it at once, and not again while its policy is new.
func TestLookup(t *testing.T) {
	s := newSite(t)
	c := s.client()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			a, err := c.Lookup(t.Context(), "Partner.Example")
			if err != nil || a.Held == nil || a.Held.Mode != mtasts.Enforce || a.Held.ID != "1" || a.Held.Domain != domain || !a.Held.Matches("mx.partner.example") {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
	all.Wait()
	if n := s.fetches(); n != 1 || s.dialled[0] != "mta-sts.partner.example:443" {
		t.Errorf("%d fetches from %q", n, s.dialled)
	}
	for range 5 {
		s.pass(2 * time.Minute)
		policy(t, c)
		c.Catch(t.Context())
	}
	if n := s.fetches(); n != 0 {
		t.Errorf("%d fetches of what has not changed", n)
	}
	if got := c.Policies(); len(got) != 1 || got[0].Domain != domain {
		t.Errorf("%+v", got)
	}
	for _, none := range []string{"[192.0.2.1]", "", "a..b", strings.Repeat("long.", 49) + "example"} {
		if a, err := c.Lookup(t.Context(), none); err != nil || a.Held != nil || a.Trouble != nil {
			t.Errorf("%q: %+v, %v", none, a, err)
		}
	}
}

// A new id brings the new policy, beside the mail: the message that comes meanwhile does not wait.
func TestChange(t *testing.T) {
	s := newSite(t)
	c := s.client()
	policy(t, c)
	s.record("2")
	s.serve(strings.Replace(good, "enforce", "testing", 1))
	s.pass(2 * time.Minute)
	if h := policy(t, c); h.Mode != mtasts.Enforce {
		t.Errorf("%+v", h)
	}
	c.Catch(t.Context())
	if h := policy(t, c); h.Mode != mtasts.Testing || h.ID != "2" {
		t.Errorf("%+v", h)
	}
	s.record("3")
	s.serve("version: STSv1\nmode: none\nmax_age: 60\n")
	c.Recheck("Partner.Example.") // a host did not fit
	c.Catch(t.Context())
	if h := policy(t, c); h.Mode != mtasts.None {
		t.Errorf("%+v", h)
	}
	s.pass(time.Minute) // it ends; a domain that takes its record away is one without
	s.record("")
	if h := policy(t, c); h != nil {
		t.Errorf("%+v", h)
	}
}

// Whatever becomes of the record and of the policy host: what is known stays in force to its end, and no longer.
func TestNoDowngrade(t *testing.T) {
	for name, harm := range map[string]func(*site){
		"the record is gone":       func(s *site) { s.record(""); s.gone() },
		"the host is gone":         func(s *site) { s.record("2"); s.gone() },
		"DNS fails":                func(s *site) { s.dns.Fail("_mta-sts."+domain, dnstest.ServFail); s.gone() },
		"DNS is forged":            func(s *site) { s.dns.Fail("_mta-sts."+domain, dnstest.Bogus); s.gone() },
		"the policy is broken":     func(s *site) { s.record("2"); s.serve("mode: none") },
		"the host redirects":       func(s *site) { s.record("2"); s.answer(redirect) },
		"the certificate is wrong": func(s *site) { s.record("2"); s.imposture() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c := s.client()
			end := policy(t, c).Expires()
			harm(s)
			for s.clock().Add(6 * time.Hour).Before(end) {
				s.pass(6 * time.Hour)
				if h := policy(t, c); h == nil || h.Mode != mtasts.Enforce || h.ID != "1" {
					t.Fatalf("%v: %+v", s.clock().Sub(end), h)
				}
				c.Work(t.Context())
			}
			if h := policy(t, s.client()); h == nil || h.Mode != mtasts.Enforce {
				t.Errorf("after a restart: %+v", h)
			}
			s.pass(6 * time.Hour)
			if a, err := c.Lookup(t.Context(), domain); a.Held != nil {
				t.Errorf("after its end: %+v, %v", a, err)
			}
			c.Work(t.Context())
			if files, _ := os.ReadDir(s.dir); len(files) != 0 || len(c.Policies()) != 0 {
				t.Errorf("%v is kept after its end", files)
			}
		})
	}
}

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://mta-sts.partner.example/other", http.StatusFound)
}

// gone closes the policy host.
func (s *site) gone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = "127.0.0.1:1"
}

// imposture puts another in the place of the policy host.
func (s *site) imposture() {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{s.pair("mta-sts." + domain)}})
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(strings.Replace(good, "enforce", "none", 1)))
	})}
	go server.Serve(l)
	s.t.Cleanup(func() { server.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = l.Addr().String()
}

// A policy is fetched anew long before its end, so that it does not end while the domain has it; also where no mail goes.
func TestRenewal(t *testing.T) {
	s := newSite(t)
	c := s.client()
	policy(t, c)
	s.fetches()
	s.record("") // which does not matter
	for range 60 {
		s.pass(12 * time.Hour)
		c.Work(t.Context())
	}
	if n := s.fetches(); n != 30 {
		t.Errorf("%d fetches in 30 days", n)
	}
	if h := policy(t, c); h == nil || s.clock().Sub(h.Fetched) > 24*time.Hour {
		t.Errorf("%+v", h)
	}
}

// A promised policy that cannot be had is said, and mail goes on (RFC 8461, 3.3); the host is not asked for each message.
func TestTrouble(t *testing.T) {
	plain := func(status int, kind, text string) func(*site) {
		return func(s *site) {
			s.answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				w.WriteHeader(status)
				w.Write([]byte(text))
			})
		}
	}
	for name, c := range map[string]struct {
		harm func(*site)
		want error
	}{
		"nobody there":    {func(s *site) { s.gone() }, mtasts.ErrFetch},
		"an impostor":     {func(s *site) { s.imposture() }, mtasts.ErrCertificate},
		"redirection":     {func(s *site) { s.answer(redirect) }, mtasts.ErrFetch},
		"not found":       {plain(404, "text/plain", good), mtasts.ErrFetch},
		"another success": {plain(203, "text/plain", good), mtasts.ErrFetch},
		"HTML":            {plain(200, "text/html", good), mtasts.ErrFetch},
		"no type":         {plain(200, "", good), mtasts.ErrFetch},
		"rubbish":         {plain(200, "text/plain", "<html>"), mtasts.ErrInvalid},
		"endless":         {plain(200, "text/plain", good+strings.Repeat("a: b\n", 1<<20)), mtasts.ErrInvalid},
		"endless header": {func(s *site) {
			s.answer(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("x", 1<<20)) })
		}, mtasts.ErrFetch},
		"cut": {func(s *site) {
			s.answer(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Length", "100000")
				w.Write([]byte(good))
			})
		}, mtasts.ErrFetch},
		"broken record": {func(s *site) { s.record("a-b") }, mtasts.ErrRecord},
	} {
		s := newSite(t)
		c.harm(s)
		client := s.client()
		for range 3 {
			if a, err := client.Lookup(t.Context(), domain); err != nil || a.Held != nil || !errors.Is(a.Trouble, c.want) {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		if n := s.fetches(); n > 1 {
			t.Errorf("%s: %d fetches", name, n)
		}
	}
}

// When it can be had again, it is, soon.
func TestRecovery(t *testing.T) {
	s := newSite(t)
	s.answer(redirect)
	c := s.client()
	policy(t, c)
	s.serve(good)
	if h := policy(t, c); h != nil {
		t.Errorf("asked again at once: %+v", h)
	}
	s.pass(5 * time.Minute)
	if h := policy(t, c); h == nil {
		t.Error("not asked again after five minutes")
	}
}

// A host that takes its time holds a message up for no longer than it may, and others not at all.
func TestSlow(t *testing.T) {
	s := newSite(t)
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	s.answer(func(http.ResponseWriter, *http.Request) { <-end })
	o := s.options()
	o.Timeout = 2 * time.Second // which it takes for the host alone, not for asking DNS and the handshake
	c := newClient(t, o)
	if a, err := c.Lookup(t.Context(), domain); err != nil || !errors.Is(a.Trouble, mtasts.ErrFetch) || !errors.Is(a.Trouble, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", a, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := s.client().Lookup(ctx, domain); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// Whether DNS answers are forged, and only that, is a reason to wait where nothing is known.
func TestUnknownAndDNSFails(t *testing.T) {
	for failure, want := range map[dnstest.Failure]error{dnstest.ServFail: nil, dnstest.Refused: nil, dnstest.Bogus: mtasts.ErrBogus} {
		s := newSite(t)
		s.dns.Fail("_mta-sts."+domain, failure)
		if a, err := s.client().Lookup(t.Context(), domain); a.Held != nil || !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%d: %+v, %v", failure, a, err)
		}
	}
}

// What is inside is not reached, whoever names it as a policy host.
func TestInside(t *testing.T) {
	s := newSite(t)
	s.dns.Set(t, "_mta-sts.partner.example. TXT \"v=STSv1; id=1;\"\nmta-sts.partner.example. A 127.0.0.1\n")
	o := s.options()
	o.Dial = publicnet.New(publicnet.Options{Ports: []uint16{443}, Resolver: s.dns.Resolver(t, noCache).Net()}).DialContext
	a, err := newClient(t, o).Lookup(t.Context(), domain)
	if err != nil || !errors.Is(a.Trouble, mtasts.ErrFetch) || !errors.Is(a.Trouble, publicnet.ErrRefused) {
		t.Errorf("%+v, %v", a, err)
	}
}

// Policies outlive a restart; what is damaged is set aside and said, and hurts nothing else.
func TestKept(t *testing.T) {
	s := newSite(t)
	policy(t, s.client())
	s.gone()
	s.record("")
	if h := policy(t, s.client()); h == nil || h.ID != "1" || h.Text != good {
		t.Fatalf("after a restart: %+v", h)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(string(raw)+files[0], "partner") {
		t.Errorf("the file shows with whom the company writes: %v", err)
	}
	raw[len(raw)/2] ^= 1
	for name, content := range map[string][]byte{files[0]: raw, filepath.Join(s.dir, "empty.policy"): nil, filepath.Join(s.dir, "new-1"): raw} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := s.options()
	log, said := logtest.NewNullLogger()
	o.Log = log
	if h := policy(t, newClient(t, o)); h != nil {
		t.Errorf("damaged: %+v", h)
	}
	if n := len(said.AllEntries()); n != 2 || said.LastEntry().Level != logrus.WarnLevel {
		t.Errorf("%d entries", n)
	}
	aside, _ := filepath.Glob(filepath.Join(s.dir, "*.damaged"))
	if all, _ := os.ReadDir(s.dir); len(aside) != 2 || len(all) != 2 {
		t.Errorf("%v, %v", aside, all)
	}
}

// The largest policy is kept as well, whatever JSON makes of its characters: a restart takes none out of force.
func TestKeptLargest(t *testing.T) {
	s := newSite(t)
	s.serve(good + "note: " + strings.Repeat("<", mtasts.MaxSize-len(good)-len("note: \n")) + "\n")
	policy(t, s.client())
	s.record("")
	if h := policy(t, s.client()); h == nil || h.Mode != mtasts.Enforce {
		t.Errorf("%+v", h)
	}
}

// A file under another name is of no use: nobody can give a domain the policy of another.
func TestKeptMoved(t *testing.T) {
	s := newSite(t)
	policy(t, s.client())
	files, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	if err := os.Rename(files[0], filepath.Join(s.dir, strings.Repeat("0", 64)+".policy")); err != nil {
		t.Fatal(err)
	}
	if all := s.client().Policies(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// A clock that was ahead, or another key, prolongs nothing and stops nothing.
func TestKeptClockAndKey(t *testing.T) {
	s := newSite(t)
	s.pass(1000 * time.Hour)
	policy(t, s.client())
	s.pass(-1000 * time.Hour)
	if h := policy(t, s.client()); h == nil || h.Fetched.After(s.clock()) {
		t.Errorf("%+v", h)
	}
	o := s.options()
	o.Key = atrest.NewKey()
	if all := newClient(t, o).Policies(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// Where nothing can be kept, mail goes by what is in memory, and the administrator is told.
func TestKeepFails(t *testing.T) {
	s := newSite(t)
	o := s.options()
	log, said := logtest.NewNullLogger()
	o.Log = log
	c := newClient(t, o)
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	if h := policy(t, c); h == nil {
		t.Error("no policy")
	}
	told := false
	for _, e := range said.AllEntries() {
		told = told || e.Level == logrus.ErrorLevel
	}
	if !told {
		t.Errorf("%v", said.AllEntries())
	}
	if err := os.WriteFile(s.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mtasts.New(o); err == nil {
		t.Error("a file in the place of the folder is no error")
	}
}

// Memory is bounded, and what is used stays.
func TestMemory(t *testing.T) {
	s := newSite(t)
	names := []string{"a.example", "b.example", "c.example", "d.example"}
	var zone strings.Builder
	var hosts []string
	for _, name := range names {
		zone.WriteString("_mta-sts." + name + ". TXT \"v=STSv1; id=1\"\n")
		hosts = append(hosts, "mta-sts."+name)
	}
	s.dns.Set(t, zone.String())
	s.roots = nil
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{s.pair(hosts...)}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(good))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s.addr = l.Addr().String()
	o := s.options()
	o.Memory = 1600 // two of them
	c := newClient(t, o)
	for _, name := range names {
		s.pass(time.Second)
		if a, err := c.Lookup(t.Context(), name); err != nil || a.Held == nil {
			t.Fatalf("%s: %+v, %v", name, a, err)
		}
		s.pass(time.Second)
		c.Lookup(t.Context(), "a.example")
	}
	got := map[string]bool{}
	for _, h := range c.Policies() {
		got[h.Domain] = true
	}
	if files, _ := os.ReadDir(s.dir); len(got) != 2 || len(files) != 2 || !got["a.example"] || !got["d.example"] {
		t.Errorf("%v, %d files", got, len(files))
	}
}

// Who fills the room with large policies of many domains drives none of ordinary size out, which mail would then go without.
func TestMemoryOfLargePolicies(t *testing.T) {
	s := newSite(t)
	large := strings.TrimSuffix(good, "\n") + "\n" + strings.Repeat("mx: a-very-long-name-of-a-host.attacker.example\n", 900)
	zone, hosts := "_mta-sts.partner.example. TXT \"v=STSv1; id=1\"\n", []string{"mta-sts.partner.example"}
	var attackers []string
	for i := range 6 {
		name := fmt.Sprintf("x%d.attacker.example", i)
		zone += "_mta-sts." + name + ". TXT \"v=STSv1; id=1\"\n"
		attackers, hosts = append(attackers, name), append(hosts, "mta-sts."+name)
	}
	s.dns.Set(t, zone)
	s.roots = nil
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{s.pair(hosts...)}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if r.Host == "mta-sts."+domain {
			w.Write([]byte(good))
		} else {
			w.Write([]byte(large))
		}
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	s.addr = l.Addr().String()
	o := s.options()
	o.Memory = 4 * len(large) // one of them
	c := newClient(t, o)
	policy(t, c)
	for _, name := range attackers {
		s.pass(time.Second)
		if a, err := c.Lookup(t.Context(), name); err != nil || a.Held == nil {
			t.Fatalf("%s: %+v, %v", name, a, err)
		}
	}
	got := map[string]bool{}
	for _, h := range c.Policies() {
		got[h.Domain] = true
	}
	if len(got) != 2 || !got[domain] || !got[attackers[len(attackers)-1]] {
		t.Errorf("%v", got)
	}
}

// Run works until it is told to end.
func TestRun(t *testing.T) {
	s := newSite(t)
	c := s.client()
	policy(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { c.Run(ctx) })
	fetched := make(chan struct{})
	var once sync.Once
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(good))
		once.Do(func() { close(fetched) })
	})
	s.record("2")
	c.Recheck(domain)
	<-fetched
	cancel()
	run.Wait()
}

func TestNew(t *testing.T) {
	if _, err := mtasts.New(mtasts.Options{Dial: new(net.Dialer).DialContext}); err == nil {
		t.Error("a client without a resolver")
	}
}
