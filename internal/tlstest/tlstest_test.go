package tlstest_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"testing"

	"github.com/siegel-mail/siegel/internal/tlstest"
)

// Each kind of key serves, believed by its authority, and a line comes back.
func TestOpenSSL(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P384)
	for _, kind := range []tlstest.Kind{tlstest.RSA1024, tlstest.RSA2048, tlstest.RSA3072, tlstest.P256, tlstest.P384, tlstest.P521, tlstest.Ed25519} {
		pair := ca.Issue(kind, nil, "mx.example", "127.0.0.1")
		args := []string{"-cert", pair.CertFile, "-key", pair.KeyFile, "-cipher", "ALL:@SECLEVEL=0"}
		s := tlstest.OpenSSL(t, args...)
		conn, err := tls.Dial("tcp", s.Addr, &tls.Config{RootCAs: ca.Pool()})
		if err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, s.Output())
		}
		io.WriteString(conn, "abc\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); line != tlstest.Reverse("abc")+"\n" {
			t.Errorf("%s: %q, %v", kind, line, err)
		}
		conn.Close()
		n := tlstest.OpenSSLClient(t, s.Addr, "abcdef\n", "fedcba", "-CAfile", ca.File, "-verify_return_error", "-cipher", "ALL:@SECLEVEL=0")
		if !n.OK || n.Suite == "" {
			t.Errorf("%s: %+v", kind, n)
		}
	}
}
