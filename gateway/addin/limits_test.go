package addin_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// expect holds the figures that a test is about.
func expect(t *testing.T, s *stand, name, want string) {
	t.Helper()
	r := prometheus.NewRegistry()
	for _, c := range s.Collectors() {
		r.MustRegister(c)
	}
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
}

// A user who asks too often waits, and nobody else does.
func TestTooOften(t *testing.T) {
	s := newStand(t, nil)
	body := question("alice@firma.example", "bob@partner.example")
	for i := range 10 {
		if r := s.ask(outside, s.entra(t, nil), body); r.StatusCode != 200 {
			t.Fatalf("question %d: %d", i, r.StatusCode)
		}
	}
	r := s.ask(outside, s.entra(t, nil), body)
	if p := problemOf(t, r, 429); p.Code != addin.CodeTooMany || r.Header.Get("Retry-After") != "6" {
		t.Errorf("%+v, again after %s s", p, r.Header.Get("Retry-After"))
	}
	if r := s.ask("198.51.100.7:1", s.entra(t, nil), body); r.StatusCode != 429 {
		t.Errorf("from elsewhere: %d", r.StatusCode)
	}
	if r := s.ask(outside, s.exchange(t, nil), question("bob@firma.example", "x@y.example")); r.StatusCode != 200 {
		t.Errorf("another user: %d", r.StatusCode)
	}
	if r := s.ask(outside, s.entra(t, tokentest.Claims{"oid": "00000000-0000-0000-0000-000000000007"}), body); r.StatusCode != 200 {
		t.Errorf("another user of Entra: %d", r.StatusCode)
	}
	s.pass(6 * time.Second)
	if r := s.ask(outside, s.entra(t, nil), body); r.StatusCode != 200 {
		t.Errorf("later: %d", r.StatusCode)
	}
	// Without a token it is the address that counts, and an IPv6 network is one.
	for i := range 10 {
		s.ask("10.1.0.1:"+strconv.Itoa(i+1), "", body)
	}
	if a, b := s.ask("10.1.0.1:99", "", body), s.ask("10.1.0.2:99", "", body); a.StatusCode != 429 || b.StatusCode != 200 {
		t.Errorf("%d, and a neighbour %d", a.StatusCode, b.StatusCode)
	}
	expect(t, s, "siegel_outlook_limited_total", `
		# HELP siegel_outlook_limited_total Questions of the Outlook add-in beyond a limit.
		# TYPE siegel_outlook_limited_total counter
		siegel_outlook_limited_total{limit="at-once"} 0
		siegel_outlook_limited_total{limit="questions"} 3
		siegel_outlook_limited_total{limit="recipients"} 0
		siegel_outlook_limited_total{limit="strangers"} 0
	`)
}

// Who asks about one after another is stopped and told of, whether they exist or not.
func TestEnumeration(t *testing.T) {
	s := newStand(t, nil)
	bearer := s.entra(t, nil)
	asked := 0
	for i := range 40 {
		s.pass(10 * time.Second)
		r := s.ask(outside, bearer, question("alice@firma.example", fmt.Sprintf("guess%d@partner.example", i)))
		if r.StatusCode == 200 {
			asked++
		} else if p := problemOf(t, r, 429); p.Code != addin.CodeTooMany {
			t.Errorf("%+v", p)
		}
	}
	if n := len(s.oracle.questions()); asked != 20 || n != 20 {
		t.Errorf("%d were answered, the gateway was asked %d times", asked, n)
	}
	var told []*logrus.Entry
	for _, e := range s.log.AllEntries() {
		if e.Level == logrus.WarnLevel {
			told = append(told, e)
		}
	}
	if len(told) != 1 || told[0].Data["from"] != "alice@firma.example" || told[0].Data["client"] != "203.0.113.9" || !strings.Contains(told[0].Message, "more than 20 recipients") {
		t.Errorf("told: %v", told)
	}
	if r := s.ask(outside, bearer, question("alice@firma.example", "guess3@partner.example")); r.StatusCode != 200 {
		t.Errorf("one who was asked about before: %d", r.StatusCode)
	}
	for _, e := range s.log.AllEntries() {
		if text, _ := e.String(); strings.Contains(text, "guess") || strings.Contains(text, bearer) {
			t.Errorf("the log has %s", text)
		}
	}
}

