package dns_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1e9, 0).Add(time.Duration(c.now.Load())) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }

func TestTransport(t *testing.T) {
	s := dnstest.Start(t, zone)
	s.Fail("host.firma.example", dnstest.Forged)
	s.Fail("four.firma.example", dnstest.NoEDNS)
	s.Fail("six.firma.example", dnstest.Cut)
	r := s.Resolver(t, dns.Options{Timeout: time.Minute, Attempts: 1})
	for host, want := range map[string]int{"host.firma.example": 3, "four.firma.example": 1, "six.firma.example": 1} {
		if h, err := r.LookupHost(t.Context(), host); err != nil || len(h.Addrs) != want {
			t.Errorf("%s: %+v, %v", host, h, err)
		}
	}
	if s.OverTCP() != 2 {
		t.Errorf("%d over TCP", s.OverTCP())
	}
}

// A server that only ever sends what does not fit is no server; the wait for it ends.
func TestOnlyForged(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			buffer[0]++ // the id
			for range 60 {
				c.WriteTo(buffer[:n], from)
			}
		}
	}()
	r, err := dns.New(dns.Options{Servers: []string{c.LocalAddr().String()}, Attempts: 1, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.LookupTXT(t.Context(), "x.example"); !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
}

// What is silent is asked last for a while; what answers is asked first again.
func TestSeveralServers(t *testing.T) {
	var now clock
	one, two := dnstest.Start(t, zone), dnstest.Start(t, "x.example. TXT two\ny.example. TXT two\nz.example. TXT two\n")
	silent := losses{lost: func(server, query string) bool { return server == one.Addr() && query[12] == 1 }} // x, y and z
	r := one.Resolver(t, dns.Options{Servers: []string{two.Addr()}, Timeout: time.Minute, Now: now.Now, Dial: silent.Dial})
	for _, name := range []string{"x.example", "y.example"} {
		if texts, err := r.LookupTXT(t.Context(), name); err != nil || texts[0] != "two" {
			t.Errorf("%s: %v, %v", name, texts, err)
		}
	}
	if silent.count.Load() != 1 {
		t.Error("the silent server was asked again, or never")
	}
	now.advance(31 * time.Second)
	if _, err := r.LookupTXT(t.Context(), "z.example"); err != nil || silent.count.Load() != 2 {
		t.Errorf("the server is never asked again: %v", err)
	}
	now.advance(31 * time.Second)
	if _, err := r.LookupTXT(t.Context(), "firma.example"); err != nil || two.Asked("firma.example", "") != 0 {
		t.Errorf("%v", err)
	}
}

// A refusal by one server is not the end; a forged answer is, since the next server may not notice.
func TestNextServer(t *testing.T) {
	const record = "x.example. TXT two\n"
	for failure, want := range map[dnstest.Failure]error{
		dnstest.ServFail: nil, dnstest.Refused: nil, dnstest.Silent: nil, dnstest.Bogus: dns.ErrBogus,
	} {
		one, two := dnstest.Start(t, record), dnstest.Start(t, record)
		one.Fail("x.example", failure)
		silent := losses{lost: func(server, _ string) bool { return server == one.Addr() && failure == dnstest.Silent }}
		r := one.Resolver(t, dns.Options{Servers: []string{two.Addr()}, Timeout: time.Minute, Dial: silent.Dial})
		if _, err := r.LookupTXT(t.Context(), "x.example"); !errors.Is(err, want) {
			t.Errorf("%v: %v", failure, err)
		}
	}
}

// A server that does not recurse must not make names vanish.
func TestLameServer(t *testing.T) {
	s := dnstest.Start(t, "sub.example. NS ns.sub.example.\n")
	s.Fail("sub.example", dnstest.Lame)
	r := s.Resolver(t, dns.Options{Attempts: 1})
	if _, err := r.LookupMX(t.Context(), "sub.example"); !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
}

func TestCache(t *testing.T) {
	var now clock
	s := dnstest.Start(t, "a.example. 60 TXT a\nlong.example. 604800 TXT a\nzero.example. 0 TXT a\n$ORIGIN z.\n@ 600 SOA a b 1 1 1 1 90\n")
	s.Fail("fail.example", dnstest.ServFail)
	r := s.Resolver(t, dns.Options{Now: now.Now, Attempts: 1})
	asked := func(name string, after time.Duration, want int) {
		t.Helper()
		now.advance(after)
		r.LookupTXT(t.Context(), name)
		if n := s.Asked(name, "TXT"); n != want {
			t.Errorf("%s: asked %d times, want %d", name, n, want)
		}
	}
	asked("a.example", 0, 1)
	asked("a.example", 59*time.Second, 1)
	asked("a.example", time.Second, 2)
	asked("zero.example", 0, 1)
	asked("zero.example", 0, 2)
	asked("long.example", 0, 1)
	asked("long.example", 59*time.Minute, 1)
	asked("long.example", time.Minute, 2) // MaxTTL
	asked("no.z", 0, 1)
	asked("no.z", 89*time.Second, 1) // the MINIMUM of the SOA (RFC 2308, 5)
	asked("no.z", time.Second, 2)
	asked("fail.example", 0, 2) // with the look for a forged answer
	asked("fail.example", 4*time.Second, 2)
	asked("fail.example", time.Second, 4)
}

// The cache stays within its size, and what is used stays in it.
func TestCacheBounded(t *testing.T) {
	s := dnstest.Start(t, "*.example. TXT a\nhuge.test. TXT "+strings.Repeat(` "`+strings.Repeat("x", 250)+`"`, 100)+"\n")
	r := s.Resolver(t, dns.Options{CacheSize: 100_000})
	for i := range 1000 {
		for _, name := range []string{"used.example", fmt.Sprintf("n%d.example", i)} {
			if _, err := r.LookupTXT(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := s.Asked("used.example", "TXT"); n != 1 {
		t.Errorf("what is used was asked for %d times", n)
	}
	for name, want := range map[string]int{"n999.example": 1, "n0.example": 2} {
		if r.LookupTXT(t.Context(), name); s.Asked(name, "TXT") != want {
			t.Errorf("%s: asked %d times", name, s.Asked(name, "TXT"))
		}
	}
	for range 2 { // too large to keep
		if _, err := r.LookupTXT(t.Context(), "huge.test"); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Asked("huge.test", "TXT"); n != 4 {
		t.Errorf("asked %d times over UDP and TCP", n)
	}
}

// Many who want the same at once ask once, and one who leaves does not spoil it for the others.
func TestOneFlight(t *testing.T) {
	s := dnstest.Start(t, "a.example. TXT a\n")
	release := make(chan struct{})
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		<-release
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	r := s.Resolver(t, dns.Options{Dial: dial})
	first, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := r.LookupTXT(first, "a.example")
		gone <- err
	}()
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) || !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if texts, err := r.LookupTXT(t.Context(), "A.example."); err != nil || texts[0] != "a" {
				t.Errorf("%v, %v", texts, err)
			}
		})
	}
	close(release)
	all.Wait()
	if n := s.Asked("a.example", "TXT"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestDeadlines(t *testing.T) {
	s := dnstest.Start(t, "")
	s.Fail("silent.example", dnstest.Silent)
	r := s.Resolver(t, dns.Options{Timeout: time.Hour, Total: 50 * time.Millisecond})
	_, err := r.LookupTXT(t.Context(), "silent.example")
	if !errors.Is(err, dns.ErrTemporary) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Total: %v", err)
	}
	r = s.Resolver(t, dns.Options{Timeout: time.Hour, Total: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = r.LookupTXT(ctx, "silent.example"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's: %v", err)
	}
	if _, err = r.LookupTXT(ctx, "other.example"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over before the start: %v", err)
	}
}

// Close ends what is under way, leaves nothing running (goleak looks) and may be called twice.
func TestClose(t *testing.T) {
	s := dnstest.Start(t, "a.example. TXT a\n")
	s.Fail("silent.example", dnstest.Silent)
	r := s.Resolver(t, dns.Options{Timeout: time.Hour, Total: time.Hour})
	if _, err := r.LookupTXT(t.Context(), "a.example"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := r.LookupTXT(t.Context(), "silent.example")
		waiting <- err
	}()
	for s.Asked("silent.example", "") == 0 {
		runtime.Gosched()
	}
	r.Close()
	if err := <-waiting; !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
	r.Close()
	if _, err := r.LookupTXT(t.Context(), "b.example"); !errors.Is(err, dns.ErrTemporary) {
		t.Error(err)
	}
	if _, err := r.LookupTXT(t.Context(), "a.example"); err != nil {
		t.Errorf("from the cache: %v", err)
	}
}

// The AD bit counts only from this machine, or where the administrator says so.
func TestTrust(t *testing.T) {
	s := dnstest.Start(t, "a.example. MX 1 mx.example.\n")
	s.Authenticate(true)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Addr())
	}
	for server, want := range map[string]bool{
		"192.0.2.53": false, "[2001:db8::53]:5353": false, "127.0.0.53": true, "[::1]:53": true, "::ffff:127.0.0.1": true, "[::1]": true,
	} {
		for _, trust := range []bool{false, true} {
			r, err := dns.New(dns.Options{Servers: []string{server}, Dial: dial, TrustAD: trust})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if route, err := r.LookupMX(t.Context(), "a.example"); err != nil || route.Authentic != (want || trust) {
				t.Errorf("%s, trust %v: %+v, %v", server, trust, route, err)
			}
		}
	}
}

// Whoever keeps the answer of a believed server away does not bring about a denial by one that is not: for TLSA records that is not asked at all.
// Where none is believed, all are.
func TestTLSAOfBelieved(t *testing.T) {
	one, two := dnstest.Start(t, "mx.example. A 192.0.2.1\n_25._tcp.mx.example. TLSA 3 1 1 "+strings.Repeat("00", 32)+"\n"), dnstest.Start(t, "mx.example. A 192.0.2.1\n")
	one.Authenticate(true)
	at := map[string]string{"127.0.0.53:53": one.Addr(), "192.0.2.53:53": two.Addr(), "192.0.2.54:53": one.Addr()}
	for _, c := range []struct {
		failure dnstest.Failure
		servers string
		want    error
		others  bool // are asked
	}{
		{dnstest.None, "127.0.0.53 192.0.2.53", nil, false}, {dnstest.None, "192.0.2.53 127.0.0.53", nil, false},
		{dnstest.ServFail, "127.0.0.53 192.0.2.53", dns.ErrTemporary, false}, {dnstest.Silent, "192.0.2.53 127.0.0.53", dns.ErrTemporary, false},
		{dnstest.ServFail, "192.0.2.54 192.0.2.53", dns.ErrNotFound, true},
	} {
		one.Fail("_25._tcp.mx.example", c.failure)
		way := losses{to: func(addr string) string { return at[addr] }, lost: func(server, query string) bool {
			return c.failure == dnstest.Silent && at[server] == one.Addr() && strings.Contains(query, "\x04_tcp")
		}}
		r, err := dns.New(dns.Options{Servers: strings.Fields(c.servers), Dial: way.Dial, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		before := two.Asked("_25._tcp.mx.example", "TLSA")
		set, err := r.LookupTLSA(t.Context(), 25, "mx.example")
		if !errors.Is(err, c.want) || err == nil && !set.Authentic {
			t.Errorf("%v %s: %+v, %v", c.failure, c.servers, set, err)
		}
		if asked := two.Asked("_25._tcp.mx.example", "TLSA") > before; asked != c.others {
			t.Errorf("%v %s: others asked: %v", c.failure, c.servers, asked)
		}
		if h, err := r.LookupHost(t.Context(), "mx.example"); err != nil || len(h.Addrs) != 1 {
			t.Errorf("%s: %+v, %v", c.servers, h, err)
		}
	}
}

func TestNew(t *testing.T) {
	for _, server := range []string{"dns.example", "dns.example:53", "127.0.0.1:0", "127.0.0.1:dns", "", "::1:99999", "1.2.3.4:53:53"} {
		if _, err := dns.New(dns.Options{Servers: []string{server}}); !errors.Is(err, dns.ErrOptions) {
			t.Errorf("%q: %v", server, err)
		}
	}
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if _, err := dns.New(dns.Options{ResolvConf: file}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"# none\n": "127.0.0.1:53",
		"search x.example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n": "192.0.2.1:53",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var dialed []string
		dial := func(_ context.Context, _, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialed = append(dialed, addr)
			return nil, errors.New("no network")
		}
		r, err := dns.New(dns.Options{ResolvConf: file, Dial: dial})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.LookupTXT(t.Context(), "a.example"); !errors.Is(err, dns.ErrTemporary) || dialed[0] != want {
			t.Errorf("%v, %v", dialed, err)
		}
	}
}
