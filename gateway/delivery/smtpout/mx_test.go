package smtpout

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// zone holds addresses of the real internet, since those of documentation are refused; nobody is dialled there.
const zone = `
one.example.      MX 10 mx.one.example.
mx.one.example.   A 9.0.0.1
mx.one.example.   AAAA 2620::1
two.example.      MX 20 b.two.example.
two.example.      MX 10 a.two.example.
a.two.example.    A 9.0.1.1
b.two.example.    A 9.0.1.2
host.example.     A 9.0.2.1
alias.example.    CNAME one.example.
null.example.     MX 0 .
nohost.example.   MX 10 1.2.3.4.
deaf.example.     TXT "no mail"
lost.example.     MX 10 nowhere.lost.example.
lost.example.     MX 20 mx.one.example.
dead.example.     MX 10 nowhere.dead.example.
inside.example.   MX 10 localhost.inside.example.
inside.example.   MX 20 ten.inside.example.
localhost.inside.example. A 127.0.0.1
localhost.inside.example. AAAA ::1
ten.inside.example. A 10.1.2.3
partly.example.   MX 10 localhost.inside.example.
partly.example.   MX 20 mx.one.example.
backup.example.   MX 10 mx.one.example.
backup.example.   MX 20 gw.example.
backup.example.   MX 20 b.two.example.
backup.example.   MX 30 a.two.example.
byaddr.example.   MX 10 mx.one.example.
byaddr.example.   MX 20 ours.example.
ours.example.     A 9.9.9.9
mine.example.     MX 5 gw.example.
mine.example.     MX 10 mx.one.example.
myhost.example.   A 9.9.9.9
many.example.     MX 10 many1.example.
many.example.     MX 20 many2.example.
many.example.     MX 30 many3.example.
many.example.     MX 40 many4.example.
`

// many adds hosts with more addresses than are ever tried.
func many() string {
	var b strings.Builder
	for host := 1; host <= 4; host++ {
		for i := 1; i <= 6; i++ {
			fmt.Fprintf(&b, "many%d.example. A 9.%d.0.%d\nmany%d.example. AAAA 2620::%d:%d\n", host, host, i, host, host, i)
		}
	}
	return b.String()
}

// byMX is a Transport that delivers by the records of zone to scripted hosts, which are dialled by address.
func byMX(t *testing.T, h *hosts, change func(*Options)) (*Transport, *dnstest.Server) {
	t.Helper()
	server := dnstest.Start(t, zone+many())
	resolver := server.Resolver(t, dns.Options{Attempts: 1, Timeout: time.Minute, Total: time.Minute, Shuffle: func(int, func(int, int)) {}})
	tr := transport(t, h, func(o *Options) {
		o.Hosts = nil
		o.MX = &MX{
			Resolver: resolver, SelfName: func(host string) bool { return host == "gw.example" },
			SelfAddr: func(a netip.AddrPort) bool { return a == netip.MustParseAddrPort("9.9.9.9:25") },
		}
		if change != nil {
			change(o)
		}
	})
	return tr, server
}

