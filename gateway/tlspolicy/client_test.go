package tlspolicy_test

import (
	"bufio"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

func builtin(t testing.TB, name string) tlspolicy.Profile {
	t.Helper()
	p, ok := tlspolicy.Builtin(name)
	if !ok {
		t.Fatalf("no profile %s", name)
	}
	return p
}

// shake connects to a server of OpenSSL and has a line sent back.
func shake(t testing.TB, addr, name string, c *tlspolicy.Client) (tlspolicy.State, error) {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn, state, err := c.Handshake(t.Context(), raw, name)
	if err != nil {
		return state, err
	}
	if _, err := io.WriteString(conn, "abc\n"); err != nil {
		return state, err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "cba\n" {
		err = fmt.Errorf("the answer is %q", line)
	}
	return state, err
}

// rule is the rule that an error names.
func rule(err error) tlspolicy.Rule {
	var broken *tlspolicy.Error
	if errors.As(err, &broken) {
		return broken.Rule
	}
	return ""
}

// opaque is a key that shows nothing of itself but that it signs, as one on a card does; v15 has it refuse PSS.
type opaque struct {
	crypto.Signer
	v15  bool
	used int
}

// Sign implements crypto.Signer.
func (o *opaque) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, plain := opts.(crypto.Hash); o.v15 && !plain {
		return nil, errors.New("this key cannot do PSS")
	}
	o.used++
	return o.Signer.Sign(r, digest, opts)
}

// The suite that crypto/tls does not have, on P-521, with a client certificate whose key is opaque: what a De-Mail provider is said to ask for.
func TestLegacy(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	server, client := ca.Issue(tlstest.RSA2048, nil, "demail.example"), ca.Issue(tlstest.RSA2048, nil, "gw.firma.example")
	s := tlstest.OpenSSL(t, "-cert", server.CertFile, "-key", server.KeyFile, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384",
		"-curves", "secp521r1", "-Verify", "1", "-verify_return_error", "-CAfile", ca.File)
	for _, v15 := range []bool{false, true} {
		key := &opaque{Signer: client.PrivateKey.(crypto.Signer), v15: v15}
		pair := tls.Certificate{Certificate: client.Certificate.Certificate, PrivateKey: key}
		if v15 {
			pair.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512}
		}
		c := &tlspolicy.Client{Profile: builtin(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: ca.Pool()}, Certificates: []tls.Certificate{pair}}
		state, err := shake(t, s.Addr, "demail.example", c)
		if err != nil {
			t.Fatalf("v15 %v: %v\n%s", v15, err, s.Output())
		}
		if got := state.String(); got != "TLS1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 P-521 utls" || !state.Asked || !state.Shown || key.used != 1 {
			t.Errorf("v15 %v: %s, %+v, signed %d times", v15, got, state, key.used)
		}
		if _, err := shake(t, s.Addr, "other.example", c); rule(err) != tlspolicy.RuleCertificate {
			t.Errorf("another name: %v", err)
		}
		c.Verify = tlspolicy.PKI{Roots: x509.NewCertPool()}
		if _, err := shake(t, s.Addr, "demail.example", c); rule(err) != tlspolicy.RuleCertificate {
			t.Errorf("an authority that is not believed: %v", err)
		}
	}
	if _, err := shake(t, s.Addr, "demail.example", &tlspolicy.Client{Profile: builtin(t, "modern")}); rule(err) != tlspolicy.RuleHandshake || !strings.Contains(err.Error(), "handshake_failure") {
		t.Errorf("modern: %v", err)
	}
}

// utls takes a group that it did not offer; the profile does not.
func TestLegacyGroup(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	p := builtin(t, "de-mail-legacy")
	p.ClientCertificate = tlspolicy.ClientOptional
	for _, c := range []struct {
		kind          tlstest.Kind
		cipher, curve string
		groups        []tls.CurveID
		want          string
	}{
		{tlstest.RSA2048, "ECDHE-RSA-AES256-SHA384", "P-384:P-256", []tls.CurveID{tls.CurveP256, tls.CurveP384}, "TLS1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 P-384 utls"},
		{tlstest.RSA2048, "ECDHE-RSA-AES256-SHA384", "X25519", []tls.CurveID{tls.X25519, tls.CurveP256}, "TLS1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 X25519 utls"},
		{tlstest.P256, "ECDHE-ECDSA-AES256-SHA384", "P-256", []tls.CurveID{tls.CurveP256}, "TLS1.2 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 P-256 utls"},
		{tlstest.RSA2048, "AES256-SHA256", "P-256", []tls.CurveID{tls.CurveP256}, "TLS1.2 TLS_RSA_WITH_AES_256_CBC_SHA256 utls"},
	} {
		pair := ca.Issue(c.kind, nil, "mx.example")
		s := tlstest.OpenSSL(t, "-cert", pair.CertFile, "-key", pair.KeyFile, "-tls1_2", "-cipher", c.cipher+":@SECLEVEL=0", "-curves", c.curve, "-serverpref")
		id, err := tlsnames.ParseSuite(c.cipher)
		if err != nil {
			t.Fatal(err)
		}
		p.Suites, p.Groups = []uint16{id}, c.groups
		state, err := shake(t, s.Addr, "mx.example", &tlspolicy.Client{Profile: p, Verify: tlspolicy.PKI{Roots: ca.Pool()}})
		if err != nil || state.String() != c.want {
			t.Errorf("%s %s: %s, %v; want %s\n%s", c.cipher, c.curve, state, err, c.want, s.Output())
		}
	}
}
