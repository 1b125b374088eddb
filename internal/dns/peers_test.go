package dns_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/freeport"
)

const peerZone = `
$ORIGIN signed.example.
$TTL 300
@      SOA   ns admin 1 3600 600 86400 120
@      NS    ns
ns     A     127.0.0.1
@      MX    20 mx2
@      MX    10 mx1
mx1    A     192.0.2.1
mx1    AAAA  2001:db8::1
mx2    CNAME mx1
chain  CNAME c1
c1     CNAME c2
c2     CNAME c3
c3     CNAME mx1
away   CNAME mx1.plain.example.
loop   CNAME pool
pool   CNAME loop
gone   CNAME nowhere
null   MX    0 .
_25._tcp.mx1 TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`

// program finds a program of Debian's servers, which stand outside the PATH of users.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	missing := t.Skipf
	if os.Getenv("CI") != "" {
		missing = t.Fatalf
	}
	missing("%s is missing: run scripts/install-tools test", name)
	return ""
}

// patience is how long a server may take to start, and to end, on a loaded machine.
const patience = 2 * time.Minute

// run starts a server, waits for the line that says it is ready, and ends it with the test.
func run(t testing.TB, ready, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	var log strings.Builder
	for found := false; !found; {
		if !lines.Scan() {
			cmd.Wait()
			t.Fatalf("%s does not start:\n%s", name, log.String())
		}
		log.WriteString(lines.Text() + "\n")
		found = strings.Contains(lines.Text(), ready)
	}
	watchdog.Stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		watchdog.Reset(patience)
		<-drained
		cmd.Wait()
		watchdog.Stop()
	})
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// knot serves three zones, of which signed.example is signed, and returns its port and the DS record.
func knot(t testing.TB) (port, ds string) {
	t.Helper()
	dir := t.TempDir()
	port = strconv.Itoa(freeport.Port(t))
	var big strings.Builder
	for i := range 100 {
		fmt.Fprintf(&big, "big TXT \"%d %s\"\n", i, strings.Repeat("x", 200))
	}
	conf := fmt.Sprintf("server:\n    rundir: %[1]s\n    listen: 127.0.0.1@%[2]s\ndatabase:\n    storage: %[1]s\n"+
		"log:\n  - target: stderr\n    any: info\npolicy:\n  - id: p\n    algorithm: ecdsap256sha256\n    single-type-signing: on\nzone:\n", dir, port)
	for _, name := range []string{"signed", "plain", "stripped"} {
		write(t, filepath.Join(dir, name), strings.ReplaceAll(peerZone+big.String(), "signed", name))
		conf += fmt.Sprintf("  - domain: %s.example\n    file: %s/%s\n", name, dir, name)
		if name == "signed" {
			conf += "    dnssec-signing: on\n    dnssec-policy: p\n"
		}
	}
	path := write(t, filepath.Join(dir, "knot.conf"), conf)
	run(t, "server started", "knotd", "-c", path)
	out, err := exec.Command(program(t, "keymgr"), "-c", path, "signed.example", "ds").Output()
	if err != nil {
		t.Fatal(err)
	}
	ds, _, _ = strings.Cut(string(out), "\n")
	return port, ds
}

// unbound validates what knot serves, and returns its port. It believes stripped.example to be signed.
func unbound(t testing.TB, knotPort, ds, ede string) string {
	t.Helper()
	dir := t.TempDir()
	port := strconv.Itoa(freeport.Port(t))
	conf := fmt.Sprintf("server:\n interface: 127.0.0.1\n port: %s\n do-daemonize: no\n use-syslog: no\n verbosity: 1\n chroot: \"\"\n username: \"\"\n"+
		" directory: %q\n pidfile: \"\"\n do-not-query-localhost: no\n do-ip6: no\n ede: %s\n trust-anchor: %q\n trust-anchor: %q\nremote-control:\n control-enable: no\n",
		port, dir, ede, ds, strings.Replace(ds, "signed", "stripped", 1))
	for _, zone := range []string{"signed", "plain", "stripped"} {
		conf += fmt.Sprintf("stub-zone:\n name: %s.example\n stub-addr: 127.0.0.1@%s\n", zone, knotPort)
	}
	run(t, "start of service", "unbound", "-d", "-c", write(t, filepath.Join(dir, "unbound.conf"), conf))
	return port
}

func peerResolver(t testing.TB, port string) *dns.Resolver {
	t.Helper()
	r, err := dns.New(dns.Options{Servers: []string{"127.0.0.1:" + port}, Timeout: patience / 4, Total: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Knot answers, directly and through Unbound.
func TestKnotAndUnbound(t *testing.T) {
	knotPort, ds := knot(t)
	t.Run("knot", func(t *testing.T) {
		checkPeer(t, peerResolver(t, knotPort), false)
	})
	for _, ede := range []string{"yes", "no"} {
		t.Run("unbound ede "+ede, func(t *testing.T) {
			r := peerResolver(t, unbound(t, knotPort, ds, ede))
			checkPeer(t, r, true)
			if _, err := r.LookupMX(t.Context(), "stripped.example"); !errors.Is(err, dns.ErrBogus) {
				t.Errorf("a zone that lost its signatures: %v", err)
			}
		})
	}
}

func checkPeer(t *testing.T, r *dns.Resolver, validates bool) {
	t.Helper()
	for _, zone := range []string{"signed", "plain"} {
		authentic := validates && zone == "signed"
		domain := zone + ".example"
		route, err := r.LookupMX(t.Context(), domain)
		if err != nil || hosts(route.Hosts) != "10 mx1."+domain+", 20 mx2."+domain || route.Authentic != authentic {
			t.Errorf("MX of %s: %+v, %v", domain, route, err)
		}
		for _, name := range []string{"mx1", "mx2", "chain"} {
			h, err := r.LookupHost(t.Context(), name+"."+domain)
			if err != nil || h.Name != "mx1."+domain || !slices.Equal(h.Addrs, addrs("2001:db8::1", "192.0.2.1")) || h.Authentic != authentic {
				t.Errorf("%s.%s: %+v, %v", name, domain, h, err)
			}
		}
		h, err := r.LookupHost(t.Context(), "away."+domain) // from a signed zone into one that is not
		if err != nil || h.Name != "mx1.plain.example" || h.Authentic {
			t.Errorf("away.%s: %+v, %v", domain, h, err)
		}
		texts, err := r.LookupTXT(t.Context(), "big."+domain) // 20 KB: over TCP
		if err != nil || len(texts) != 100 {
			t.Errorf("big.%s: %d records, %v", domain, len(texts), err)
		}
		set, err := r.LookupTLSA(t.Context(), 25, "mx1."+domain)
		if err != nil || len(set.Records) != 1 || set.Authentic != authentic {
			t.Errorf("TLSA of %s: %+v, %v", domain, set, err)
		}
		for name, want := range map[string]error{
			"gone": dns.ErrNotFound, "nowhere": dns.ErrNotFound, "big": dns.ErrNotFound, "loop": dns.ErrTemporary, "null": dns.ErrNullMX,
		} {
			if _, err := r.LookupMX(t.Context(), name+"."+domain); !errors.Is(err, want) {
				t.Errorf("%s.%s: %v", name, domain, err)
			}
		}
		_, err = r.LookupHost(t.Context(), "nowhere."+domain)
		var failure *dns.Error
		if !errors.As(err, &failure) || !failure.NoName || failure.Authentic != authentic {
			t.Errorf("nowhere.%s: %+v", domain, failure)
		}
	}
}
