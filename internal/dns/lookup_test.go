package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

const zone = `
$ORIGIN firma.example.
@            SOA   ns admin 1 3600 600 86400 120
@            TXT   "v=spf1 -all"
@            TXT   "two " "strings"
escapes      TXT   "say \"hi\" \\ \195\164 ;"
www          CNAME host
host         A     192.0.2.1
host         AAAA  2001:db8::1
host         A     192.0.2.2
four         A     192.0.2.4
six          AAAA  2001:db8::6
far          CNAME near.partner.example.
dangling     CNAME nowhere
loop1        CNAME loop2
loop2        CNAME loop1
empty.below  TXT   "x"
*.wild       A     192.0.2.9
_25._tcp.host TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
_25._tcp.host TLSA 2 0 0 abcd
$ORIGIN .
near.partner.example. A 198.51.100.1
1.2.0.192.in-addr.arpa. PTR Host.firma.example.
1.2.0.192.in-addr.arpa. PTR liar.firma.example.
1.2.0.192.in-addr.arpa. PTR 192.0.2.1.
2.2.0.192.in-addr.arpa. PTR liar.firma.example.
3.2.0.192.in-addr.arpa. PTR bad\032name.example.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR host.firma.example.
user+tag.firma.example. A 127.0.0.2
`

func start(t testing.TB, o dns.Options) (*dnstest.Server, *dns.Resolver) {
	t.Helper()
	s := dnstest.Start(t, zone)
	return s, s.Resolver(t, o)
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, s := range texts {
		all = append(all, netip.MustParseAddr(s))
	}
	return all
}

func TestLookupHost(t *testing.T) {
	_, r := start(t, dns.Options{})
	for _, c := range []struct {
		host, name string
		want       []netip.Addr
	}{
		{"host.firma.example", "host.firma.example", addrs("2001:db8::1", "192.0.2.1", "192.0.2.2")},
		{"HOST.firma.EXAMPLE.", "host.firma.example", addrs("2001:db8::1", "192.0.2.1", "192.0.2.2")},
		{"www.firma.example", "host.firma.example", addrs("2001:db8::1", "192.0.2.1", "192.0.2.2")},
		{"four.firma.example", "four.firma.example", addrs("192.0.2.4")},
		{"six.firma.example", "six.firma.example", addrs("2001:db8::6")},
		{"far.firma.example", "near.partner.example", addrs("198.51.100.1")},
		{"any.wild.firma.example", "any.wild.firma.example", addrs("192.0.2.9")},
	} {
		got, err := r.LookupHost(t.Context(), c.host)
		if err != nil || got.Name != c.name || !slices.Equal(got.Addrs, c.want) {
			t.Errorf("%s: %+v, %v", c.host, got, err)
		}
	}
}

func TestFailures(t *testing.T) {
	s, patient := start(t, dns.Options{Timeout: time.Minute, Total: time.Minute})
	hasty := s.Resolver(t, dns.Options{Timeout: 50 * time.Millisecond}) // for who says nothing
	s.Fail("servfail.example", dnstest.ServFail)
	s.Fail("refused.example", dnstest.Refused)
	s.Fail("silent.example", dnstest.Silent)
	s.Fail("bogus.example", dnstest.Bogus)
	s.Fail("hidden.example", dnstest.Hidden)
	for _, c := range []struct {
		name   string
		class  error
		noName bool
	}{
		{"nowhere.firma.example", dns.ErrNotFound, true},
		{"dangling.firma.example", dns.ErrNotFound, true},
		{"below.firma.example", dns.ErrNotFound, false}, // an empty non-terminal
		{"escapes.firma.example", dns.ErrNotFound, false},
		{"loop1.firma.example", dns.ErrTemporary, false},
		{"servfail.example", dns.ErrTemporary, false},
		{"refused.example", dns.ErrTemporary, false},
		{"silent.example", dns.ErrTemporary, false},
		{"bogus.example", dns.ErrBogus, false},
		{"hidden.example", dns.ErrBogus, false},
		{"192.0.2.1", dns.ErrName, false},
		{"a..b", dns.ErrName, false},
	} {
		r := patient
		if c.name == "silent.example" {
			r = hasty
		}
		_, err := r.LookupHost(t.Context(), c.name)
		var failure *dns.Error
		if !errors.As(err, &failure) || !errors.Is(err, c.class) || failure.NoName != c.noName || failure.Name != c.name {
			t.Errorf("%s: %+v, %v", c.name, failure, err)
			continue
		}
		for _, class := range []error{dns.ErrNotFound, dns.ErrTemporary, dns.ErrBogus, dns.ErrName, dns.ErrNullMX, dns.ErrNoHost} {
			if errors.Is(err, class) != (class == c.class) {
				t.Errorf("%s: is also %v", c.name, class)
			}
		}
		if temporary := c.class == dns.ErrTemporary || c.class == dns.ErrBogus; failure.Temporary() != temporary {
			t.Errorf("%s: temporary %v", c.name, failure.Temporary())
		}
		if !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %v does not name it", c.name, err)
		}
	}
}

