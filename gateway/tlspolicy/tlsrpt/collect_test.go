package tlsrpt

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// noon is a moment of the day that tests are about.
var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

func sts(lines ...string) Policy {
	return Policy{Type: STS, Strings: lines, MX: []string{"mx.partner.example"}}
}

// Outcomes of one domain and day are counted together, whoever notes them and however the domain is written.
func TestCollect(t *testing.T) {
	now := noon
	c := NewCollector(func() time.Time { return now })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				c.Note(Outcome{Domain: []string{"partner.example", "Partner.Example."}[i%2], Policy: sts("version: STSv1", "mode: enforce")})
				c.Note(Outcome{
					Domain: "partner.example", Policy: sts("version: STSv1", "mode: enforce"), Result: HostMismatch, MX: "mx.partner.example",
					ReceivingIP: netip.MustParseAddr("::ffff:9.9.9.1"), Reason: "the certificate is for other.example",
				})
			}
		})
	}
	all.Wait()
	now = noon.Add(12 * time.Hour)
	c.Note(Outcome{Domain: "partner.example", Policy: Policy{Type: NoPolicy}})
	c.Note(Outcome{Domain: "[192.0.2.1]", Policy: Policy{Type: NoPolicy}})
	c.Note(Outcome{Policy: Policy{Type: NoPolicy}})

	counted := c.take()
	if len(counted) != 2 || len(c.take()) != 0 || c.lost.Load() != 0 {
		t.Fatalf("%d, lost %d", len(counted), c.lost.Load())
	}
	first := counted[place{DayOf(noon), "partner.example"}]
	if first == nil || len(first.Policies) != 1 {
		t.Fatalf("%+v", first)
	}
	got := first.Policies[0]
	if got.Successes != 800 || len(got.Failures) != 1 || got.Failures[0].Sessions != 800 || got.Failures[0].ReceivingIP.String() != "9.9.9.1" || got.Policy.Domain != "partner.example" {
		t.Errorf("%+v", got)
	}
	if next := counted[place{DayOf(noon) + 1, "partner.example"}]; next == nil || next.sessions() != 1 {
		t.Errorf("%+v", next)
	}
}

// A nil Collector may be told anything.
func TestNilCollector(*testing.T) { (*Collector)(nil).Note(Outcome{Domain: "partner.example"}) }

// However many domains, policies and kinds of failure there are: memory is bounded, and what is left out is counted.
func TestBounds(t *testing.T) {
	c := NewCollector(func() time.Time { return noon })
	for i := range maxFresh + 5 {
		c.Note(Outcome{Domain: fmt.Sprintf("d%d.example", i), Policy: Policy{Type: NoPolicy}})
	}
	if c.lost.Load() != 5 || len(c.take()) != maxFresh {
		t.Errorf("lost %d", c.lost.Load())
	}
	for i := range maxPolicies + 7 {
		c.Note(Outcome{Domain: "partner.example", Policy: Policy{Type: TLSA, Strings: []string{fmt.Sprint(i)}}})
	}
	for i := range maxFailures + 50 {
		c.Note(Outcome{Domain: "other.example", Policy: Policy{Type: NoPolicy}, Result: []Result{Failed, Expired}[i%2], HELO: fmt.Sprint(i)})
	}
	counted := c.take()
	if p := counted[place{DayOf(noon), "partner.example"}]; len(p.Policies) != maxPolicies || c.lost.Load() != 5+7 {
		t.Errorf("%d policies, lost %d", len(p.Policies), c.lost.Load())
	}
	failures := counted[place{DayOf(noon), "other.example"}].Policies[0].Failures
	if len(failures) != maxFailures+2 || (Count{Failures: failures}).failed() != maxFailures+50 {
		t.Errorf("%d kinds", len(failures))
	}
}

// What could not be written counts along with what came since.
func TestPutBack(t *testing.T) {
	c := NewCollector(func() time.Time { return noon })
	note := func() { c.Note(Outcome{Domain: "partner.example", Policy: sts("x")}) }
	note()
	old := c.take()
	note()
	c.putBack(old)
	if got := c.take()[place{DayOf(noon), "partner.example"}]; got.sessions() != 2 || len(got.Policies) != 1 {
		t.Errorf("%+v", got)
	}
}

// What strangers say in a session is bounded and printable.
func TestOutcomeBound(t *testing.T) {
	list := make([]string, 500)
	o, ok := Outcome{Domain: "partner.example", HELO: "a\r\nb" + strings.Repeat("x", 9999), Reason: strings.Repeat("é\x00", 999), Policy: Policy{Strings: list, MX: []string{strings.Repeat("y", 9999)}}}.bound()
	if !ok || len(o.HELO) > maxName || len(o.Reason) > maxReason || len(o.Policy.Strings) != maxStrings || len(o.Policy.MX[0]) > maxString {
		t.Errorf("%d %d %d %d", len(o.HELO), len(o.Reason), len(o.Policy.Strings), len(o.Policy.MX[0]))
	}
	if strings.ContainsAny(o.HELO+o.Reason, "\r\n\x00") {
		t.Errorf("%q", o.HELO)
	}
}

// Addresses inside, and the ends of connections, are not told others; results that nobody knows are failures.
func TestOutcomeInside(t *testing.T) {
	o, ok := Outcome{
		Domain: "partner.example", Result: "made up", SendingIP: netip.MustParseAddr("10.1.2.3"), ReceivingIP: netip.MustParseAddr("fe80::1%eth0"),
		Reason: "STARTTLS: read tcp 10.1.2.3:40123->9.9.9.7:25: connection reset by peer",
	}.bound()
	if !ok || o.SendingIP.IsValid() || o.ReceivingIP.IsValid() || o.Result != Failed || o.Reason != "STARTTLS: read tcp connection reset by peer" {
		t.Errorf("%+v", o)
	}
}
