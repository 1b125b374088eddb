package dns_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

const mxZone = `
three.example.     MX 20 b.three.example.
three.example.     MX 10 A.three.example.
three.example.     MX 20 c.three.example.
alias.example.     CNAME three.example.
hostonly.example.  A 192.0.2.1
aliashost.example. CNAME hostonly.example.
null.example.      MX 0 .
null.example.      A 192.0.2.1
both.example.      MX 0 .
both.example.      MX 10 mx.both.example.
useless.example.   MX 10 192.0.2.1.
useless.example.   MX 20 *.example.
nothing.example.   TXT "no mail here"
loop.example.      CNAME loop.example.
`

func hosts(mx []dns.MX) string {
	var s []string
	for _, m := range mx {
		s = append(s, fmt.Sprint(m.Preference, " ", m.Host))
	}
	return strings.Join(s, ", ")
}

// RFC 5321, 5.1 and RFC 7505, case by case.
func TestLookupMX(t *testing.T) {
	s := dnstest.Start(t, mxZone)
	s.Fail("broken.example", dnstest.ServFail)
	r := s.Resolver(t, dns.Options{Shuffle: func(int, func(i, j int)) {}})
	for _, c := range []struct {
		domain, want, owner string
		implicit            bool
		err                 error
	}{
		{domain: "three.example", owner: "three.example", want: "10 a.three.example, 20 b.three.example, 20 c.three.example"},
		{domain: "Alias.Example.", owner: "three.example", want: "10 a.three.example, 20 b.three.example, 20 c.three.example"},
		{domain: "hostonly.example", owner: "hostonly.example", want: "0 hostonly.example", implicit: true},
		{domain: "aliashost.example", owner: "hostonly.example", want: "0 aliashost.example", implicit: true},
		{domain: "both.example", owner: "both.example", want: "10 mx.both.example"},
		{domain: "null.example", err: dns.ErrNullMX},
		{domain: "useless.example", err: dns.ErrNoHost},
		{domain: "nothing.example", err: dns.ErrNotFound},
		{domain: "nowhere.example", err: dns.ErrNotFound},
		{domain: "loop.example", err: dns.ErrTemporary},
		{domain: "broken.example", err: dns.ErrTemporary},
		{domain: "[192.0.2.1]", err: dns.ErrName},
	} {
		got, err := r.LookupMX(t.Context(), c.domain)
		if !errors.Is(err, c.err) || hosts(got.Hosts) != c.want || got.Implicit != c.implicit || got.Domain != c.owner {
			t.Errorf("%s: %+v, %v", c.domain, got, err)
		}
	}
}

// A domain without MX records whose address is not known for now is asked for again, not refused.
func TestLookupMXImplicitTemporary(t *testing.T) {
	s := dnstest.Start(t, "x.example. TXT \"x\"\n")
	r := s.Resolver(t, dns.Options{Attempts: 1})
	if _, err := r.LookupMX(t.Context(), "x.example"); !errors.Is(err, dns.ErrNotFound) {
		t.Error(err)
	}
	s.Set(t, "y.example. CNAME z.example.\n")
	s.Fail("y.example", dnstest.ServFail)
	if _, err := r.LookupMX(t.Context(), "y.example"); !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
}

// Equals come in every order, preferences never out of it, and a hundred hosts are cut to the best.
func TestLookupMXOrder(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "many.example. MX %d mx%d.example.\n", (i*37)%100, (i*37)%100)
	}
	s := dnstest.Start(t, mxZone+many.String())
	r := s.Resolver(t, dns.Options{})
	seen := map[string]int{}
	for range 200 {
		route, err := r.LookupMX(t.Context(), "three.example")
		if err != nil {
			t.Fatal(err)
		}
		seen[hosts(route.Hosts)]++
	}
	if len(seen) != 2 || seen["10 a.three.example, 20 b.three.example, 20 c.three.example"] < 50 {
		t.Errorf("%v", seen)
	}
	if n := s.Asked("three.example", "MX"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	route, err := r.LookupMX(t.Context(), "many.example")
	if err != nil || len(route.Hosts) != 30 {
		t.Fatalf("%d hosts, %v", len(route.Hosts), err)
	}
	for i, h := range route.Hosts {
		if int(h.Preference) != i {
			t.Errorf("%d: %+v", i, h)
		}
	}
}

// A relay that is itself an MX hands on only to better ones (RFC 5321, 5.1).
func TestRouteBefore(t *testing.T) {
	route := dns.Route{Hosts: []dns.MX{{"a", 10}, {"b", 20}, {"c", 20}, {"d", 30}}}
	for self, want := range map[string]string{
		"a": "", "b": "10 a", "c": "10 a", "d": "10 a, 20 b, 20 c", "e": "10 a, 20 b, 20 c, 30 d",
	} {
		if got := hosts(route.Before(func(h string) bool { return h == self })); got != want {
			t.Errorf("%s: %s", self, got)
		}
	}
}

func TestAuthentic(t *testing.T) {
	s := dnstest.Start(t, mxZone)
	r := s.Resolver(t, dns.Options{CacheSize: -1})
	lookups := func() (mx, implicit, host bool) {
		t.Helper()
		a, err := r.LookupMX(t.Context(), "alias.example")
		b, errB := r.LookupMX(t.Context(), "hostonly.example")
		c, errC := r.LookupHost(t.Context(), "aliashost.example")
		if err := errors.Join(err, errB, errC); err != nil {
			t.Fatal(err)
		}
		return a.Authentic, b.Authentic, c.Authentic
	}
	if a, b, c := lookups(); a || b || c {
		t.Error("authentic without the AD bit")
	}
	s.Authenticate(true)
	if a, b, c := lookups(); !a || !b || !c {
		t.Error("the AD bit is lost")
	}
	_, err := r.LookupHost(t.Context(), "nowhere.example")
	var failure *dns.Error
	if !errors.As(err, &failure) || !failure.Authentic {
		t.Errorf("%+v", failure)
	}
}
