package tlstest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
)

// Nginx starts nginx as a server of HTTPS on a port of loopback, with the certificate of a pair and what settings say within its server block:
// ssl_* directives, and a location. It ends with the test.
func Nginx(tb testing.TB, pair Pair, settings string) *Server {
	tb.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil { // it is no program of users
		path = "/usr/sbin/nginx"
	}
	Need(tb, path)
	dir, addr := tb.TempDir(), freeport.Address(tb)
	text := "daemon off; master_process off; pid " + dir + "/pid; error_log stderr; worker_processes 1; events {}\nhttp { access_log off; client_max_body_size 0; " +
		"client_body_temp_path " + dir + "/b; proxy_temp_path " + dir + "/p; fastcgi_temp_path " + dir + "/f; uwsgi_temp_path " + dir + "/u; scgi_temp_path " + dir + "/s;\n" +
		"server { listen " + addr + " ssl; ssl_certificate " + pair.CertFile + "; ssl_certificate_key " + pair.KeyFile + "; " + settings + " } }\n"
	if os.Getuid() == 0 {
		text = "user root; " + text
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: addr, out: &log{}}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-c", config, "-p", dir, "-e", "stderr")
	cmd.Stdout, cmd.Stderr = s.out, s.out
	if err := cmd.Start(); err != nil {
		cancel()
		tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	for deadline := time.Now().Add(patience); ; {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			return s
		}
		select {
		case <-ended:
			tb.Fatalf("nginx ended:\n%s", s.Output())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			tb.Fatalf("nginx does not listen:\n%s", s.Output())
		}
	}
}
