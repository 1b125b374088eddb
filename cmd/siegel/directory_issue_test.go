package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// colleagues are people of the company besides Alice: one of them has left, one is of another company.
const colleagues = people + `
dn: cn=clara,dc=firma,dc=example
objectClass: user
cn: clara
sn: c
mail: clara@firma.example
proxyAddresses: SMTP:clara@firma.example
proxyAddresses: smtp:clara@partner.example
`

// Everybody whom the company's directory names gets a certificate, by one command: those who have left do not, nor do addresses of others.
func TestIssueToDirectory(t *testing.T) {
	c := newCompanyIssuing(t, colleagues)
	do := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(append(append([]string{"certs"}, args...), "--socket", filepath.Join(c.dir, "run", "control.sock")), &out, &out)
		return code, out.String()
	}
	if code, out := do("ca", "init"); code != 0 {
		t.Fatal(out)
	}
	code, out := do("issue", "--directory", "company")
	for _, want := range []string{"alice@firma.example", "a.liddell@firma.example", "clara@firma.example"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s: nothing of it", want)
		}
	}
	for _, other := range []string{"old@firma.example", "old.example", "partner.example", "firma.lan"} {
		if strings.Contains(out, other) {
			t.Errorf("%s: it is there", other)
		}
	}
	if code != 0 || !strings.Contains(out, "3 issued, 0 had one, 0 failed") {
		t.Fatalf("%d %s", code, out)
	}
	if code, out = do("issue", "--directory", "company"); code != 0 || !strings.Contains(out, "0 issued, 3 had one, 0 failed") {
		t.Errorf("again: %d %s", code, out)
	}
	if code, out = do("issue", "--directory", "absent"); code == 0 || !strings.Contains(out, "no company directory of this name") {
		t.Errorf("one that is not there: %d %s", code, out)
	}
	c.s.Stop()
	if code, out = do("issue", "--directory", "company"); code == 0 || strings.Contains(out, "had one") {
		t.Errorf("one that is away: %d %s", code, out)
	}
}

// newCompanyIssuing is a company whose gateway issues certificates.
func newCompanyIssuing(t *testing.T, people string) *company {
	t.Helper()
	return newCompanyLike(t, people, "  issue: {ca: built-in, organization: Firma GmbH, country: DE, key: p-256, url: \"http://pki.firma.example\"}\n", "")
}

// An authority that calls itself one and bears a mail address is trusted as an anchor by --authority alone; and openssl ca answers a request of the gateway's.
func TestAuthorityAndRequest(t *testing.T) {
	dir, do := serving(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for name, text := range map[string]string{"index.txt": "", "serial": "1000\n", "ca.cnf": `
[ca]
default_ca = own
[own]
dir = .
database = ./index.txt
serial = ./serial
new_certs_dir = .
certificate = ./own.pem
private_key = ./own.key
default_md = sha256
default_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = optional
emailAddress = optional
`} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=Own CA", "-days", "60",
		"-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectAltName=email:ca@firma.example")
	if code, out := do("request", "--key-kind", "p256", "-o", in("clara.csr"), "clara@firma.example"); code != 0 {
		t.Fatal(out)
	}
	openssl("ca", "-batch", "-config", "ca.cnf", "-in", "clara.csr", "-out", "clara.pem", "-notext")
	for _, k := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", in("clara.pem")}, 0, "with its key"},
		{[]string{"find", "clara@firma.example"}, 1, "signs with: none"},
		{[]string{"import", "--trust", in("own.pem")}, 0, "It bears a mail address, so what it issues is not trusted"},
		{[]string{"find", "clara@firma.example"}, 1, "signs with: none"},
		{[]string{"import", "--authority", in("own.pem")}, 2, "goes with --trust"},
		{[]string{"import", "--trust", "--authority", in("own.pem")}, 0, "1 certificate known before"},
		{[]string{"find", "clara@firma.example"}, 0, "to sign: taken"},
	} {
		code, out := do(k.args...)
		if code != k.code || !strings.Contains(out, k.want) {
			t.Errorf("%v: %d, want %d and %q:\n%s", k.args, code, k.code, k.want, out)
		}
	}
	text, err := exec.Command("openssl", "verify", "-CAfile", in("own.pem"), "-purpose", "smimesign", in("clara.pem")).CombinedOutput()
	if err != nil || !strings.Contains(string(text), "OK") {
		t.Error(fmt.Sprint(err), string(text))
	}
}
