//go:build cgo && unix

package pkcs11_test

import (
	"bufio"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// OpenSSL's server takes a client whose key is in a token, by TLS 1.2 and 1.3, RSA and P-256.
func TestTLSClientAgainstOpenSSL(t *testing.T) {
	h, keys := newHSM(t), getKeys(t)
	h.init("gw")
	certs := map[string]*x509.Certificate{"RSA-PSS": h.pair("gw", "a1", keys.rsa[0], 0), "ECDSA": h.pair("gw", "a2", keys.p256, 0)}
	d := newDesk(t)
	for want, cert := range certs {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if got := h.handshake(d.key("gw", cert), keys.p384, version); got != want {
				t.Errorf("%s: the server saw a signature of type %q; want %q", tls.VersionName(version), got, want)
			}
		}
	}
}

// handshake speaks TLS to s_server, which asks for a certificate, and returns the type of signature that it says it has got.
func (h *hsm) handshake(k *pkcs11.Key, server crypto.Signer, version uint16) string {
	h.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(server)
	if err != nil {
		h.t.Fatal(err)
	}
	cert := authority(h.t, server)
	port := freeport.Port(h.t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command("openssl", "s_server", "-accept", address, "-cert", h.write("server.pem", "CERTIFICATE", cert.Raw),
		"-key", h.write("server-key.pem", "PRIVATE KEY", der), "-Verify", "1", "-naccept", "1", "-state")
	out, err1 := cmd.StdoutPipe()
	in, err2 := cmd.StdinPipe()
	if err1 != nil || err2 != nil {
		h.t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "ACCEPT") {
	}
	// The server's certificate is checked elsewhere; here it proves that the handshake is with this one.
	seen := func(s tls.ConnectionState) error {
		if !s.PeerCertificates[0].Equal(cert) {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, VerifyConnection: seen, MinVersion: version, MaxVersion: version,
		Certificates: []tls.Certificate{k.TLSCertificate()}})
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		h.t.Fatal(err)
	}
	kind := ""
	for lines.Scan() && lines.Text() != "hello" {
		if v, ok := strings.CutPrefix(lines.Text(), "Peer signature type: "); ok {
			kind = v
		}
	}
	return kind
}
