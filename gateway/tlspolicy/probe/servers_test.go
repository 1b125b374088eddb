package probe_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// patience is how long a server may take to start.
const patience = 2 * time.Minute

// tool finds a program; the test is skipped without it, but not in CI.
func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed: apt-get install %s", name, pkg)
		}
		t.Skipf("%s is needed: apt-get install %s", name, pkg)
	}
	return path
}

// keys are certificates of localhost and 127.0.0.1 in files, made once for all tests by OpenSSL: each NAME.pem with NAME.key is its own
// authority, but for those below ca.pem.
type keys struct{ dir string }

func (k keys) file(name string) string { return filepath.Join(k.dir, name) }

var (
	made    keys
	madeErr error
	making  sync.Once
)

// someKeys returns the keys of all tests.
func someKeys(t testing.TB) keys {
	t.Helper()
	openssl := tool(t, "openssl", "openssl")
	making.Do(func() {
		if made.dir, madeErr = os.MkdirTemp("", "siegel-probe"); madeErr == nil {
			madeErr = made.make(openssl)
		}
	})
	if madeErr != nil {
		t.Fatal(madeErr)
	}
	return made
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.dir != "" {
		os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

// make runs OpenSSL.
func (k keys) make(openssl string) error {
	const names = "subjectAltName=DNS:localhost,DNS:mx.firma.example,IP:127.0.0.1"
	for _, line := range []string{
		"req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 30 -subj /CN=localhost -addext " + names,
		"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -out ec.pem -days 30 -subj /CN=localhost -addext " + names,
		"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:brainpoolP256r1 -nodes -keyout bp.key -out bp.pem -days 30 -subj /CN=localhost -addext " + names,
		"req -x509 -newkey ed25519 -nodes -keyout ed.key -out ed.pem -days 30 -subj /CN=localhost -addext " + names,
		"req -x509 -newkey rsa:1024 -sha1 -nodes -keyout weak.key -out weak.pem -days 5 -subj /CN=weak",
		"req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 30 -subj /CN=Root",
		"req -newkey rsa:2048 -nodes -keyout between.key -out between.csr -subj /CN=Between",
		"x509 -req -in between.csr -CA root.pem -CAkey root.key -set_serial 2 -days 30 -extfile ca.ext -out between.pem",
		"req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf",
		"x509 -req -in leaf.csr -CA between.pem -CAkey between.key -set_serial 3 -days 30 -extfile leaf.ext -out leaf.pem",
		"req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=client",
		"x509 -req -in client.csr -CA root.pem -CAkey root.key -set_serial 4 -days 30 -extfile client.ext -out client.pem",
	} {
		if err := os.WriteFile(k.file("ca.ext"), []byte("basicConstraints=critical,CA:true\n"), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(k.file("leaf.ext"), []byte(names+"\nauthorityInfoAccess=caIssuers;URI:http://ca.example/between.der\n"), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(k.file("client.ext"), []byte("extendedKeyUsage=clientAuth\n"), 0o600); err != nil {
			return err
		}
		cmd := exec.Command(openssl, strings.Fields(line)...)
		cmd.Dir = k.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return &exec.Error{Name: line + ": " + string(out), Err: err}
		}
	}
	return nil
}

// cat joins files into another one.
func (k keys) cat(t testing.TB, files ...string) string {
	t.Helper()
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(k.file(f))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	path := filepath.Join(t.TempDir(), "chain.pem")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run starts a program that ends with the test. It returns when the program has said a line with the text, or at once where that is empty, and
// gives that line.
func run(t testing.TB, path, dir, until string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with whatever it starts
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	r, w := io.Pipe()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(io.TeeReader(r, &log)); s.Scan(); {
			if until != "" && strings.Contains(s.Text(), until) {
				select {
				case said <- s.Text():
				default:
				}
			}
		}
		io.Copy(io.Discard, r)
	}()
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		w.Close()
		<-ended
		if t.Failed() {
			t.Logf("%s %s:\n%.4000s", path, strings.Join(args, " "), log.String())
		}
	})
	if until == "" {
		return ""
	}
	select {
	case line := <-said:
		return line
	case <-time.After(patience):
		t.Fatalf("%s %s did not start", path, strings.Join(args, " "))
	}
	return ""
}

// openssl starts s_server and returns its address. args are the rest of its command line; names ending in .pem and .key are files of keys.
func openssl(t testing.TB, args string) string {
	t.Helper()
	k := someKeys(t)
	line := run(t, tool(t, "openssl", "openssl"), k.dir, "ACCEPT ", append([]string{"s_server", "-accept", "127.0.0.1:0", "-www"}, strings.Fields(args)...)...)
	return strings.TrimPrefix(line, "ACCEPT ")
}

// gnutls starts gnutls-serv and returns its address.
func gnutls(t testing.TB, priority string, args ...string) string {
	t.Helper()
	k, addr := someKeys(t), freeport.Address(t)
	_, port, _ := net.SplitHostPort(addr)
	run(t, tool(t, "gnutls-serv", "gnutls-bin"), k.dir, "", append([]string{"--http", "-p", port, "--priority", priority}, args...)...)
	listening(t, addr)
	return addr
}

// listening waits for a server.
func listening(t testing.TB, addr string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens at %s: %v", addr, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// ask probes a server that must be reached.
func ask(t testing.TB, addr string, protocol probe.Protocol, o probe.Options) *probe.Report {
	t.Helper()
	target, err := probe.ParseTarget(addr, protocol, false)
	if err != nil {
		t.Fatal(err)
	}
	o.Timeout, o.Patience = 5*time.Minute, time.Minute // the machine may be slow
	r := probe.Probe(t.Context(), target, o)
	if !r.Reached || r.Problem != nil {
		t.Fatalf("reached: %v; %+v", r.Reached, r.Problem)
	}
	return r
}

// nginx starts nginx with settings of its server and returns the address.
func nginx(t testing.TB, settings string) string {
	t.Helper()
	k, addr, dir := someKeys(t), freeport.Address(t), t.TempDir()
	text := "daemon off; master_process off; pid " + dir + "/pid; error_log stderr; worker_processes 1; events {}\nhttp { access_log off; client_body_temp_path " + dir + "/b; proxy_temp_path " + dir + "/p; " +
		"fastcgi_temp_path " + dir + "/f; uwsgi_temp_path " + dir + "/u; scgi_temp_path " + dir + "/s;\nserver { listen " + addr + " ssl; ssl_certificate " + k.file("rsa.pem") + "; ssl_certificate_key " + k.file("rsa.key") + "; " +
		settings + " location / { return 204; } } }\n"
	if os.Getuid() == 0 {
		text = "user root; " + text
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool(t, "nginx", "nginx-light"), dir, "", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir, "-e", "stderr")
	listening(t, addr)
	return addr
}
