package tlspolicy_test

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// A server that knows its clients lets in, with OpenSSL as the client, who shows a certificate of its authorities for clients, and nobody else;
// also those that are given another configuration since they prefer a suite of TLS 1.3 that the profile does not have.
func TestMutual(t *testing.T) {
	ca, other := tlstest.NewCA(t, tlstest.P256), tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.P256, nil, "mx.example").Certificate
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	client := ca.Issue(tlstest.P256, nil, "monitor.example")
	clients := map[string]struct {
		pair *tlstest.Pair
		want string
	}{
		"of the authority": {&client, "ok"},
		"without":          {nil, "refused"},
	}
	refuse := func(name string, pair tlstest.Pair) {
		clients[name] = struct {
			pair *tlstest.Pair
			want string
		}{&pair, "refused"}
	}
	refuse("of another authority", other.Issue(tlstest.P256, nil, "monitor.example"))
	refuse("for servers", ca.Issue(tlstest.P256, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "monitor.example"))
	refuse("that has ended", ca.Issue(tlstest.P256, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "monitor.example"))
	for _, flags := range [][]string{{"-tls1_2"}, {"-tls1_3"}, {"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}} {
		for name, c := range clients {
			addr, outcomes := listen(t, profile(t, "bsi-tr-02102-2").MutualConfig(get, ca.Pool()))
			args := append([]string{}, flags...)
			if c.pair != nil {
				args = append(args, "-cert", c.pair.CertFile, "-key", c.pair.KeyFile)
			}
			n := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", args...)
			if got := outcome(<-outcomes); got != c.want || n.OK != (c.want == "ok") {
				t.Errorf("%v, %s: %s, want %s\n%s", flags, name, got, c.want, n.Output)
			}
		}
	}
	weak := ca.Issue(tlstest.RSA2048, nil, "monitor.example")
	addr, outcomes := listen(t, profile(t, "bsi-tr-03108").MutualConfig(get, ca.Pool()))
	n := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", "-cert", weak.CertFile, "-key", weak.KeyFile)
	if err := <-outcomes; rule(err) != tlspolicy.RuleKeySize || n.OK {
		t.Errorf("a key of 2048 bits: %v\n%s", err, n.Output)
	}
}

// Without authorities nobody is let in, least of all who is known to those of the machine.
func TestMutualWithNobody(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.P256, nil, "mx.example")
	config := builtin(t, "modern").MutualConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair.Certificate, nil }, nil)
	if config.ClientCAs == nil {
		t.Error("the authorities of the machine would be believed")
	}
	addr, outcomes := listen(t, config)
	n := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", "-cert", pair.CertFile, "-key", pair.KeyFile)
	if err := <-outcomes; err == nil || n.OK {
		t.Errorf("somebody was let in\n%s", n.Output)
	}
}

// Who resumes a session has shown a certificate, and still counts as one who has; with other authorities in force the session counts for nothing.
func TestMutualResumed(t *testing.T) {
	ca, other := tlstest.NewCA(t, tlstest.P256), tlstest.NewCA(t, tlstest.P256)
	pair, client := ca.Issue(tlstest.P256, nil, "mx.example").Certificate, ca.Issue(tlstest.P256, nil, "monitor.example")
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	p := builtin(t, "modern")
	p.Resumption = true
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		session := filepath.Join(t.TempDir(), "session")
		addr, outcomes := listen(t, p.MutualConfig(get, ca.Pool()))
		elsewhere, elsewhereOutcomes := listen(t, p.MutualConfig(get, other.Pool()))
		show := []string{version, "-cert", client.CertFile, "-key", client.KeyFile}
		for _, flag := range []string{"-sess_out", "-sess_in"} {
			n := tlstest.OpenSSLClient(t, addr, "abcdef\n", "fedcba", append(show, flag, session)...)
			if err := <-outcomes; err != nil || !n.OK {
				t.Fatalf("%s %s: %v\n%s", version, flag, err, n.Output)
			}
		}
		n := tlstest.OpenSSLClient(t, elsewhere, "abcdef\n", "fedcba", append(show, "-sess_in", session)...)
		if err := <-elsewhereOutcomes; err == nil || n.OK {
			t.Errorf("%s: a session of others was taken up\n%s", version, n.Output)
		}
	}
}