// Strangers are looked at so many times a minute, and a user at the same address all the while.
func TestStrangers(t *testing.T) {
	s := newStand(t, nil)
	last := 0
	for i := range 700 {
		r := s.ask("203.0.113.9:"+strconv.Itoa(i+1), "x", "")
		if r.StatusCode == 429 && last == 401 && i != 600 {
			t.Errorf("the limit comes after %d", i)
		}
		last = r.StatusCode
	}
	if last != 429 {
		t.Errorf("after 700: %d", last)
	}
	if r := s.ask(outside, s.entra(t, nil), question("alice@firma.example", "x@y.example")); r.StatusCode != 200 {
		t.Errorf("a user at the same address: %d", r.StatusCode)
	}
	if r := s.ask("203.0.113.10:1", "x", ""); r.StatusCode != 401 {
		t.Errorf("a neighbour: %d", r.StatusCode)
	}
	s.pass(time.Minute)
	if r := s.ask(outside, "x", ""); r.StatusCode != 401 {
		t.Errorf("a minute later: %d", r.StatusCode)
	}
}

// No more questions than can be answered are begun; others are answered in time that they cannot be.
func TestAtOnce(t *testing.T) {
	s := newStand(t, func(setup *addin.Setup) {
		setup.Bounds.PerMinute, setup.Bounds.RecipientsPerHour, setup.Bounds.Timeout = 1000, 1000, 50*time.Millisecond
	})
	s.oracle.hold = make(chan struct{})
	defer close(s.oracle.hold)
	results := make(chan *http.Response)
	for range 80 {
		go func() { results <- s.ask(inside, "", question("alice@firma.example", "bob@partner.example")) }()
	}
	for range 80 {
		r := <-results
		if p := problemOf(t, r, 503); p.Code != addin.CodeUnavailable || r.Header.Get("Retry-After") != "10" {
			t.Errorf("%+v", p)
		}
	}
}

// Tokens are looked at one after another where they come from one address, and only so many altogether: strangers who send many do not have the processors.
func TestTokensAtOnce(t *testing.T) {
	s := newStand(t, func(setup *addin.Setup) { setup.Bounds.Timeout = 50 * time.Millisecond })
	bearer, body := s.entra(t, nil), question("alice@firma.example", "bob@partner.example")
	refused := func(from string) {
		t.Helper()
		for _, token := range []string{bearer, "x"} {
			if p := problemOf(t, s.ask(from, token, body), 503); p.Code != addin.CodeUnavailable {
				t.Errorf("%+v", p)
			}
		}
	}
	busy := func(address string) func() {
		t.Helper()
		done, err := s.Busy(t.Context(), netip.MustParseAddr(address))
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	one := busy("203.0.113.9")
	refused(outside)
	one()
	var all []func()
	for i := range addin.TurnsAtOnce() {
		all = append(all, busy(fmt.Sprintf("192.0.2.%d", i+1)))
	}
	refused(outside)
	// Who needs no token does not wait for those of others.
	s.setup.Bounds.Timeout = time.Minute
	if err := s.Set(s.setup); err != nil {
		t.Fatal(err)
	}
	if r := s.ask(inside, "", body); r.StatusCode != 200 {
		t.Errorf("from inside: %d", r.StatusCode)
	}
	for _, done := range all {
		done()
	}
	if r := s.ask(outside, bearer, body); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
	expect(t, s, "siegel_outlook_limited_total", `
		# HELP siegel_outlook_limited_total Questions of the Outlook add-in beyond a limit.
		# TYPE siegel_outlook_limited_total counter
		siegel_outlook_limited_total{limit="at-once"} 4
		siegel_outlook_limited_total{limit="questions"} 0
		siegel_outlook_limited_total{limit="recipients"} 0
		siegel_outlook_limited_total{limit="strangers"} 0
	`)
}

// A reload leaves what counts by the hour, if the bounds stay.
func TestLimitsStay(t *testing.T) {
	s := newStand(t, nil)
	body := question("alice@firma.example", "bob@partner.example")
	for range 10 {
		s.ask(outside, s.entra(t, nil), body)
	}
	if err := s.Set(s.setup); err != nil {
		t.Fatal(err)
	}
	if r := s.ask(outside, s.entra(t, nil), body); r.StatusCode != 429 {
		t.Errorf("after a reload: %d", r.StatusCode)
	}
	s.setup.Bounds.PerMinute = 11
	if err := s.Set(s.setup); err != nil {
		t.Fatal(err)
	}
	if r := s.ask(outside, s.entra(t, nil), body); r.StatusCode != 200 {
		t.Errorf("with other bounds: %d", r.StatusCode)
	}
}
