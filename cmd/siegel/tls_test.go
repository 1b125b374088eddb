package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// siegelSays runs a command line and returns what it says, and its exit code.
func siegelSays(args ...string) (stdout, stderr string, code int) {
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return out.String(), err.String(), code
}

// mailServer speaks TLS from the first byte, or none without a configuration, greets, and returns its address.
func mailServer(t *testing.T, config *tls.Config) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				conn := c
				if config != nil {
					conn = tls.Server(c, config)
				}
				fmt.Fprint(conn, "220 mx.firma.example\r\n") // after the handshake
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprint(conn, "250 mx.firma.example\r\n")
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	host, port, _ = net.SplitHostPort(l.Addr().String())
	return host, port
}

// tlsFiles are an authority, a certificate for 127.0.0.1 and one of a client below it, in files.
func tlsFiles(t *testing.T) (dir string, authority *ldaptest.TLS, server tls.Certificate) {
	t.Helper()
	dir, authority = t.TempDir(), ldaptest.NewTLS(t)
	for name, text := range map[string][]byte{
		"ca.pem": authority.Authority, "mail.pem": append(bytes.Clone(authority.Certificate), authority.Key...),
		"client.pem": append(bytes.Clone(authority.ClientCertificate), authority.ClientKey...),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server, err := tls.X509KeyPair(authority.Certificate, authority.Key)
	if err != nil {
		t.Fatal(err)
	}
	return dir, authority, server
}

// writeTLS makes a configuration around a piece of one; the key at rest and the folder of certificates lie beside it.
func writeTLS(t *testing.T, dir, text string) string {
	t.Helper()
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "tls.yaml")
	const head = "hostname: localhost.localdomain\nstate: %s/state\ndomains: [firma.example]\nat_rest: {key: {file: %[1]s/at-rest.key}}\n"
	if err := os.WriteFile(file, []byte(fmt.Sprintf(head, dir)+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The exit codes of siegel tls probe, and what goes to which output.
func TestTLSProbeCommand(t *testing.T) {
	dir, _, server := tlsFiles(t)
	host, port := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}})
	addr, ca := net.JoinHostPort(host, port), filepath.Join(dir, "ca.pem")
	free := freeport.Port(t)
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(free))
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{addr, "--smtp", "--implicit", "--ca", ca}, exitDone, "good certificate: ECDSA: it is believed by the authorities of --ca", ""},
		{[]string{addr, "--smtp", "--implicit"}, exitDone, "      pins: [\"key:sha256:", ""},
		{[]string{addr, "--profile", "modern"}, exitDone, "a connection by the profile modern is possible", ""},
		{[]string{addr, "--profile", "bsi-tr-02102-2"}, exitFailed, "no group in common", ""},
		{[]string{nobody}, exitFailed, "not reached: no connection to " + nobody + ": connection refused\n  to do: ", ""},
		{[]string{addr, "--smtp", "--patience", "2s"}, exitFailed, "not reached: no answer to its greeting of SMTP: no answer in time", ""},
		{[]string{"nonsense"}, exitUsage, "", `"nonsense" is no HOST:PORT`},
		{[]string{addr, "--smtp", "--ldap"}, exitUsage, "", "can't be used together"},
		{[]string{addr, "--profile", "nobody", "--config", "/no/such/file"}, exitUsage, "", "there is no such file"},
		{[]string{addr, "--ca", "/no/such/file"}, exitUsage, "", "--ca: open /no/such/file"},
		{[]string{addr, "--ca", filepath.Join(dir, "siegel.yaml")}, exitUsage, "", "--ca: "},
		{[]string{addr, "--client-key", ca}, exitUsage, "", "give --client-cert too"},
		{[]string{addr, "--client-cert", ca}, exitUsage, "", "--client-cert: "},
		{[]string{addr, "--hello", "a b"}, exitUsage, "", "is no name"},
		{[]string{addr, "--server-name", "a\r\nHost: b"}, exitUsage, "", `--server-name: "a\r\nHost: b" is no name`},
		{[]string{addr, "--domain", "a b"}, exitUsage, "", "--domain: "},
	} {
		stdout, stderr, code := siegelSays(append([]string{"tls", "probe"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: exit %d, want %d\n%s%s", c.args, code, c.code, stdout, stderr)
		}
	}
}

// The keys of the JSON that others read.
func TestTLSProbeJSON(t *testing.T) {
	dir, authority, server := tlsFiles(t)
	host, port := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}, MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Roots,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	stdout, stderr, code := siegelSays("tls", "probe", "--smtp", "--implicit", "--json", "--ca", filepath.Join(dir, "ca.pem"), net.JoinHostPort(host, port))
	var got struct {
		Accepted          struct{ Versions, Suites, Groups []string }
		Preferred         struct{ Version, Suite, Group string }
		Certificates      []struct{ Subject, Key string }
		ClientCertificate struct {
			Requested, Required bool
			Authorities         []string
		}
		Verdicts      []struct{ About, Level, Text, Remedy string }
		Configuration string
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDone || stderr != "" {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if fmt.Sprint(got.Accepted) != "{[TLS1.2] [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384] [P-256]}" || fmt.Sprint(got.Preferred) != "{TLS1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 P-256}" {
		t.Errorf("%+v, %+v", got.Accepted, got.Preferred)
	}
	if c := got.ClientCertificate; !c.Requested || !c.Required || len(c.Authorities) != 1 || len(got.Certificates) == 0 || len(got.Verdicts) == 0 || got.Configuration == "" {
		t.Errorf("%s", stdout)
	}
	for _, key := range []string{`"accepted": {`, `"versions": [`, `"suites": [`, `"groups": [`, `"preferred": {`, `"certificates": [`, `"clientCertificate": {`, `"requested": true`, `"verdicts": [`} {
		if !strings.Contains(stdout, key) {
			t.Errorf("%s is not in the JSON", key)
		}
	}
}

// What the probe prints is a configuration that reaches the server, be it one that wants the odd suite and a client certificate.
func TestTLSProbeConfigures(t *testing.T) {
	dir, _, server := tlsFiles(t)
	for name, address := range map[string]string{
		"modern": net.JoinHostPort(mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}})),
		"odd":    sServer(t, "-cert", filepath.Join(dir, "mail.pem"), "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384", "-groups", "P-521:P-256", "-Verify", "1", "-verify_return_error", "-CAfile", filepath.Join(dir, "ca.pem")),
	} {
		t.Run(name, func(t *testing.T) {
			ca, client := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem")
			patience := map[string]string{"modern": "1m", "odd": "8s"}[name] // the odd one never says a word of SMTP, which is waited for twice
			stdout, stderr, code := siegelSays("tls", "probe", "--smtp", "--implicit", "--patience", patience, "--ca", ca, "--client-cert", client, address)
			_, text, ok := strings.Cut(stdout, "configuration that reaches this server:\n")
			if !ok || code != exitDone {
				t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
			}
			file := writeTLS(t, t.TempDir(), text+`
  - {name: rest, domains: ["*"], mx: true}
listeners:
  - {name: in, address: "127.0.0.1:0", role: external, tls: {mode: none}}
`)
			args := []string{"tls", "check", "--patience", "1m", file}
			if name == "odd" { // which is no mail server
				args = []string{"tls", "probe", "--config", file, "--profile", "to-127-0-0-1", "--https", "--ca", ca, "--client-cert", client, address}
			}
			stdout, stderr, code = siegelSays(args...)
			if code != exitDone || !strings.Contains(stdout, map[string]string{"modern": "fits", "odd": "a connection by the profile to-127-0-0-1 is possible"}[name]) || strings.Contains(stderr, "error") {
				t.Errorf("exit %d\n%s%s\n%s", code, stdout, stderr, text)
			}
		})
	}
}

