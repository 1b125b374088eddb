package smtpout_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/publicnet"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// insideVar is set for the copy of the test that runs in a network of its own.
const insideVar = "SIEGEL_TEST_OWN_NETWORK"

// Knot signs, Unbound validates, Postfix receives, and posttls-finger says what Postfix makes of the same records; the policy host is OpenSSL's.
// All of it at the ports of the internet, in a network of its own that has nothing but loopback.
func TestDNSSEC(t *testing.T) {
	if os.Getenv(insideVar) != "" {
		inside(t)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "--mount", os.Args[0], "-test.run=^TestDNSSEC$", "-test.v")
	cmd.Env = append(os.Environ(), insideVar+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v (the test needs a network of its own: unshare --net --mount)\n%s", err, out)
	}
	t.Logf("%s", out)
}

// up brings loopback up.
func up(t *testing.T) {
	t.Helper()
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(s)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

// place is a domain whose one MX host is at an address of its own.
type place struct {
	zone    string // signed or plain
	server  *far
	records string   // of the domain and its host, relative to the zone, with $D and $A for its name and address
	tlsa    dns.TLSA // of _25._tcp.$T; without data: none
	at      string   // $T; empty: mx.$D
	want    string   // as in the table of levels
	postfix bool     // posttls-finger says that the host is verified
}

const usual = "$D MX 10 mx.$D\nmx.$D A $A\n"

func places(t *testing.T, ca *tlstest.CA) map[string]*place {
	stranger := tlstest.NewCA(t, tlstest.P256)
	old := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	under := func(ca *tlstest.CA, alter func(*x509.Certificate), name string) *far {
		pair := ca.Issue(tlstest.P256, alter, name).Certificate
		pair.Certificate = append(pair.Certificate, ca.Certificate.Raw)
		return &far{pair: pair}
	}
	all := map[string]*place{
		"ee":       {server: under(stranger, nil, "any.example"), want: "dane", postfix: true},
		"eeold":    {server: under(stranger, old, "any.example"), want: "dane", postfix: true},
		"eewrong":  {server: under(ca, nil, "mx.eewrong.signed.example"), tlsa: dane.Of(stranger.Certificate, 3, 1, 1), want: "-"},
		"ta":       {server: under(stranger, nil, "mx.ta.signed.example"), tlsa: dane.Of(stranger.Certificate, 2, 0, 1), want: "dane", postfix: true},
		"taname":   {server: under(stranger, nil, "mx.other.example"), tlsa: dane.Of(stranger.Certificate, 2, 0, 1), want: "-"},
		"tadomain": {server: under(stranger, nil, "tadomain.signed.example"), tlsa: dane.Of(stranger.Certificate, 2, 1, 2), want: "dane", postfix: true},
		"taold":    {server: under(stranger, old, "mx.taold.signed.example"), tlsa: dane.Of(stranger.Certificate, 2, 1, 1), want: "-"},
		"unusable": {server: under(stranger, nil, "any.example"), tlsa: dane.Of(stranger.Certificate, 1, 1, 1), want: "tls"},
		"none":     {server: under(stranger, nil, "any.example"), tlsa: dns.TLSA{Data: []byte{}}, want: "tls"},
		"strip":    {server: &far{strips: true, pair: under(stranger, nil, "any.example").pair}, want: "-"},
		"cname": {server: under(stranger, nil, "any.example"), records: "$D MX 10 mx.$D\nmx.$D CNAME end.$D\nend.$D A $A\n", at: "end.$D",
			want: "dane", postfix: true},
		"out":     {server: under(stranger, nil, "any.example"), records: "$D MX 10 mx.$D\nmx.$D CNAME out-end.plain.example.\n", want: "dane", postfix: true},
		"far":     {zone: "plain", server: under(stranger, nil, "any.example"), records: "$D MX 10 mx.far-end.signed.example.\n", want: "tls"},
		"far-end": {server: under(stranger, nil, "any.example"), want: "dane", postfix: true},
		"plain":   {zone: "plain", server: under(stranger, nil, "any.example"), want: "tls"},
		"sts":     {zone: "plain", server: under(ca, nil, "mx.sts.plain.example"), tlsa: dns.TLSA{Data: []byte{}}, want: "mta-sts"},
		"stsbad":  {zone: "plain", server: under(stranger, nil, "mx.stsbad.plain.example"), tlsa: dns.TLSA{Data: []byte{}}, want: "-"},
	}
	for _, p := range all {
		if p.tlsa.Data == nil {
			p.tlsa = dane.Of(p.server.pair.Leaf, 3, 1, 1)
		}
		if p.zone == "" {
			p.zone = "signed"
		}
		if p.records == "" {
			p.records = usual
		}
		if p.at == "" {
			p.at = "mx.$D"
		}
	}
	return all
}

func inside(t *testing.T) {
	up(t)
	ca := tlstest.NewCA(t, tlstest.P256)
	all := places(t, ca)
	zones := map[string]string{"signed": "", "plain": "mta-sts.sts A 127.0.2.1\n_mta-sts.sts TXT \"v=STSv1; id=1\"\nmta-sts.stsbad A 127.0.2.2\n_mta-sts.stsbad TXT \"v=STSv1; id=1\"\n"}
	n := 0
	for name, p := range all {
		n++
		p.server.addr = fmt.Sprintf("127.0.1.%d:25", n)
		fill := strings.NewReplacer("$D", name, "$A", strings.TrimSuffix(p.server.addr, ":25"))
		zones[p.zone] += fill.Replace(p.records)
		if name == "out" {
			zones["plain"] += fill.Replace("out-end A $A\n")
		}
		if len(p.tlsa.Data) > 0 {
			zones[p.zone] += fill.Replace("_25._tcp."+p.at) + " TLSA " + dane.Text(p.tlsa) + "\n"
		}
		p.server.start(t)
	}
	postfixCert, postfixKey := smtptest.Certificate(t, "mx.partner.example")
	postfix := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": postfixCert, "smtpd_tls_key_file": postfixKey, "smtpd_tls_security_level": "may", "virtual_mailbox_domains": "postfix.signed.example",
	})
	_, postfixPort, _ := net.SplitHostPort(postfix.Addr)
	pair, err := tls.LoadX509KeyPair(postfixCert, postfixKey)
	if err != nil {
		t.Fatal(err)
	}
	zones["signed"] += fmt.Sprintf("postfix MX 10 mx.postfix\nmx.postfix A 127.0.0.1\n_%s._tcp.mx.postfix TLSA %s\n", postfixPort, dane.Text(dane.Of(pair.Leaf, 3, 0, 2)))
	ds := signer(t, zones)
	validator(t, ds)
	resolver, err := dns.New(dns.Options{Servers: []string{"127.0.0.1"}, Timeout: time.Minute, Total: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	for name, addr := range map[string]string{"sts": "127.0.2.1", "stsbad": "127.0.2.2"} {
		policyHost(t, ca, addr, name+".plain.example")
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	policies, err := mtasts.New(mtasts.Options{
		Resolver: resolver, TLS: &tls.Config{RootCAs: ca.Pool()}, Dir: t.TempDir(), Key: atrest.NewKey(),
		Dial: publicnet.New(publicnet.Options{Networks: loopback, Ports: []uint16{443}, Resolver: resolver.Net()}).DialContext,
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := func(port int) *smtpout.Transport {
		tr, err := smtpout.New(smtpout.Options{
			Hello: "gw.firma.example", TLS: smtpout.Security{Level: smtpout.Opportunistic, DANE: true, MTASTS: true, Roots: ca.Pool()},
			Sources: smtpout.Sources{TLSA: resolver, Policies: policies}, MX: &smtpout.MX{Resolver: resolver, Port: port, AllowPrivate: loopback},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		return tr
	}
	agree(t, all, transport(25))
	var port int
	fmt.Sscan(postfixPort, &port)
	r := transport(port).Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@postfix.signed.example"))[0]
	if r.Status != delivery.Delivered || !strings.HasSuffix(r.TLS, "verified by dane") {
		t.Errorf("Postfix: %+v", r)
	}
	postfix.Mail(t, 1)
}

// agree sends to every place, and asks Postfix what it makes of it.
func agree(t *testing.T, all map[string]*place, tr *smtpout.Transport) {
	t.Helper()
	config := t.TempDir()
	write(t, filepath.Join(config, "main.cf"), "compatibility_level = 3.6\n")
	verified := regexp.MustCompile(`(?m)^posttls-finger: Verified TLS connection established`)
	for name, p := range all {
		domain := name + "." + p.zone + ".example"
		r := tr.Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@"+domain))[0]
		if got := went(r, p.arrived(all, name)); got != p.want {
			t.Errorf("%s: %s, want %s: %+v", name, got, p.want, r)
		}
		cmd := exec.CommandContext(t.Context(), program(t, "posttls-finger"), "-l", "dane", "-o", "smtp_tls_dane_insecure_mx_policy=may", "-o", "inet_protocols=ipv4", domain)
		cmd.Env = append(os.Environ(), "MAIL_CONFIG="+config)
		out, _ := cmd.CombinedOutput() // it fails where the host does not fit
		if verified.Match(out) != p.postfix || (p.want == "dane") != p.postfix {
			t.Errorf("%s: Postfix says otherwise:\n%s", name, out)
		}
	}
}

// arrived is what came to the server of a place; mail for one domain goes to the host of another.
func (p *place) arrived(all map[string]*place, name string) []string {
	if name == "far" {
		p = all["far-end"]
	}
	return p.server.messages()
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// program finds a program of Debian's servers, which stand outside the PATH of users.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Skipf("%s is missing: run scripts/install-tools test", name)
	return ""
}

// daemon starts a program, waits for the line that says it is ready, and ends it with the test.
func daemon(t *testing.T, ready string, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var log strings.Builder
	for found := false; !found; {
		if !lines.Scan() {
			cmd.Wait()
			t.Fatalf("%s does not start:\n%s", cmd.Path, log.String())
		}
		log.WriteString(lines.Text() + "\n")
		found = strings.Contains(lines.Text(), ready)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() { cmd.Process.Kill(); <-drained; cmd.Wait() })
}

// signer is Knot, which serves the zones and signs one of them; it returns the DS record of that.
func signer(t *testing.T, zones map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf("server:\n    rundir: %[1]s\n    listen: 127.0.0.1@5353\ndatabase:\n    storage: %[1]s\nlog:\n  - target: stderr\n    any: info\n"+
		"policy:\n  - id: p\n    algorithm: ecdsap256sha256\n    single-type-signing: on\nzone:\n", dir)
	for name, records := range zones {
		file := write(t, filepath.Join(dir, name), "$ORIGIN "+name+".example.\n$TTL 300\n@ SOA ns admin 1 3600 600 86400 120\n@ NS ns\nns A 127.0.0.1\n"+records)
		conf += fmt.Sprintf("  - domain: %s.example\n    file: %s\n", name, file)
		if name == "signed" {
			conf += "    dnssec-signing: on\n    dnssec-policy: p\n"
		}
	}
	path := write(t, filepath.Join(dir, "knot.conf"), conf)
	daemon(t, "server started", exec.Command(program(t, "knotd"), "-c", path))
	out, err := exec.Command(program(t, "keymgr"), "-c", path, "signed.example", "ds").Output()
	if err != nil {
		t.Fatal(err)
	}
	ds, _, _ := strings.Cut(string(out), "\n")
	return ds
}

// validator is Unbound at the address that the machine's resolv.conf then names.
func validator(t *testing.T, ds string) {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf("server:\n interface: 127.0.0.1\n port: 53\n do-daemonize: no\n use-syslog: no\n verbosity: 1\n chroot: \"\"\n username: \"\"\n directory: %q\n pidfile: \"\"\n"+
		" do-not-query-localhost: no\n do-ip6: no\n trust-anchor: %q\nremote-control:\n control-enable: no\n", dir, ds)
	for _, zone := range []string{"signed", "plain"} {
		conf += fmt.Sprintf("stub-zone:\n name: %s.example\n stub-addr: 127.0.0.1@5353\n", zone)
	}
	daemon(t, "start of service", exec.Command(program(t, "unbound"), "-d", "-c", write(t, filepath.Join(dir, "unbound.conf"), conf)))
	file := write(t, filepath.Join(dir, "resolv.conf"), "nameserver 127.0.0.1\noptions trust-ad edns0\n")
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
}

// policyHost is OpenSSL, which serves the policy of a domain at the port of HTTPS.
func policyHost(t *testing.T, ca *tlstest.CA, addr, domain string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".well-known/mta-sts.txt"),
		"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nversion: STSv1\r\nmode: enforce\r\nmx: *."+domain+"\r\nmax_age: 86400\r\n")
	pair := ca.Issue(tlstest.P256, nil, "mta-sts."+domain)
	cmd := exec.Command("openssl", "s_server", "-accept", addr+":443", "-HTTP", "-cert", pair.CertFile, "-key", pair.KeyFile)
	cmd.Dir = dir
	daemon(t, "ACCEPT", cmd)
}
