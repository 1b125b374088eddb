package dane_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// The zones: signed.example is signed, plain.example is not.
const zones = `
$ORIGIN signed.example.
@           SOA   ns admin 1 3600 600 86400 120
@           MX    10 mx
alias       CNAME @
mx          A     192.0.2.1
none        A     192.0.2.2
cut         A     192.0.2.3
short       CNAME mx
both        CNAME mx
bare        CNAME none
out         CNAME mx.plain.example.
outbare     CNAME mx.plain.example.
named       A     192.0.2.4
_25._tcp.mx     TLSA 3 1 1 %[1]s11
_25._tcp.both   TLSA 3 1 1 %[1]s22
_25._tcp.bare   TLSA 3 1 1 %[1]s33
_25._tcp.out    TLSA 3 1 1 %[1]s44
_25._tcp.cut    TLSA 0 1 1 %[1]s55
_465._tcp.named TLSA 3 1 1 %[1]s66
_25._tcp.named  CNAME _25._tcp.mx
$ORIGIN plain.example.
@           SOA   ns admin 1 3600 600 86400 120
mx          A     192.0.2.9
into        CNAME mx.signed.example.
_25._tcp.mx    TLSA 3 1 1 %[1]s77
_25._tcp.into  TLSA 3 1 1 %[1]s88
`

func zone() string { return fmt.Sprintf(zones, strings.Repeat("00", 31)) }

// target is a host as the look-ups of delivery leave it.
func target(t *testing.T, r *dns.Resolver, host string, port uint16) dane.Target {
	t.Helper()
	h, err := r.LookupHost(t.Context(), host)
	if err != nil {
		t.Fatal(host, err)
	}
	return dane.Target{Host: host, Port: port, Expanded: h.Name, Secure: true, SecureAddresses: h.Authentic, Domain: "alias.signed.example", Owner: "signed.example"}
}

// Which records count, and under which name: RFC 7672, 2.2.
func TestFind(t *testing.T) {
	s := dnstest.Start(t, zone())
	s.Authenticate(true)
	s.Insecure("plain.example")
	r := s.Resolver(t, dns.Options{})
	for _, c := range []struct {
		host, base, last string // the base domain and the end of the one record; empty: DANE says nothing
		port             uint16
		authenticates    bool
	}{
		{"mx.signed.example", "mx.signed.example", "11", 25, true},
		{"none.signed.example", "", "", 25, false},
		{"cut.signed.example", "cut.signed.example", "55", 25, false},
		{"short.signed.example", "mx.signed.example", "11", 25, true},     // the end of the CNAMEs
		{"both.signed.example", "mx.signed.example", "11", 25, true},      // goes before the beginning
		{"bare.signed.example", "bare.signed.example", "33", 25, true},    // where the end has nothing
		{"out.signed.example", "out.signed.example", "44", 25, true},      // where the end is not signed
		{"outbare.signed.example", "", "", 25, false},                     // nothing, and not signed
		{"named.signed.example", "named.signed.example", "66", 465, true}, // by port
		{"named.signed.example", "named.signed.example", "11", 25, true},  // a CNAME of the records keeps the base
		{"mx.plain.example", "", "", 25, false},                           // not signed
		{"into.plain.example", "", "", 25, false},                         // not signed, although its end is
	} {
		p, err := dane.Find(t.Context(), r, target(t, r, c.host, c.port))
		if err != nil || (p == nil) != (c.base == "") {
			t.Errorf("%s: %+v, %v", c.host, p, err)
			continue
		}
		if p == nil {
			continue
		}
		if got := p.Strings(); p.Base != c.base || len(got) != 1 || !strings.HasSuffix(got[0], c.last) || p.Authenticates() != c.authenticates {
			t.Errorf("%s: base %s, %q, authenticates %t", c.host, p.Base, got, p.Authenticates())
		}
		if want := []string{c.base, "alias.signed.example", "signed.example"}; !slices.Equal(p.Names, want) {
			t.Errorf("%s: names %q", c.host, p.Names)
		}
	}
	if n := s.Asked("_25._tcp.mx.plain.example", "TLSA") + s.Asked("_25._tcp.into.plain.example", "TLSA"); n != 0 {
		t.Errorf("records of zones that are not signed were asked for %d times: servers there may choke on it", n)
	}
}

// A name that anybody may have forged leads to no records.
func TestFindInsecureRoute(t *testing.T) {
	s := dnstest.Start(t, zone())
	s.Authenticate(true)
	r := s.Resolver(t, dns.Options{})
	to := target(t, r, "mx.signed.example", 25)
	to.Secure = false
	if p, err := dane.Find(t.Context(), r, to); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if s.Asked("_25._tcp.mx.signed.example", "") > 0 {
		t.Error("the records were asked for")
	}
}

// A host that an administrator named has no other names than its own.
func TestFindNamed(t *testing.T) {
	s := dnstest.Start(t, zone())
	s.Authenticate(true)
	p, err := dane.Find(t.Context(), s.Resolver(t, dns.Options{}), dane.Target{Host: "mx.signed.example", Expanded: "mx.signed.example", Port: 25, Secure: true, SecureAddresses: true})
	if err != nil || !slices.Equal(p.Names, []string{"mx.signed.example"}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// What is neither an answer nor a certain denial is never a reason to do without.
func TestFindFails(t *testing.T) {
	for failure, bogus := range map[dnstest.Failure]bool{dnstest.ServFail: false, dnstest.Refused: false, dnstest.Bogus: true, dnstest.Hidden: true} {
		s := dnstest.Start(t, zone())
		s.Authenticate(true)
		s.Insecure("plain.example")
		r := s.Resolver(t, dns.Options{Attempts: 1})
		to := map[string]dane.Target{}
		for _, name := range []string{"mx", "none", "short", "out"} {
			to[name] = target(t, r, name+".signed.example", 25)
		}
		for _, name := range []string{"_25._tcp.mx", "_25._tcp.none", "out"} {
			s.Fail(name+".signed.example", failure)
		}
		r = s.Resolver(t, dns.Options{Attempts: 1}) // which remembers nothing
		for name, target := range to {
			p, err := dane.Find(t.Context(), r, target)
			if p != nil || !errors.Is(err, dane.ErrLookup) || errors.Is(err, dns.ErrBogus) != bogus || !strings.Contains(err.Error(), name+".signed.example") {
				t.Errorf("%d, %s: %+v, %v", failure, name, p, err)
			}
		}
	}
}

// A resolver that is not vouched for proves nothing, whatever bits it sets.
func TestFindUnvouched(t *testing.T) {
	s := dnstest.Start(t, zone()) // without the AD bit
	r := s.Resolver(t, dns.Options{})
	if p, err := dane.Find(t.Context(), r, target(t, r, "mx.signed.example", 25)); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	set, err := r.LookupTLSA(t.Context(), 25, "mx.signed.example")
	if err != nil || set.Authentic {
		t.Errorf("%+v, %v", set, err)
	}
}
