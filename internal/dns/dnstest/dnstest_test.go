package dnstest_test

import (
	"testing"

	mdns "github.com/miekg/dns"

	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

const zone = `
a.example.        A     192.0.2.1
b.a.example.      TXT   "b"
c.example.        CNAME d.example.
d.example.        CNAME a.example.
*.w.example.      A     192.0.2.2
x.w.example.      TXT   "stands in the way of the wildcard"
e.f.g.example.    A     192.0.2.3
example.          SOA   ns.example. admin.example. 7 1 1 1 33
r.example.        CNAME r.example.
odd\032name\064.example. A 192.0.2.4
`

func ask(t *testing.T, s *dnstest.Server, name string, qtype uint16) *mdns.Msg {
	t.Helper()
	q := new(mdns.Msg).SetQuestion(mdns.Fqdn(name), qtype)
	reply, err := mdns.Exchange(q, s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// The answers are those that RFC 1034, 4.3.2 and RFC 4592 ask for.
func TestAnswers(t *testing.T) {
	s := dnstest.Start(t, zone)
	for _, c := range []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
		soa     uint32 // serial; 0: none
	}{
		{"a.example", mdns.TypeA, mdns.RcodeSuccess, 1, 0},
		{"A.EXAMPLE", mdns.TypeA, mdns.RcodeSuccess, 1, 0},
		{"a.example", mdns.TypeMX, mdns.RcodeSuccess, 0, 7},
		{"c.example", mdns.TypeA, mdns.RcodeSuccess, 3, 0},
		{"c.example", mdns.TypeCNAME, mdns.RcodeSuccess, 1, 0},
		{"c.example", mdns.TypeMX, mdns.RcodeSuccess, 2, 7},
		{"y.w.example", mdns.TypeA, mdns.RcodeSuccess, 1, 0},
		{"z.y.w.example", mdns.TypeA, mdns.RcodeSuccess, 1, 0},
		{"x.w.example", mdns.TypeA, mdns.RcodeSuccess, 0, 7},
		{"z.x.w.example", mdns.TypeA, mdns.RcodeNameError, 0, 7},
		{`odd\ name\@.example`, mdns.TypeA, mdns.RcodeSuccess, 1, 0},
		{"f.g.example", mdns.TypeA, mdns.RcodeSuccess, 0, 7},
		{"nowhere.example", mdns.TypeA, mdns.RcodeNameError, 0, 7},
		{"other.test", mdns.TypeA, mdns.RcodeNameError, 0, 0},
		{"r.example", mdns.TypeA, mdns.RcodeSuccess, 20, 7},
	} {
		reply := ask(t, s, c.name, c.qtype)
		if reply.Rcode != c.rcode || len(reply.Answer) != c.answers {
			t.Errorf("%s %s: %s", c.name, mdns.TypeToString[c.qtype], reply)
		}
		if c.soa != 0 && (len(reply.Ns) != 1 || reply.Ns[0].(*mdns.SOA).Serial != c.soa) || c.answers > 0 && c.soa == 0 && len(reply.Ns) > 0 {
			t.Errorf("%s %s: authority %v", c.name, mdns.TypeToString[c.qtype], reply.Ns)
		}
	}
	if s.Asked("a.example", "A") != 2 || s.Asked("a.example", "") != 3 || s.Asked("b.example", "") != 0 || s.OverTCP() != 0 {
		t.Error("the count is wrong")
	}
}

func TestFailures(t *testing.T) {
	s := dnstest.Start(t, zone)
	for failure, want := range map[dnstest.Failure]int{
		dnstest.None: mdns.RcodeSuccess, dnstest.ServFail: mdns.RcodeServerFailure, dnstest.Refused: mdns.RcodeRefused,
		dnstest.Bogus: mdns.RcodeServerFailure, dnstest.Hidden: mdns.RcodeServerFailure, dnstest.NoEDNS: mdns.RcodeSuccess,
		dnstest.Lame: mdns.RcodeSuccess,
	} {
		s.Fail("a.example", failure)
		reply := ask(t, s, "a.example", mdns.TypeA)
		if reply.Rcode != want || failure == dnstest.Lame && len(reply.Answer) > 0 {
			t.Errorf("%d: %s", failure, reply)
		}
	}
	s.Set(t, "z.example. A 192.0.2.1\n")
	if reply := ask(t, s, "z.example", mdns.TypeA); len(reply.Answer) != 1 || reply.AuthenticatedData {
		t.Errorf("after Set: %s", reply)
	}
	s.Authenticate(true)
	if reply := ask(t, s, "z.example", mdns.TypeA); !reply.AuthenticatedData {
		t.Error("no AD bit")
	}
	s.Set(t, zone)
	s.Fail("a.example", dnstest.None)
	s.Insecure("d.example")
	for name, want := range map[string]bool{"a.example": true, "c.example": false, "d.example": false, "x.d.example": false, "xd.example": true} {
		if reply := ask(t, s, name, mdns.TypeA); reply.AuthenticatedData != want {
			t.Errorf("%s: AD is %t", name, reply.AuthenticatedData)
		}
	}
}
