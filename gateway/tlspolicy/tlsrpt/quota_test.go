package tlsrpt

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Whoever has a record for each of many subdomains, by a wildcard, gets reports about some of them, and the others are counted and said once.
func TestManySubdomains(t *testing.T) {
	s := newStand(t)
	const many = maxAbout + 7
	for i := range many {
		domain := fmt.Sprintf("n%d.evil.example", i)
		s.zone.texts["_smtp._tls."+domain] = []string{"v=TLSRPTv1; rua=mailto:victim@victim.example,mailto:other@victim.example"}
		s.note(domain)
	}
	s.note("partner.example")
	s.turn()
	s.clock = noon.Add(dayLength)
	s.turn()
	s.turn()
	to := map[string]int{}
	for _, m := range s.mails {
		to[m.env.Recipients[0].Address.String()]++
	}
	if to["victim@victim.example"] != maxAbout || to["other@victim.example"] != maxAbout || to["tls@partner.example"] != 1 {
		t.Errorf("mails %v", to)
	}
	if n := testutil.ToFloat64(s.sent.WithLabelValues("none", "dropped")); n != many-maxAbout {
		t.Errorf("%v are counted as dropped", n)
	}
	if n := strings.Count(s.log.String(), "more reports about TLS"); n != 1 || !strings.Contains(s.log.String(), "about=evil.example") {
		t.Errorf("it is said %d times:\n%s", n, s.log.String())
	}
	if rows := s.rows(); len(rows) != 0 {
		t.Errorf("%d wait", len(rows))
	}
}

// However many domains have their reports sent to one place, by mail or HTTPS, it gets so many about a day, also over a restart; on the next day it
// gets some again.
func TestManyToOne(t *testing.T) {
	s := newStand(t)
	record := "v=TLSRPTv1; rua=mailto:a@in.victim.example,https://reports.victim.example/v1"
	domains := []string{"one.example", "two.example", "three.example"}
	for _, d := range domains {
		s.zone.texts["_smtp._tls."+d] = []string{record}
		s.note(d)
	}
	s.turn()
	for range maxTo - 2 {
		if _, err := s.store.count(t.Context(), DayOf(noon), quotaTo(byMail, "b@victim.example")); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	s.clock = noon.Add(dayLength)
	s.turn()
	if len(s.mails) != 2 || testutil.ToFloat64(s.sent.WithLabelValues("mail", "dropped")) != 1 {
		t.Errorf("%d mails\n%s", len(s.mails), s.log.String())
	}
	s.note("one.example")
	s.Flush(t.Context())
	s.clock = noon.Add(2 * dayLength)
	s.turn()
	if len(s.mails) != 3 {
		t.Errorf("%d mails after the next day", len(s.mails))
	}
}

// A report that is tried again is counted once.
func TestCountedOnce(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.turn()
	s.clock, s.deny = noon.Add(dayLength), fmt.Errorf("the disk is full")
	for range 3 {
		s.turn()
		s.clock = s.clock.Add(longestWait)
	}
	s.deny = nil
	s.turn()
	n, err := s.store.count(t.Context(), DayOf(noon), quotaTo(byMail, "x@mx.partner.example"))
	if err != nil || n != 2 || len(s.mails) != 1 {
		t.Errorf("counted %d, %v; %d mails", n, err, len(s.mails))
	}
	if _, err := s.store.prune(t.Context(), DayOf(noon)+1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.store.count(t.Context(), DayOf(noon), quotaTo(byMail, "x@partner.example")); n != 1 || err != nil {
		t.Errorf("what is old is not forgotten: %d, %v", n, err)
	}
}

// What a report is counted against: what can be registered, not the subdomains that cost nothing.
func TestQuotaNames(t *testing.T) {
	for to, want := range map[string]string{
		"a@x.y.victim.example": "victim.example", "a@victim.co.uk": "victim.co.uk", "a@[192.0.2.1]": "[192.0.2.1]", `"a@b"@Victim.example`: "victim.example",
	} {
		if got := quotaTo(byMail, to); got.name != want || got.kind != "to" {
			t.Errorf("%s: %+v", to, got)
		}
	}
	for to, want := range map[string]string{"https://a.b.victim.example:8443/x@y?u=a@c.example": "victim.example", "https://192.0.2.1/": "192.0.2.1", "https://[2001:db8::1]/": "2001:db8::1"} {
		if got := quotaTo(byHTTPS, to); got.name != want {
			t.Errorf("%s: %+v", to, got)
		}
	}
}

// Behind address translation the end that others saw is told, of the family that the session had; an end that is one of the internet is told itself.
func TestSendingIPs(t *testing.T) {
	s := newStand(t)
	settings := s.settings()
	settings.SendingIPs = []netip.Addr{netip.MustParseAddr("9.9.9.25"), netip.MustParseAddr("2620:fe::25")}
	s.Set(settings)
	for _, c := range []struct{ from, to, want string }{
		{"10.1.2.3", "9.9.9.7", "9.9.9.25"}, {"fd00::1", "2620:fe::7", "2620:fe::25"}, {"8.8.8.8", "9.9.9.7", "8.8.8.8"}, {"10.1.2.3", "10.9.9.9", ""},
	} {
		s.Collector().Note(Outcome{Domain: "partner.example", Result: Failed, SendingIP: netip.MustParseAddr(c.from), ReceivingIP: netip.MustParseAddr(c.to)})
		for _, tally := range s.Collector().take() {
			if got := ip(tally.Policies[0].Failures[0].SendingIP); got != c.want {
				t.Errorf("%+v: %q", c, got)
			}
		}
	}
}
