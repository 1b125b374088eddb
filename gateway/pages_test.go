package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// The pages have the TLS of the settings in force; settings that would open an address of other machines to everybody change nothing.
func TestPagesTLS(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	modern, _ := tlspolicy.Builtin("modern")
	of := func(pair tlstest.Pair, clients *x509.CertPool) *admin.PagesTLS {
		return &admin.PagesTLS{Profile: modern, Clients: clients,
			Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair.Certificate, nil }}
	}
	first, second, client := ca.Issue(tlstest.P256, nil, "127.0.0.1"), ca.Issue(tlstest.P256, nil, "127.0.0.1"), ca.Issue(tlstest.P256, nil, "monitor.example")
	s := newSetting(t)
	s.options.HTTP = "127.0.0.1:0"
	s.options.Settings.PagesTLS = of(first, ca.Pool())
	g, _ := s.start(t)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{client.Certificate}}}
	ask := func() (shown string, err error) {
		resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get("https://" + g.PagesAddr().String() + "/readyz")
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.String(), nil
	}
	if shown, err := ask(); err != nil || shown != first.Leaf.SerialNumber.String() {
		t.Errorf("%s, %v", shown, err)
	}
	next := s.options.Settings
	next.PagesTLS = of(second, ca.Pool())
	if err := g.Reload(next); err != nil {
		t.Fatal(err)
	}
	if shown, err := ask(); err != nil || shown != second.Leaf.SerialNumber.String() {
		t.Errorf("%s, %v", shown, err)
	}
	next.PagesTLS = of(second, tlstest.NewCA(t, tlstest.P256).Pool())
	if err := g.Reload(next); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(); err == nil {
		t.Error("a client was let in whose authority counts no more")
	}
}

// An address that stays is not opened by settings that are for another.
func TestPagesStayClosed(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	modern, _ := tlspolicy.Builtin("modern")
	s := newSetting(t)
	s.options.HTTP = "192.0.2.1:9035" // it does not listen
	s.options.Settings.PagesTLS = &admin.PagesTLS{Profile: modern, Clients: ca.Pool()}
	g, err := gateway.New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	next := s.options.Settings
	next.PagesTLS = nil
	if err := g.Reload(next); !errors.Is(err, admin.ErrNotLoopback) {
		t.Errorf("%v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	s.options.Settings.PagesTLS = nil
	if _, err := gateway.New(s.options); !errors.Is(err, admin.ErrNotLoopback) {
		t.Errorf("%v", err)
	}
}
