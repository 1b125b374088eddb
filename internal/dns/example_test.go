package dns_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// How a relay finds where mail for a domain goes, and what it does where that fails.
func ExampleResolver_LookupMX() {
	resolver, err := dns.New(dns.Options{Servers: []string{"127.0.0.1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resolver.Close()
	route, err := resolver.LookupMX(context.Background(), "no..domain")
	switch {
	case err == nil:
		fmt.Println("try", route.Hosts, "in this order")
	case errors.Is(err, dns.ErrNullMX):
		fmt.Println("refuse with 556 5.1.10")
	case errors.Is(err, dns.ErrNotFound), errors.Is(err, dns.ErrName):
		fmt.Println("refuse with 550 5.1.2")
	case errors.Is(err, dns.ErrNoHost):
		fmt.Println("refuse with 550 5.4.4")
	default:
		fmt.Println("try again later")
	}
	// Output: refuse with 550 5.1.2
}

func BenchmarkLookupMXCached(b *testing.B) {
	r := dnstest.Start(b, mxZone).Resolver(b, dns.Options{})
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := r.LookupMX(b.Context(), "three.example"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkLookupMXAsked(b *testing.B) {
	r := dnstest.Start(b, mxZone).Resolver(b, dns.Options{CacheSize: -1})
	for b.Loop() {
		if _, err := r.LookupMX(b.Context(), "three.example"); err != nil {
			b.Fatal(err)
		}
	}
}
