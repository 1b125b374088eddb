package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// The policy is served at its place and nowhere else, by TLS with the certificate in force, and changes with a reload.
func TestOwnPolicy(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mta-sts.firma.example")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	const first = "version: STSv1\r\nmode: testing\r\nmx: mx.firma.example\r\nmax_age: 86400\r\n"
	present := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	profile, _ := tlspolicy.Builtin("compatible")
	for scheme, config := range map[string]*tls.Config{"http": nil, "https": profile.ServerConfig(present, false)} {
		s := newSetting(t)
		s.options.PolicyAddress = "127.0.0.1:0"
		s.options.Settings.OwnPolicy = gateway.OwnPolicy{Text: first, TLS: config}
		g, _ := s.start(t)
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "mta-sts.firma.example"},
		}}
		get := func(path string) (int, string) {
			resp, err := client.Get(scheme + "://" + g.PolicyAddr() + path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode == http.StatusOK && resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Error(err, resp.Header)
			}
			return resp.StatusCode, string(body)
		}
		if code, body := get("/.well-known/mta-sts.txt"); code != http.StatusOK || body != first {
			t.Errorf("%s: %d, %q", scheme, code, body)
		}
		if p, err := mtasts.Parse(first); err != nil || p.Mode != mtasts.Testing {
			t.Error(p, err)
		}
		for _, path := range []string{"/", "/.well-known/", "/.well-known/acme-challenge/x"} {
			if code, _ := get(path); code != http.StatusNotFound {
				t.Errorf("%s: %d", path, code)
			}
		}
		next := s.options.Settings
		next.OwnPolicy.Text = "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"
		if err := g.Reload(next); err != nil {
			t.Fatal(err)
		}
		if _, body := get("/.well-known/mta-sts.txt"); body != next.OwnPolicy.Text {
			t.Errorf("%s: %q", scheme, body)
		}
		if scheme == "https" {
			profile.MinVersion = tls.VersionTLS13
			next.OwnPolicy.TLS = profile.ServerConfig(present, false)
			if err := g.Reload(next); err != nil {
				t.Fatal(err)
			}
			for version, fits := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
				conn, err := tls.Dial("tcp", g.PolicyAddr(), &tls.Config{RootCAs: roots, ServerName: "mta-sts.firma.example", MaxVersion: version})
				if fits != (err == nil) {
					t.Errorf("%s: %v", tls.VersionName(version), err)
				}
				if err == nil {
					conn.Close()
				}
			}
		}
		next.OwnPolicy = gateway.OwnPolicy{}
		if err := g.Reload(next); err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(scheme + "://" + g.PolicyAddr() + "/.well-known/mta-sts.txt")
		switch {
		case scheme == "https" && err == nil:
			t.Error("TLS without a certificate")
		case scheme == "http" && (err != nil || resp.StatusCode != http.StatusNotFound):
			t.Error(resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}
