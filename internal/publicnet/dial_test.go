package publicnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/publicnet"
)

// names answers look-ups; each look-up of a name takes its next answer, the last one stays.
type names map[string][]string

func (n names) LookupIPAddr(_ context.Context, host string) ([]net.IPAddr, error) {
	answers := n[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n[host] = answers[1:]
	}
	var all []net.IPAddr
	for _, a := range strings.Fields(answers[0]) {
		all = append(all, net.IPAddr{IP: net.ParseIP(a)})
	}
	return all, nil
}

func listen(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// What stands inside is not reached, whatever it is called.
func TestRefuses(t *testing.T) {
	port := listen(t)
	d := publicnet.New(publicnet.Options{Resolver: names{
		"inside.example": {"127.0.0.1"}, "mixed.example": {"9.9.9.9 10.0.0.1"}, "mapped.example": {"::ffff:127.0.0.1"},
		"nat64.example": {"64:ff9b::7f00:1"}, "metadata.example": {"169.254.169.254"}, "localhost": {"127.0.0.1"},
	}})
	for _, host := range []string{
		"127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "10.1.2.3", "fe80::1%lo", "fd00::1", "100.64.0.1", "2002:7f00:1::",
		"inside.example", "mixed.example", "mapped.example", "nat64.example", "metadata.example", "localhost",
	} {
		c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if !errors.Is(err, publicnet.ErrRefused) {
			t.Errorf("%s: %v, %v", host, c, err)
		}
	}
}

// A name whose second answer of the DNS lies inside: the first is what was judged, and there is no second question.
func TestRebinding(t *testing.T) {
	n := names{"rebind.example": {"9.9.9.9", "127.0.0.1"}}
	ctx, cancel := context.WithCancel(t.Context())
	d := publicnet.New(publicnet.Options{Resolver: cancelling{n, cancel}})
	if c, err := d.DialContext(ctx, "tcp", "rebind.example:"+listen(t)); err == nil {
		c.Close()
		t.Error("it was connected to")
	}
	if got := n["rebind.example"]; len(got) != 1 {
		t.Errorf("looked up %d times", 2-len(got))
	}
}

// cancelling ends the context after a look-up, so that nothing beyond the machine is connected to.
type cancelling struct {
	names
	cancel func()
}

func (c cancelling) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	defer c.cancel()
	return c.names.LookupIPAddr(ctx, host)
}

func TestListed(t *testing.T) {
	port := listen(t)
	resolver := names{"crl.firma.example": {"127.0.0.1"}, "firma.example": {"127.0.0.1"}, "evilfirma.example": {"127.0.0.1"}}
	for _, c := range []struct {
		name, host string
		o          publicnet.Options
		want       bool
	}{
		{"by network", "127.0.0.1", publicnet.Options{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, true},
		{"by network, mapped", "::ffff:127.0.0.1", publicnet.Options{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, true},
		{"by name", "crl.firma.example", publicnet.Options{Hosts: []string{"crl.firma.example"}}, true},
		{"by name, otherwise spelt", "CRL.Firma.Example.", publicnet.Options{Hosts: []string{"crl.firma.example"}}, true},
		{"below a name", "crl.firma.example", publicnet.Options{Hosts: []string{"*.firma.example"}}, true},
		{"the name itself", "firma.example", publicnet.Options{Hosts: []string{"*.firma.example"}}, false},
		{"a similar name", "evilfirma.example", publicnet.Options{Hosts: []string{"*.firma.example"}}, false},
		{"another port", "127.0.0.1", publicnet.Options{Hosts: []string{"127.0.0.1"}, Ports: []uint16{80}}, false},
		{"an address as a host", "127.0.0.1", publicnet.Options{Hosts: []string{"127.0.0.1"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Resolver = insensitive{resolver}
			conn, err := publicnet.New(c.o).DialContext(t.Context(), "tcp", net.JoinHostPort(c.host, port))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != c.want || err != nil && !errors.Is(err, publicnet.ErrRefused) {
				t.Errorf("%v", err)
			}
		})
	}
}

// insensitive is DNS as it is.
type insensitive struct{ names }

func (n insensitive) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	return n.names.LookupIPAddr(ctx, strings.ToLower(strings.TrimSuffix(host, ".")))
}

func TestOdd(t *testing.T) {
	d := publicnet.New(publicnet.Options{Resolver: names{"empty.example": {" "}}})
	for _, address := range []string{"", "host", "9.9.9.9:0", "9.9.9.9:http", "9.9.9.9:70000", "none.example:80", "empty.example:80"} {
		if c, err := d.DialContext(t.Context(), "tcp", address); err == nil {
			c.Close()
			t.Errorf("%q was connected to", address)
		}
	}
}

// Whatever the host is called, nothing of this machine is reached.
func FuzzDial(f *testing.F) {
	for _, host := range []string{"127.0.0.1", "[::1]", "2130706433", "0x7f.1", "127.1", "localhost", "::ffff:7f00:1"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		port := listen(t)
		d := publicnet.New(publicnet.Options{Resolver: names{"localhost": {"127.0.0.1"}}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if a, err := netip.ParseAddr(host); err == nil && publicnet.Public(a) {
			return // not from here
		}
		if c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port)); err == nil {
			c.Close()
			t.Fatalf("%q was connected to", host)
		}
	})
}

func ExampleDialer_DialContext() {
	d := publicnet.New(publicnet.Options{})
	_, err := d.DialContext(context.Background(), "tcp", "[::ffff:10.0.0.1]:80")
	fmt.Println(errors.Is(err, publicnet.ErrRefused))
	fmt.Println(err)
	// Output:
	// true
	// publicnet: not allowed: ::ffff:10.0.0.1 is no public address
}