// Who is asked, in which order, and what the sender learns where nobody is (RFC 5321, 5.1; RFC 7505).
func TestMX(t *testing.T) {
	taken := hello + accept
	cases := map[string]struct {
		script map[string][]string
		domain string
		want   string // beginning of the result
		dials  string
	}{
		"both families":      {map[string][]string{"9.0.0.1:25": {taken}}, "one.example", "delivered 250 2.0.0 taken by mx.one.example:25", "[2620::1]:25 9.0.0.1:25"},
		"by preference":      {map[string][]string{"9.0.1.1:25": {taken}, "9.0.1.2:25": {taken}}, "two.example", "delivered 250 2.0.0 taken by a.two.example:25", "9.0.1.1:25"},
		"the second host":    {map[string][]string{"9.0.1.1:25": {"451 later"}, "9.0.1.2:25": {taken}}, "two.example", "delivered 250 2.0.0 taken by b.two.example:25", "9.0.1.1:25 9.0.1.2:25"},
		"refused is refused": {map[string][]string{"9.0.1.1:25": {hello + "|250 ok|550 5.1.1 who|503 no"}, "9.0.1.2:25": {taken}}, "two.example", "refused 550 5.1.1 who by a.two.example:25", "9.0.1.1:25"},
		"nobody answers":     {nil, "two.example", "deferred 4.4.1 connecting: connection refused (unreachable)", "9.0.1.1:25 9.0.1.2:25"},
		"no MX record":       {map[string][]string{"9.0.2.1:25": {taken}}, "host.example", "delivered 250 2.0.0 taken by host.example:25", "9.0.2.1:25"},
		"a CNAME":            {map[string][]string{"9.0.0.1:25": {taken}}, "alias.example", "delivered 250 2.0.0 taken by mx.one.example:25", "[2620::1]:25 9.0.0.1:25"},
		"null MX":            {nil, "null.example", "refused 556 5.1.10 the domain null.example takes no mail", ""},
		"no domain":          {nil, "gone.example", "refused 550 5.1.2 the domain gone.example does not exist", ""},
		"no mail server":     {nil, "deaf.example", "refused 550 5.1.2 the domain deaf.example does not exist, or has no mail server", ""},
		"no host":            {nil, "nohost.example", "refused 550 5.4.4 the MX records of the domain nohost.example name no", ""},
		"a lost host":        {map[string][]string{"9.0.0.1:25": {taken}}, "lost.example", "delivered 250 2.0.0 taken by mx.one.example:25", "[2620::1]:25 9.0.0.1:25"},
		"only lost hosts":    {nil, "dead.example", "refused 550 5.4.4 the mail servers of the domain dead.example have no address", ""},
		"inside":             {map[string][]string{"127.0.0.1:25": {taken}, "10.1.2.3:25": {taken}}, "inside.example", "refused 550 5.4.4 the mail servers of the domain inside.example have no address on the internet", ""},
		"partly inside":      {map[string][]string{"9.0.0.1:25": {taken}}, "partly.example", "delivered 250 2.0.0 taken by mx.one.example:25", "[2620::1]:25 9.0.0.1:25"},
		"before us":          {map[string][]string{"9.0.0.1:25": {taken}}, "backup.example", "delivered 250 2.0.0 taken by mx.one.example:25", "[2620::1]:25 9.0.0.1:25"},
		"not behind us":      {map[string][]string{"9.0.1.1:25": {taken}, "9.0.1.2:25": {taken}}, "backup.example", "deferred 4.4.1 connecting: connection refused (unreachable)", "[2620::1]:25 9.0.0.1:25"},
		"us by address":      {nil, "byaddr.example", "deferred 4.4.1 connecting: connection refused (unreachable)", "[2620::1]:25 9.0.0.1:25"},
		"us alone":           {map[string][]string{"9.0.0.1:25": {taken}}, "mine.example", "refused 550 5.4.6 mail for the domain mine.example would come back to this gateway", ""},
		"us, no MX record":   {nil, "myhost.example", "refused 550 5.4.6 mail for the domain myhost.example would come back", ""},
		"a literal":          {map[string][]string{"9.0.2.7:25": {taken}}, "[9.0.2.7]", "delivered 250 2.0.0 taken by 9.0.2.7:25", "9.0.2.7:25"},
		"an IPv6 literal":    {map[string][]string{"[2620::7]:25": {taken}}, "[IPv6:2620::7]", "delivered 250 2.0.0 taken by [2620::7]:25", "[2620::7]:25"},
		"a literal inside":   {nil, "[127.0.0.1]", "refused 550 5.4.4", ""},
		"our own literal":    {nil, "[9.9.9.9]", "refused 550 5.4.6", ""},
		"SERVFAIL":           {nil, "broken.example", "deferred 4.4.3 dns: looking up MX", ""},
		"SERVFAIL of a host": {nil, "brokenhost.example", "deferred 4.4.3 dns: looking up A", ""},
		"forged":             {nil, "bogus.example", "deferred 4.4.3 dns: looking up MX", ""},
		"not for ever": {nil, "many.example", "deferred 4.4.1 connecting: connection refused (unreachable)", "[2620::1:1]:25 9.1.0.1:25 [2620::1:2]:25 9.1.0.2:25 " +
			"[2620::2:1]:25 9.2.0.1:25 [2620::2:2]:25 9.2.0.2:25 [2620::3:1]:25 9.3.0.1:25"},
		"three who do not talk": {map[string][]string{"[2620::1:1]:25": {"554 no"}, "9.1.0.1:25": {"220 hi|421 busy"}, "[2620::1:2]:25": {"drop"}, "9.1.0.2:25": {taken}}, "many.example",
			"deferred 4.4.2 waiting for the greeting: the server ended the connection (unreachable)", "[2620::1:1]:25 9.1.0.1:25 [2620::1:2]:25"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosts{script: c.script}
			tr, server := byMX(t, h, nil)
			server.Fail("broken.example", dnstest.ServFail)
			server.Fail("nowhere.brokenhost.example", dnstest.ServFail)
			server.Fail("bogus.example", dnstest.Bogus)
			if name == "SERVFAIL of a host" {
				server.Set(t, "brokenhost.example. MX 10 nowhere.brokenhost.example.\n")
			}
			got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@"+c.domain)))
			if dials := strings.Join(h.dials, " "); !strings.HasPrefix(got, c.want) || dials != c.dials {
				t.Errorf("%s\n(dialled %s), want\n%s\n(%s)", got, dials, c.want, c.dials)
			}
			tr.Close()
			h.running.Wait()
		})
	}
}

// A network inside is permitted where the administrator named it, and no other one.
func TestMXAllowPrivate(t *testing.T) {
	h := &hosts{script: map[string][]string{"10.1.2.3:2525": {hello + accept}, "127.0.0.1:2525": {hello + accept}}}
	tr, _ := byMX(t, h, func(o *Options) {
		o.MX.AllowPrivate, o.MX.Port = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, 2525
	})
	if got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@inside.example"))); got != "delivered 250 2.0.0 taken by ten.inside.example:2525" {
		t.Error(got)
	}
	tr.Close()
	h.running.Wait()
}

