// Package smtptest starts mail servers that others wrote, Postfix and its smtp-sink, for the tests of what speaks to them. It is no server itself.
package smtptest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
)

// patience is how long a server may take to start or a message to arrive.
const patience = 2 * time.Minute

// Sink starts smtp-sink with the given options on a free port and returns its address. It is stopped when
// the test ends.
func Sink(t testing.TB, options ...string) (addr string) {
	t.Helper()
	addr = freeport.Address(t)
	args := append(options, addr, "1000")
	if os.Getuid() == 0 {
		args = append([]string{"-u", "nobody"}, args...)
	}
	start(t, exec.Command(tool(t, "smtp-sink"), args...))
	Listening(t, addr)
	return addr
}

// Source runs smtp-source with the given options against addr and returns how long it took.
func Source(t testing.TB, addr string, options ...string) time.Duration {
	t.Helper()
	cmd := exec.Command(tool(t, "smtp-source"), append(options, addr)...)
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("smtp-source: %v\n%s", err, out)
	}
	return time.Since(begin)
}

// Dir makes a directory that the servers may write into as nobody.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "smtptest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tool finds a program of Postfix or OpenSSL.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is needed: apt-get install postfix openssl", name)
	}
	return path
}

// start starts a server that dies with the test.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() && out.Len() > 0 {
			t.Logf("%s said:\n%s", cmd.Args[0], out.String())
		}
	})
}

// Listening waits until somebody listens at an address.
func Listening(t testing.TB, addr string) {
	t.Helper()
	if err := await(func() error {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// await calls try until it succeeds.
func await(try func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

// Certificate makes a self-signed certificate for host with openssl and returns the files of certificate
// and key.
func Certificate(t testing.TB, host string) (certFile, keyFile string) {
	t.Helper()
	dir := Dir(t)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	out, err := exec.Command(tool(t, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-days", "30", "-subj", "/CN="+host, "-addext", "subjectAltName=DNS:"+host,
		"-keyout", keyFile, "-out", certFile).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	return certFile, keyFile
}

// Postfix is a running Postfix that takes mail for any user @partner.example.
type Postfix struct {
	Addr string
	dir  string
}

// StartPostfix starts a Postfix of its own, with directories of its own, on a free port; settings are
// added to its main.cf. It is stopped when the test ends.
func StartPostfix(t testing.TB, settings map[string]string) *Postfix {
	t.Helper()
	p := &Postfix{Addr: freeport.Address(t), dir: Dir(t)}
	p.configure(t, settings)
	postfix := tool(t, "postfix")
	if out, err := exec.Command(postfix, "-c", p.dir, "start").CombinedOutput(); err != nil {
		t.Fatalf("postfix: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		exec.Command(postfix, "-c", p.dir, "abort").Run()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Logf("Postfix's log:\n%s", log)
		}
	})
	Listening(t, p.Addr)
	return p
}

const masterServices = `
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

func (p *Postfix) configure(t testing.TB, settings map[string]string) {
	t.Helper()
	main := map[string]string{
		"compatibility_level": "3.6", "queue_directory": p.dir + "/queue", "data_directory": p.dir + "/data",
		"maillog_file": p.dir + "/log", "maillog_file_prefixes": p.dir, "in_flow_delay": "0", "disable_dns_lookups": "yes",
		"inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8", "myhostname": "mx.partner.example",
		"mydestination": "", "alias_maps": "", "virtual_mailbox_domains": "partner.example", "virtual_mailbox_maps": "static:all/",
		"virtual_mailbox_base": p.dir + "/mail", "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534",
		"smtpd_client_connection_rate_limit": "0", "default_process_limit": "30",
	}
	for k, v := range settings {
		main[k] = v
	}
	var b strings.Builder
	for k, v := range main {
		fmt.Fprintf(&b, "%s = %s\n", k, v)
	}
	for _, d := range []string{"queue", "data", "mail"} {
		if err := os.Mkdir(filepath.Join(p.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.Chmod(p.dir, 0o755), // Postfix distrusts a configuration that others may write
		os.Chown(p.dir+"/mail", 65534, 65534),
		exec.Command("chown", "postfix", p.dir+"/data").Run(),
		os.WriteFile(p.dir+"/main.cf", []byte(b.String()), 0o644),
		os.WriteFile(p.dir+"/master.cf", []byte(p.Addr+" inet n - n - - smtpd"+masterServices), 0o644),
	)
	if err != nil {
		t.Fatalf("Postfix needs root and a user postfix: %v", err)
	}
}

// Mail waits for n delivered messages and returns them as Postfix stored them, with its Received fields
// and LF line ends.
func (p *Postfix) Mail(t testing.TB, n int) []string {
	t.Helper()
	var files []string
	if err := await(func() error {
		files, _ = filepath.Glob(p.dir + "/mail/all/new/*")
		if len(files) < n {
			return fmt.Errorf("%d of %d messages arrived", len(files), n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return read(t, files)
}

func read(t testing.TB, files []string) []string {
	t.Helper()
	texts := make([]string, len(files))
	for i, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return texts
}

// Dumps waits for n messages that a Sink with the option "-d", dir+"/%M." wrote, and returns them: some
// X- lines about the envelope, then the message with LF line ends.
func Dumps(t testing.TB, dir string, n int) []string {
	t.Helper()
	var files []string
	if err := await(func() error {
		files, _ = filepath.Glob(dir + "/*")
		if len(files) < n {
			return fmt.Errorf("%d of %d messages arrived", len(files), n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return read(t, files)
}
