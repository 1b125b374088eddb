package dane_test

import (
	"crypto/tls"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
)

// serve is a TLS server with one pair, ended with the test.
func serve(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			io.Copy(io.Discard, c) // the handshake, and until the client has gone
			c.Close()
		}
	}()
	return l.Addr().String()
}

// openssl tells whether OpenSSL authenticates a server by records.
func openssl(t *testing.T, addr string, p *dane.Policy) (bool, string) {
	t.Helper()
	args := []string{"s_client", "-connect", addr, "-brief", "-verify_return_error", "-no-CAfile", "-no-CApath", "-no-CAstore",
		"-servername", p.Base, "-dane_tlsa_domain", p.Base, "-dane_ee_no_namechecks"}
	for _, s := range p.Strings() {
		args = append(args, "-dane_tlsa_rrdata", s)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader("")
	out, err := cmd.CombinedOutput()
	return err == nil && strings.Contains(string(out), "Verification: OK"), string(out)
}

// OpenSSL says the same of every chain and set of records. It knows one name only, so that the case of the recipient's
// domain has no counterpart.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is missing: run scripts/install-tools test")
	}
	for _, v := range newHall(t).verdicts() {
		if v.name == "the recipient's domain" {
			continue
		}
		p := policy(t, v.records...)
		_, err := p.Verify(v.shown(), time.Now())
		if theirs, out := openssl(t, serve(t, v.server.pair(v.skip)), p); theirs != (err == nil) {
			t.Errorf("%v: we say %v, OpenSSL %t:\n%s", v, err, theirs, out)
		}
	}
}
