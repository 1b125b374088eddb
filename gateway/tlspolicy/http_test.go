package tlspolicy_test

import (
	"crypto"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// A web service that has the one suite, and wants a client certificate, by the client that an http.Transport is given: what a De-Mail connector does.
func TestHTTPS(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	server, client := ca.Issue(tlstest.RSA2048, nil, "127.0.0.1"), ca.Issue(tlstest.RSA2048, nil, "gw.firma.example")
	s := tlstest.OpenSSL(t, "-www", "-cert", server.CertFile, "-key", server.KeyFile, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384",
		"-curves", "secp521r1", "-Verify", "1", "-verify_return_error", "-CAfile", ca.File)
	key := &opaque{Signer: client.PrivateKey.(crypto.Signer)}
	c := &tlspolicy.Client{
		Profile: builtin(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: ca.Pool()},
		Certificates: []tls.Certificate{{Certificate: client.Certificate.Certificate, PrivateKey: key}},
	}
	web := &http.Client{Transport: &http.Transport{DialTLSContext: c.Dial}}
	defer web.CloseIdleConnections()
	resp, err := web.Get("https://" + s.Addr + "/")
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Output())
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(page), "ECDHE-RSA-AES256-SHA384") || key.used != 1 {
		t.Errorf("%v, signed %d times: %s", err, key.used, page)
	}
	c.Certificates = nil
	if _, err := web.Get("https://" + s.Addr + "/"); err == nil {
		t.Error("without a certificate it answers")
	}
	if _, err := c.Dial(t.Context(), "tcp", "no port"); err == nil {
		t.Error("an address without a port was taken")
	}
}

// nmap finds on a listener what its profile has, and nothing else.
func TestNmap(t *testing.T) {
	tlstest.Need(t, "nmap")
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.RSA3072, nil, "mx.example").Certificate
	addr, outcomes := listen(t, builtin(t, "bsi-tr-03108").ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, false))
	go func() {
		for range outcomes {
		}
	}()
	_, port, _ := net.SplitHostPort(addr)
	out, err := exec.CommandContext(t.Context(), "nmap", "-Pn", "-n", "--unprivileged", "-p", port, "--script", "+ssl-enum-ciphers", "127.0.0.1").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nmap misses %s:\n%s", want, out)
		}
	}
	for _, bad := range []string{"TLSv1.0", "TLSv1.1", "CBC", "TLS_RSA_", "3DES", "RC4", "CHACHA", "ecdh_x25519"} {
		if strings.Contains(string(out), bad) {
			t.Errorf("nmap finds %s:\n%s", bad, out)
		}
	}
}