// One family is enough; that there is none is known only when both said so.
func TestLookupHostOneFamilyFails(t *testing.T) {
	s := dnstest.Start(t, "both.example. A 192.0.2.1\n")
	lost := losses{lost: func(_, query string) bool { return strings.Contains(query, "\x07example\x00\x00\x1c") }} // AAAA
	r := s.Resolver(t, dns.Options{Timeout: time.Minute, Attempts: 1, Dial: lost.Dial})
	if h, err := r.LookupHost(t.Context(), "both.example"); err != nil || len(h.Addrs) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := r.LookupHost(t.Context(), "none.example"); !errors.Is(err, dns.ErrTemporary) {
		t.Errorf("%v", err)
	}
}

// losses makes connections that lose some queries. Where one is lost, the reply is missed at once, as when the time was up: how long a server that
// does answer may take does not depend on it.
type losses struct {
	to    func(addr string) string // where a server really is; nil: at addr
	lost  func(server, query string) bool
	count atomic.Int32
}

func (l *losses) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	at := addr
	if l.to != nil {
		at = l.to(addr)
	}
	c, err := new(net.Dialer).DialContext(ctx, network, at)
	if err != nil {
		return nil, err
	}
	return losing{c.(*net.UDPConn), addr, l}, nil
}

type losing struct {
	*net.UDPConn
	server string
	l      *losses
}

func (l losing) Write(b []byte) (int, error) {
	if l.l.lost(l.server, string(b)) {
		l.l.count.Add(1)
		return len(b), l.SetReadDeadline(time.Unix(1, 0))
	}
	return l.UDPConn.Write(b)
}

