package tlspolicy_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/smtpclient"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// gnutls are clients of GnuTLS that speak one thing, by priority string, and what becomes of them under a profile.
var gnutls = []struct {
	priority string
	kind     tlstest.Kind
	want     map[string]string
}{
	{"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1", tlstest.P384, map[string]string{"modern": "ok", "bsi-tr-03108": "ok", "old": "refused"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519", tlstest.P256, map[string]string{"modern": "ok", "bsi-tr-03108": "refused", "old": "refused"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:-GROUP-ALL:+GROUP-SECP521R1", tlstest.RSA3072, map[string]string{"modern": "ok", "bsi-tr-03108": "ok", "old": "refused"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA:-CIPHER-ALL:+AES-256-GCM", tlstest.RSA3072, map[string]string{"modern": "refused", "bsi-tr-03108": "refused", "old": "refused"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-CIPHER-ALL:+AES-256-CCM:-GROUP-ALL:+GROUP-SECP256R1", tlstest.RSA3072, map[string]string{"modern": "refused", "bsi-tr-03108": "refused", "old": "refused"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.1:-CIPHER-ALL:+AES-128-CBC:-KX-ALL:+ECDHE-RSA:-GROUP-ALL:+GROUP-SECP256R1:%COMPAT", tlstest.RSA3072, map[string]string{"modern": "refused", "bsi-tr-03108": "refused", "old": "ok"}},
	{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:-CIPHER-ALL:+AES-128-CBC", tlstest.RSA3072, map[string]string{"modern": "refused", "bsi-tr-03108": "refused", "old": "ok"}},
}

// Clients of GnuTLS. Its server cannot be kept to loopback, so that no test starts it.
func TestGnuTLSIn(t *testing.T) {
	known := newIdentities(t)
	for _, end := range gnutls {
		pair := known.of(end.kind).Certificate
		for name, want := range end.want {
			addr, outcomes := listen(t, profile(t, name).ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, false))
			n := tlstest.GnuTLSClient(t, addr, "abcdef\n", "fedcba", end.priority)
			if got := outcome(<-outcomes); got != want || n.OK != (want == "ok") {
				t.Errorf("%s, %s: %s, want %s\n%s", end.priority, name, got, want, n.Output)
			}
		}
	}
}

// Postfix, over STARTTLS, by the hook of the SMTP client.
func TestPostfix(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	for _, c := range []struct {
		settings map[string]string
		want     map[string]string
	}{
		{map[string]string{"smtpd_tls_mandatory_protocols": "TLSv1.2", "smtpd_tls_protocols": "TLSv1.2", "smtpd_tls_eecdh_grade": "auto", "tls_eecdh_auto_curves": "secp384r1"},
			map[string]string{"modern": "ok", "bsi-tr-02102-2": "ok", "aes256": "refused", "legacy": "refused"}},
		{map[string]string{"smtpd_tls_mandatory_protocols": ">=TLSv1.3", "smtpd_tls_protocols": ">=TLSv1.3"},
			map[string]string{"modern": "ok", "aes256": "suite", "bsi-tr-03108": "ok", "old": "refused"}},
		{map[string]string{"smtpd_tls_protocols": "TLSv1.2", "smtpd_tls_mandatory_protocols": "TLSv1.2", "tls_high_cipherlist": "ECDHE-ECDSA-AES256-SHA384", "smtpd_tls_ciphers": "high", "smtpd_tls_mandatory_ciphers": "high"},
			map[string]string{"modern": "refused", "compatible": "refused", "ecdsa-legacy": "ok"}},
	} {
		c.settings["smtpd_tls_cert_file"], c.settings["smtpd_tls_key_file"], c.settings["smtpd_tls_security_level"] = certFile, keyFile, "encrypt"
		p := smtptest.StartPostfix(t, c.settings)
		for name, want := range c.want {
			var prof tlspolicy.Profile
			if name == "ecdsa-legacy" {
				prof = profile(t, "legacy")
				prof.Suites, prof.Groups = []uint16{0xC024}, tlspolicy.SpeaksGroups()
			} else {
				prof = profile(t, name)
			}
			got, err := overSMTP(t, p.Addr, &tlspolicy.Client{Profile: prof})
			if outcome(err) != want {
				t.Errorf("%v, %s: %s, want %s: %v", c.settings, name, outcome(err), want, err)
			}
			if name == "ecdsa-legacy" && !strings.HasSuffix(got, " utls") {
				t.Errorf("negotiated %s", got)
			}
		}
	}
}

// overSMTP begins TLS with an SMTP server.
func overSMTP(t *testing.T, addr string, c *tlspolicy.Client) (negotiated string, err error) {
	t.Helper()
	var state tlspolicy.State
	o := smtpclient.Options{Hello: "gw.example", TLS: smtpclient.TLSRequired}
	o.Handshake = shakeBy(c, &state)
	conn, err := smtpclient.Dial(t.Context(), addr, o)
	if err != nil {
		return "", err
	}
	return state.String(), conn.Close()
}

// shakeBy is a handshake of the SMTP client's by a policy.
func shakeBy(c *tlspolicy.Client, state *tlspolicy.State) func(context.Context, net.Conn, string) (net.Conn, tls.ConnectionState, error) {
	return func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
		conn, s, err := c.Handshake(ctx, raw, host)
		*state = s
		return conn, s.Connection(), err
	}
}

// A profile that lacks what crypto/tls offers first reaches servers that follow the order of their clients all the same, where it has TLS 1.2.
func TestFirstSuite(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.P256, nil, "mx.example")
	s := tlstest.OpenSSL(t, "-cert", pair.CertFile, "-key", pair.KeyFile)
	p := profile(t, "aes256")
	p.MinVersion, p.Suites = tls.VersionTLS12, append(p.Suites, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
	state, err := shake(t, s.Addr, "mx.example", &tlspolicy.Client{Profile: p, Verify: tlspolicy.PKI{Roots: ca.Pool()}})
	if err != nil || state.Version != tls.VersionTLS12 || state.Suite != tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 {
		t.Errorf("%s, %v", state, err)
	}
	p.MinVersion = tls.VersionTLS13
	if _, err := shake(t, s.Addr, "mx.example", &tlspolicy.Client{Profile: p}); rule(err) != tlspolicy.RuleSuite {
		t.Errorf("%v", err)
	}
}