// Recipients of several domains, as after an operator's choice of the route, each go to their own hosts.
func TestMXSeveralDomains(t *testing.T) {
	h := &hosts{script: map[string][]string{
		"9.0.0.1:25": {hello + accept}, "9.0.1.1:25": {hello + "|250 ok|250 ok|550 5.1.1 who|354 go|250 2.0.0 taken"},
	}}
	tr, _ := byMX(t, h, nil)
	got := show(tr.Deliver(t.Context(), attempt(t, sample, "a@two.example", "b@one.example", "c@null.example", "d@two.example")))
	if want := "delivered 250 2.0.0 taken by a.two.example:25; delivered 250 2.0.0 taken by mx.one.example:25; " +
		"refused 556 5.1.10 the domain null.example takes no mail: it has a null MX record; refused 550 5.1.1 who by a.two.example:25"; got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	for _, line := range h.commands() {
		if strings.HasPrefix(line, "RCPT") && strings.Contains(line, "null.example") {
			t.Errorf("said %q", line)
		}
	}
	tr.Close()
	h.running.Wait()
}

// Connections are kept by host: two domains of one host share them, and an unreachable host is tried last.
func TestMXPool(t *testing.T) {
	h := &hosts{script: map[string][]string{"9.0.0.1:25": {hello + accept + accept}}}
	tr, _ := byMX(t, h, nil)
	for _, domain := range []string{"one.example", "lost.example"} {
		if got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@"+domain))); got != "delivered 250 2.0.0 taken by mx.one.example:25" {
			t.Errorf("%s: %s", domain, got)
		}
	}
	if got, want := strings.Join(h.dials, " "), "[2620::1]:25 9.0.0.1:25"; got != want {
		t.Errorf("dialled %s, want %s", got, want)
	}
	tr.Close()
	h.running.Wait()
}

// The number of connections kept is bounded for all hosts together, and nothing is remembered of hosts for ever.
func TestPoolBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{script: map[string][]string{}}
		var list []string
		for i := range 5 {
			addr := fmt.Sprintf("h%d:25", i)
			list = append(list, addr)
			h.script[addr] = []string{hello + accept}
		}
		tr := transport(t, h, func(o *Options) { o.Hosts, o.AllIdle = list, 3 })
		for _, addr := range list {
			tr.o.Hosts = []string{addr}
			if got := show(tr.Deliver(t.Context(), attempt(t, sample, "b@x.example"))); got != "delivered 250 2.0.0 taken by "+addr {
				t.Error(got)
			}
		}
		kept := func() (hosts, connections int) {
			tr.pool.mu.Lock()
			defer tr.pool.mu.Unlock()
			return len(tr.pool.idle), tr.pool.kept
		}
		if hosts, connections := kept(); hosts != 3 || connections != 3 {
			t.Errorf("%d hosts, %d connections kept", hosts, connections)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if hosts, connections := kept(); hosts != 0 || connections != 0 {
			t.Errorf("%d hosts, %d connections kept after a while", hosts, connections)
		}
		for i := range 3000 {
			tr.pool.mu.Lock()
			tr.pool.note(hop{addr: fmt.Sprint(i), demand: tr.o.TLS.plain("x", asked{})}, false)
			tr.pool.mu.Unlock()
			time.Sleep(time.Second)
		}
		if len(tr.pool.bad) > 1001 {
			t.Errorf("%d hosts remembered", len(tr.pool.bad))
		}
		tr.Close()
		h.running.Wait()
	})
}

// A look-up ends with its attempt.
func TestMXEnds(t *testing.T) {
	var asked sync.WaitGroup
	asked.Add(1)
	tr := transport(t, &hosts{}, func(o *Options) { o.Hosts, o.MX = nil, &MX{Resolver: silent{&asked}} })
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		asked.Wait()
		cancel(errors.New("stopping"))
	}()
	r := tr.Deliver(ctx, attempt(t, sample, "b@one.example"))[0]
	if r.Status != delivery.Deferred || r.Enhanced != "4.4.3" {
		t.Errorf("%+v", r)
	}
}

// silent is a Resolver that never answers.
type silent struct{ asked *sync.WaitGroup }

func (s silent) LookupMX(ctx context.Context, domain string) (dns.Route, error) {
	s.asked.Done()
	<-ctx.Done()
	return dns.Route{}, &dns.Error{Name: domain, Type: "MX", Class: dns.ErrTemporary, Err: context.Cause(ctx)}
}

func (s silent) LookupHost(context.Context, string) (dns.Host, error) {
	return dns.Host{}, errors.New("not asked for")
}

func TestNewRefusesMX(t *testing.T) {
	for name, o := range map[string]Options{
		"no resolver": {MX: &MX{}}, "hosts too": {MX: &MX{Resolver: silent{}}, Hosts: []string{"a:25"}},
		"a login": {MX: &MX{Resolver: silent{}}, TLS: Security{Level: Required}, Auth: &smtpclient.Auth{}},
	} {
		o.Hello = "gw"
		if _, err := New(o); !errors.Is(err, ErrMX) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