// sServer starts OpenSSL's server.
func sServer(t *testing.T, args ...string) string {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(openssl, append([]string{"s_server", "-accept", "127.0.0.1:0", "-www"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	text := make([]byte, 0, 4096)
	for {
		n, err := out.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if _, rest, ok := strings.Cut(string(text), "ACCEPT "); ok && strings.Contains(rest, "\n") {
			addr, _, _ := strings.Cut(rest, "\n")
			return addr
		}
		if err != nil || len(text) == cap(text) {
			t.Fatalf("openssl s_server did not start: %v\n%s", err, text)
		}
	}
}

// Every kind of connection is held against its profile.
func TestTLSCheck(t *testing.T) {
	dir, authority, server := tlsFiles(t)
	_, modern := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}})
	_, old := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	_, guarded := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Roots, MinVersion: tls.VersionTLS13})
	_, plain := mailServer(t, nil)
	slapd := ldaptest.Start(t, ldaptest.Options{})
	for name, text := range map[string][]byte{"ldap-ca.pem": slapd.TLS.Authority} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := writeTLS(t, dir, fmt.Sprintf(`
listeners:
  - {name: in, address: "127.0.0.1:0", role: external, tls: {certificate: %[1]s/mail.pem, profile: modern}}
  - {name: plain, address: "127.0.0.1:0", role: internal, networks: [127.0.0.1], tls: {mode: none}}
routes:
  - {name: good, domains: [firma.example], hosts: [127.0.0.1], port: %[2]s, tls: {mode: verified, implicit: true, ca: %[1]s/ca.pem, profile: modern}}
  - {name: stranger, domains: [a.example], hosts: [127.0.0.1], port: %[2]s, tls: {mode: verified, implicit: true}}
  - {name: old, domains: [b.example], hosts: [127.0.0.1], port: %[3]s, tls: {mode: required, implicit: true}}
  - {name: shows, domains: [c.example], hosts: [127.0.0.1], port: %[4]s, tls: {mode: required, implicit: true, client_certificate: %[1]s/client.pem}}
  - {name: shows-not, domains: [d.example], hosts: [127.0.0.1], port: %[4]s, tls: {mode: required, implicit: true}}
  - {name: clear, domains: [e.example], hosts: [127.0.0.1], port: %[7]s, tls: none}
  - {name: offers, domains: [f.example], hosts: [127.0.0.1], port: %[7]s}
  - {name: internet, domains: ["*"], mx: true}
certificates:
  directories:
    - {name: staff, kind: active-directory, servers: ["%[5]s"], starttls: true, base: "dc=firma,dc=example", tls: {ca: %[1]s/ldap-ca.pem}}
    - {name: staff2, kind: active-directory, servers: ["%[6]s"], base: "dc=firma,dc=example", tls: {ca: %[1]s/ca.pem}}
`, dir, modern, old, guarded, slapd.URL, slapd.Secure, plain))
	stdout, stderr, code := siegelSays("tls", "check", "--patience", "1m", "--json", file)
	var rows []tlsRow
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != exitFailed || !strings.Contains(stderr, "4 connections of 12 connections cannot") {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for i, want := range []string{
		"listener in note modern , a certificate of it ends on",
		"listener plain note  , mail comes in without TLS",
		"route good fits modern TLS1.3",
		"route stranger FAILS compatible TLS1.3, not believed",
		"route old FAILS compatible , the server refuses (protocol_version)",
		"route shows fits compatible TLS1.3",
		"route shows-not FAILS compatible TLS1.3, (certificate_required)",
		"route clear note compatible , without TLS",
		"route offers note compatible , the host offers no TLS",
		"route internet not asked compatible , --domain",
		"directory staff fits compatible TLS1.3",
		"directory staff2 FAILS compatible , unknown authority",
	} {
		r := rows[i]
		head, part, _ := strings.Cut(want, ",")
		got := fmt.Sprintf("%s %s %s %s %s", r.Kind, r.Name, r.Verdict, r.Profile, r.Negotiated)
		if !strings.HasPrefix(got, strings.TrimSpace(head)) || !strings.Contains(r.Text+r.Remedy, strings.TrimSpace(part)) || r.Verdict == judgedFails && !strings.Contains(r.Remedy, "siegel tls probe --") {
			t.Errorf("%s\nwant %s\n%+v", got, want, r)
		}
	}
	stdout, _, code = siegelSays("tls", "check", "--route", "good", file)
	if code != exitDone || strings.Count(stdout, "\n") != 2 || !strings.HasPrefix(stdout, "KIND ") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	if _, stderr, code = siegelSays("tls", "check", "--route", "nobody", file); code != exitUsage || !strings.Contains(stderr, `by the name "nobody"`) {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// By MX, partners of the configuration are looked at as delivery treats them, and domains that were named.
func TestTLSCheckByMX(t *testing.T) {
	dir, _, server := tlsFiles(t)
	_, port := mailServer(t, &tls.Config{Certificates: []tls.Certificate{server}})
	zone := "mx.partner.example. A 127.0.0.1\n"
	for _, domain := range []string{"bank", "court", "museum", "other"} {
		zone += domain + ".example. MX 10 mx.partner.example.\n"
	}
	names := dnstest.Start(t, zone)
	leaf, err := x509.ParseCertificate(server.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	file := writeTLS(t, dir, fmt.Sprintf(`
dns: {servers: ["%[2]s"]}
listeners: [{name: in, address: "127.0.0.1:0", role: external, tls: {certificate: %[1]s/mail.pem}}]
routes: [{name: internet, domains: "*", mx: true, port: %[3]s, allow_private: [127.0.0.0/8], tls: {mode: required, implicit: true}}]
tls:
  mta_sts: {enabled: false}
  partners:
    - {name: bank, domains: bank.example, level: verified, pins: ["%[4]s"], profile: modern}
    - {name: court, domains: [court.example, "*.court.example"], level: dane}
    - {name: museum, domains: museum.example, level: verified}
`, dir, names.Addr(), port, tlspolicy.PinOf(leaf, true)))
	stdout, stderr, code := siegelSays("tls", "check", "--patience", "1m", "--json", "--domain", "other.example", "--domain", "nowhere.example", file)
	var rows []tlsRow
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != exitFailed || len(rows) != 6 {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for i, want := range []string{
		"partner bank modern verified fits,TLS1.3",
		"partner court compatible dane FAILS,no TLSA record",
		"partner museum compatible verified FAILS,not believed",
		"route internet compatible required fits,TLS1.3",
		"route internet compatible required FAILS,the domain nowhere.example does not exist",
	} {
		r := rows[i+1]
		head, part, _ := strings.Cut(want, ",")
		if got := strings.Join([]string{r.Kind, r.Name, r.Profile, r.Level, string(r.Verdict)}, " "); got != head || !strings.Contains(r.Negotiated+r.Text, part) {
			t.Errorf("%s; %+v", got, r)
		}
	}
	if rows[1].Address != "mx.partner.example:"+port || !strings.HasSuffix(rows[1].Negotiated, "verified by pin") {
		t.Errorf("%+v", rows[1])
	}
}

// A policy that only tests, or cannot be had, stops no mail, and is told of.
func TestJudgeDoubt(t *testing.T) {
	for doubt, want := range map[error]judgement{nil: judgedFits, errors.New("it is not one of the hosts that the policy names"): judgedNote} {
		row := &tlsRow{}
		judgeLook(row, configs.Route{}, smtpout.Look{Host: "mx.partner.example:25", Protection: "TLS1.3 TLS_AES_128_GCM_SHA256 P-256", Doubt: doubt})
		if row.Verdict != want || row.Negotiated == "" || doubt != nil && (!strings.Contains(row.Text, doubt.Error()) || row.Remedy == "") {
			t.Errorf("%v: %+v", doubt, row)
		}
	}
}
