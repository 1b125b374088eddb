package gateway_test

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// Mail waits while nobody can tell whether its recipient's certificate is revoked, leaves when that is known, and is refused once it is revoked;
// what is known outlasts a restart without the network.
func TestRevocation(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	var list atomic.Pointer[[]byte] // nil: the server is in trouble
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l := list.Load(); l != nil {
			w.Write(*l)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	issue := func(who string) *x509.Certificate {
		id, err := s.ca.Issue(who, democa.Options{Alter: func(c *x509.Certificate) { c.CRLDistributionPoints = []string{server.URL + "/a.crl"} }})
		if err != nil {
			t.Fatal(err)
		}
		return id.Certificate
	}
	carol, dave := issue("carol@partner.example"), issue("dave@partner.example")
	dir := t.TempDir()
	for name, c := range map[string]*x509.Certificate{"carol.pem": carol, "dave.pem": dave, "trust/ca.pem": s.ca.Certificate()} {
		if err := os.MkdirAll(filepath.Join(dir, "trust"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), democa.CertificatePEM(c), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, _, err := folder.Load(dir, folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Within = func(kept *store.Store, revoked certs.Revocation) (certs.Finder, certs.Judge) {
		v := kept.Within(store.Surroundings{Anchors: f.Anchors(), Shelf: f, Revocation: revoked})
		return v, v.Judge()
	}
	s.options.Settings.ProtectRetry = delivery.Retry{Steps: []time.Duration{100 * time.Millisecond}}
	where, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(where.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Revocation = revocation.Settings{
		Mode: revocation.Require, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{uint16(port)}, Timeout: 20 * time.Second,
	}
	g, stop := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "carol@partner.example", letter("alice@firma.example", "carol@partner.example")); !r.Positive() {
		t.Fatalf("while nobody can tell: %v", r)
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().AddDate(0, 0, 7),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: dave.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)}},
	}, s.ca.Certificate(), s.ca.Key())
	if err != nil {
		t.Fatal(err)
	}
	list.Store(&crl)
	if err := g.Reload(s.options.Settings); err != nil { // who failed is asked again at once
		t.Fatal(err)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "enveloped-data") || strings.Contains(got, "planted body") {
		t.Errorf("what waited left as\n%s", got)
	}
	stop()
	list.Store(nil)
	g, _ = s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "dave@partner.example", letter("alice@firma.example", "dave@partner.example")); r.Code != 550 || !strings.Contains(r.Text, "certificate was revoked") {
		t.Errorf("to one whose certificate is revoked: %v", r)
	}
	if r := send(t, g, "in", "alice@firma.example", "carol@partner.example", letter("alice@firma.example", "carol@partner.example")); !r.Positive() {
		t.Errorf("by what is known: %v", r)
	}
	s.hop.wait(t)
}
