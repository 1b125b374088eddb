package mtasts_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

// openssl serves a response, head and all, as a policy host, and returns where.
func openssl(t *testing.T, pair tls.Certificate, response string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is missing: run scripts/install-tools test")
	}
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	for name, content := range map[string][]byte{"pair.pem": both, ".well-known/mta-sts.txt": []byte(response)} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "s_server", "-accept", "127.0.0.1:0", "-HTTP", "-cert", "pair.pem", "-key", "pair.pem")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "ACCEPT "); ok {
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				for lines.Scan() {
				}
			}()
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-drained
				cmd.Wait()
			})
			return addr
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatal("openssl s_server does not start")
	return ""
}

// A policy host that is not of our making.
func TestOpenSSL(t *testing.T) {
	const head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	for response, want := range map[string]mtasts.Mode{
		head + good: mtasts.Enforce,
		head + strings.ReplaceAll(strings.Replace(good, "enforce", "testing", 1), "\n", "\r\n"): mtasts.Testing,
		"HTTP/1.0 301 Moved\r\nLocation: https://mta-sts.partner.example/\r\n\r\n":              "",
		"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + good:                             "",
	} {
		s := newSite(t)
		s.roots = nil
		s.addr = openssl(t, s.pair("mta-sts."+domain), response)
		a, err := s.client().Lookup(t.Context(), domain)
		if err != nil || (a.Held == nil) != (want == "") || a.Held != nil && a.Held.Mode != want || a.Held == nil && a.Trouble == nil {
			t.Errorf("%.60q: %+v, %v", response, a, err)
		}
	}
}