func TestLookupTXT(t *testing.T) {
	s, r := start(t, dns.Options{})
	got, err := r.LookupTXT(t.Context(), "firma.example")
	if err != nil || !slices.Equal(got, []string{"v=spf1 -all", "two strings"}) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = r.LookupTXT(t.Context(), "escapes.firma.example")
	if err != nil || !slices.Equal(got, []string{`say "hi" \ ä ;`}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := r.LookupTXT(t.Context(), "a\nb.example"); !errors.Is(err, dns.ErrName) {
		t.Error(err)
	}
	// Longer than any datagram.
	var long strings.Builder
	for i := range 200 {
		fmt.Fprintf(&long, "big.example. TXT \"%d %s\"\n", i, strings.Repeat("x", 200))
	}
	s.Set(t, long.String())
	if got, err := r.LookupTXT(t.Context(), "big.example"); err != nil || len(got) != 200 || s.OverTCP() != 1 {
		t.Errorf("%d records, %v, %d over TCP", len(got), err, s.OverTCP())
	}
}

func TestLookupPTR(t *testing.T) {
	_, r := start(t, dns.Options{})
	host := []string{"host.firma.example"}
	for _, c := range []struct {
		addr             string
		names, confirmed []string
	}{
		{"192.0.2.1", []string{"host.firma.example", "liar.firma.example"}, host},
		{"::ffff:192.0.2.1", []string{"host.firma.example", "liar.firma.example"}, host},
		{"2001:db8::1", host, host},
		{"2001:db8::1%eth0", host, host},
		{"192.0.2.2", []string{"liar.firma.example"}, nil},
		{"192.0.2.3", nil, nil},
		{"192.0.2.77", nil, nil},
	} {
		addr := netip.MustParseAddr(c.addr)
		names, err := r.LookupPTR(t.Context(), addr)
		if !slices.Equal(names, c.names) || (err == nil) != (names != nil) || err != nil && !errors.Is(err, dns.ErrNotFound) {
			t.Errorf("%s: %v, %v", c.addr, names, err)
		}
		names, err = r.ConfirmedNames(t.Context(), addr)
		if !slices.Equal(names, c.confirmed) || (err == nil) != (names != nil) || err != nil && !errors.Is(err, dns.ErrNotFound) {
			t.Errorf("%s confirmed: %v, %v", c.addr, names, err)
		}
	}
	if _, err := r.LookupPTR(t.Context(), netip.Addr{}); !errors.Is(err, dns.ErrName) {
		t.Error(err)
	}
}

// That a name could not be looked up is no proof against it.
func TestConfirmedNamesTemporary(t *testing.T) {
	s, r := start(t, dns.Options{})
	s.Fail("liar.firma.example", dnstest.ServFail)
	if _, err := r.ConfirmedNames(t.Context(), netip.MustParseAddr("192.0.2.2")); !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
	if names, err := r.ConfirmedNames(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestLookupTLSA(t *testing.T) {
	s, r := start(t, dns.Options{})
	s.Authenticate(true)
	set, err := r.LookupTLSA(t.Context(), 25, "Host.firma.example")
	if err != nil || len(set.Records) != 2 || !set.Authentic || set.Name != "_25._tcp.host.firma.example" {
		t.Fatalf("%+v, %v", set, err)
	}
	i := slices.IndexFunc(set.Records, func(r dns.TLSA) bool { return r.Usage == 3 })
	if got := set.Records[i]; got.Selector != 1 || got.MatchingType != 1 || len(got.Data) != 32 || got.Data[0] != 0xe3 {
		t.Errorf("%+v", got)
	}
	if _, err := r.LookupTLSA(t.Context(), 25, "six.firma.example"); !errors.Is(err, dns.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.LookupTLSA(t.Context(), 25, "192.0.2.1"); !errors.Is(err, dns.ErrName) {
		t.Error(err)
	}
}

// The libraries tell errors by type assertion, and would take what they do not know for the end of the matter.
func TestNet(t *testing.T) {
	s, r := start(t, dns.Options{})
	s.Fail("servfail.example", dnstest.ServFail)
	n := r.Net()
	for name, temporary := range map[string]bool{"nowhere.example": false, "a..b": false, "servfail.example": true} {
		_, err := n.LookupTXT(t.Context(), name)
		_, errMX := n.LookupMX(t.Context(), name)
		_, errIP := n.LookupIPAddr(t.Context(), name)
		for _, err := range []error{err, errMX, errIP} {
			e, ok := err.(*net.DNSError)
			if !ok || e.IsNotFound == temporary || e.Temporary() != temporary {
				t.Errorf("%s: %T %v", name, err, err)
			}
		}
	}
	if mx, err := n.LookupMX(t.Context(), "host.firma.example"); err == nil {
		t.Errorf("an implicit MX: %v", mx)
	}
	if a, err := n.LookupIPAddr(t.Context(), "user+tag.firma.example"); err != nil || len(a) != 1 {
		t.Errorf("%v, %v", a, err)
	}
	if names, err := n.LookupAddr(t.Context(), "192.0.2.2"); err != nil || !slices.Equal(names, []string{"liar.firma.example."}) {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := n.LookupAddr(t.Context(), "no address"); err == nil {
		t.Error("no address has a name")
	}
	if texts, err := n.LookupTXT(t.Context(), "firma.example"); err != nil || len(texts) != 2 {
		t.Errorf("%v, %v", texts, err)
	}
}

// The CNAME itself is the answer, and nothing behind it counts (RFC 7672, 2.2.2).
func TestLookupCNAME(t *testing.T) {
	s, r := start(t, dns.Options{})
	s.Authenticate(true)
	s.Insecure("partner.example")
	for name, want := range map[string]string{"www": "host.firma.example", "far": "near.partner.example", "loop1": "loop2.firma.example", "dangling": "nowhere.firma.example"} {
		a, err := r.LookupCNAME(t.Context(), name+".firma.example")
		if err != nil || a.Target != want || !a.Authentic {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	for name, want := range map[string]error{"host.firma.example": dns.ErrNotFound, "nowhere.firma.example": dns.ErrNotFound, "a..b": dns.ErrName} {
		if _, err := r.LookupCNAME(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h, err := r.LookupHost(t.Context(), "far.firma.example"); err != nil || h.Authentic {
		t.Errorf("the address behind it: %+v, %v", h, err)
	}
}
