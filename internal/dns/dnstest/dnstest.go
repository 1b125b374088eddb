// Package dnstest is an authoritative DNS server for tests, in process and on loopback; it does not recurse.
//
// It speaks UDP and TCP on one port, cuts answers to the size that the asker takes, follows CNAMEs within its
// records, knows wildcards (RFC 4592), and fails where it is told to.
package dnstest

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Failure is what a Server does instead of answering.
type Failure int

// The failures.
const (
	None     Failure = iota
	ServFail         // the server says SERVFAIL
	Refused          // the server says REFUSED
	Silent           // no reply comes
	Bogus            // SERVFAIL with the extended error "DNSSEC Bogus" (RFC 8914), but an answer with the CD bit set
	Hidden           // as Bogus, without the extended error
	NoEDNS           // FORMERR to queries with EDNS, an answer to others
	Forged           // replies that do not fit the question come before the right one
	Cut              // the answer over UDP says that it is cut, always
	Lame             // neither an answer nor a denial: the server does not recurse and only tells whom to ask
)

// Server answers from its records. Its methods may be called at any time from any goroutine.
type Server struct {
	addr string

	mu        sync.Mutex
	records   map[string][]mdns.RR // by owner in lower case
	failures  map[string]Failure
	asked     map[string]int
	overTCP   int
	authentic bool
	insecure  []string // zones in which nothing is authentic
}

// Start starts a server with the records of a zone file and stops it with the test. $ORIGIN is the root and
// $TTL 300 where the text does not say otherwise; the records may be of any number of zones:
//
//	firma.example.     MX  10 mx.firma.example.
//	mx.firma.example.  A   192.0.2.1
func Start(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{failures: map[string]Failure{}, asked: map[string]int{}}
	if err := s.load(zone); err != nil {
		t.Fatal(err)
	}
	udp, tcp := listen(t)
	s.addr = udp.LocalAddr().String()
	for _, server := range []*mdns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		started, ended := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- server.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			server.Shutdown()
			<-ended
		})
	}
	return s
}

// listen finds a port that is free for both.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	const tries = 20
	var err error
	for range tries {
		var udp net.PacketConn
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			break
		}
		var tcp net.Listener
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port: ", err)
	return nil, nil
}

// Addr is where the server listens, on UDP and on TCP: "127.0.0.1:40123".
func (s *Server) Addr() string { return s.addr }

// Resolver makes a Resolver that asks this server and is closed with the test. The options may be zero: then it waits as long as a loaded machine needs.
func (s *Server) Resolver(t testing.TB, o dns.Options) *dns.Resolver {
	t.Helper()
	o.Timeout, o.Total = cmp.Or(o.Timeout, time.Minute), cmp.Or(o.Total, time.Minute)
	o.Servers = append([]string{s.addr}, o.Servers...)
	r, err := dns.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Set replaces all records; see [Start] for the text.
func (s *Server) Set(t testing.TB, zone string) {
	t.Helper()
	if err := s.load(zone); err != nil {
		t.Fatal(err)
	}
}

// Fail makes the server fail for a name from now on.
func (s *Server) Fail(name string, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[owner(name)] = f
}

// Authenticate sets the AD bit in answers from now on, as a validating resolver does.
func (s *Server) Authenticate(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.authentic = on
}

// Insecure takes the AD bit from answers that hold anything of a zone, as where it is not signed.
func (s *Server) Insecure(zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insecure = append(s.insecure, owner(zone))
}

// signed tells whether all names of an answer are outside of the zones that are insecure. s.mu is held.
func (s *Server) signed(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(s.insecure, func(zone string) bool { return mdns.IsSubDomain(zone, owner(name)) })
	})
}

// Asked is how often a name was asked for with a type like "MX"; with "" as type, with any.
func (s *Server) Asked(name, qtype string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if qtype != "" {
		return s.asked[owner(name)+" "+qtype]
	}
	sum := 0
	for k, n := range s.asked {
		if strings.HasPrefix(k, owner(name)+" ") {
			sum += n
		}
	}
	return sum
}

// OverTCP is how many queries came over TCP.
func (s *Server) OverTCP() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overTCP
}

func (s *Server) load(zone string) error {
	records := map[string][]mdns.RR{}
	parser := mdns.NewZoneParser(strings.NewReader("$TTL 300\n"+zone), ".", "zone")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		name := owner(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	if err := parser.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = records
	return nil
}

// owner is the one form of a name: that in which it comes off the wire, in lower case.
func owner(name string) string {
	const longest = 255
	wire := make([]byte, longest)
	if _, err := mdns.PackDomainName(mdns.Fqdn(name), wire, 0, nil, false); err == nil {
		if text, _, err := mdns.UnpackDomainName(wire, 0); err == nil {
			name = text
		}
	}
	return strings.ToLower(mdns.Fqdn(name))
}
