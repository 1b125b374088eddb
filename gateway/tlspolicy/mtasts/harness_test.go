package mtasts_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

const domain = "partner.example"

var noCache = dns.Options{CacheSize: -1, Attempts: 1}

// site is a domain with its policy host and DNS, and the clock of those who ask.
type site struct {
	t     testing.TB
	dns   *dnstest.Server
	roots *x509.CertPool
	addr  string // of the policy host
	key   atrest.Key
	dir   string

	mu      sync.Mutex
	now     time.Time
	handler http.HandlerFunc
	fetched int
	dialled []string
}

// newSite starts a domain that publishes the good policy under id 1.
func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dns: dnstest.Start(t, ""), key: atrest.NewKey(), dir: t.TempDir(), now: time.Now()}
	s.record("1")
	s.serve(good)
	pair := s.pair("mta-sts." + domain)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.fetched++
		h := s.handler
		s.mu.Unlock()
		h(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.addr = server.Listener.Addr().String()
	return s
}

// record publishes an id; empty: none.
func (s *site) record(id string) {
	zone := domain + ". SOA ns admin 1 3600 600 86400 120\n"
	if id != "" {
		zone += fmt.Sprintf("_mta-sts.%s. TXT \"v=STSv1; id=%s;\"\n", domain, id)
	}
	s.dns.Set(s.t, zone)
}

// serve serves a policy.
func (s *site) serve(text string) {
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/.well-known/mta-sts.txt" || r.Host != "mta-sts."+domain {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte(text))
	})
}

func (s *site) answer(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// pass lets time pass.
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// fetches is how often the policy was asked for since the last call.
func (s *site) fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.fetched
	s.fetched = 0
	return n
}

// options are those of a client that finds the site; its resolver remembers nothing, so that tests need not wait.
func (s *site) options() mtasts.Options {
	return mtasts.Options{
		Resolver: s.dns.Resolver(s.t, noCache), TLS: &tls.Config{RootCAs: s.roots}, Now: s.clock,
		Dir: s.dir, Key: s.key,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			s.mu.Lock()
			s.dialled = append(s.dialled, addr)
			to := s.addr
			s.mu.Unlock()
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
}

func (s *site) client() *mtasts.Client { return newClient(s.t, s.options()) }

func newClient(t testing.TB, o mtasts.Options) *mtasts.Client {
	t.Helper()
	c, err := mtasts.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pair makes a certificate under an authority that is then one of the site's roots.
func (s *site) pair(names ...string) tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: strings.Join(names, " ")}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * 24 * time.Hour), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.roots == nil {
		s.roots = x509.NewCertPool()
		s.roots.AddCert(leaf)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// policy is the policy in force for the domain; the test fails on errors.
func policy(t testing.TB, c *mtasts.Client) *mtasts.Held {
	t.Helper()
	a, err := c.Lookup(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	return a.Held
}
