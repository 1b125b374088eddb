package announce_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

func plan() announce.Plan {
	return announce.Plan{
		Mode: mtasts.Enforce, MaxAge: 14 * 24 * time.Hour, MX: []string{"MX1.firma.example", "*.mail.firma.example"},
		ReportTo: []string{"tls@firma.example", "mailto:a@b.example", "https://reports.firma.example/x,y"},
	}
}

// What is written is what senders read (RFC 8461, 3.1 and 3.2; RFC 8460, 3).
func TestDomain(t *testing.T) {
	p := plan()
	read, err := mtasts.Parse(p.Policy())
	if err != nil || read.Mode != mtasts.Enforce || read.MaxAge != p.MaxAge || !read.Matches("mx1.firma.example") || !read.Matches("x.mail.firma.example") {
		t.Errorf("%+v, %v", read, err)
	}
	records, err := p.Domain("firma.example")
	if err != nil || len(records) != 2 {
		t.Fatal(records, err)
	}
	if id, err := mtasts.ParseRecord([]string{records[0].Value}); err != nil || id != p.PolicyID() || records[0].Name != "_mta-sts.firma.example" {
		t.Error(records[0], id, err)
	}
	r, err := tlsrpt.FindRecord([]string{records[1].Value})
	if err != nil || len(r.Mail) != 2 || len(r.Posts) != 1 || records[1].Name != "_smtp._tls.firma.example" {
		t.Error(records[1], r, err)
	}
	if zone := records[1].Zone(); zone != `_smtp._tls.firma.example. IN TXT "v=TLSRPTv1; rua=mailto:tls@firma.example,mailto:a@b.example,https://reports.firma.example/x%2Cy"` {
		t.Error(zone)
	}
	p.ReportTo = []string{"nobody"}
	if _, err := p.Domain("firma.example"); err == nil {
		t.Error("reports to nobody")
	}
	p.ReportTo = nil
	if records, err := p.Domain("firma.example"); err != nil || len(records) != 1 {
		t.Error(records, err)
	}
}

// The id changes with the policy, and with nothing else.
func TestPolicyID(t *testing.T) {
	same, other := plan(), plan()
	same.ReportTo, other.Mode = nil, mtasts.Testing
	if plan().PolicyID() != same.PolicyID() || plan().PolicyID() == other.PolicyID() || len(plan().PolicyID()) > 32 {
		t.Error(plan().PolicyID(), same.PolicyID(), other.PolicyID())
	}
}

// A long text is parted, and quotes are not taken for its end.
func TestZone(t *testing.T) {
	long := strings.Repeat("a", 254) + `"\` + strings.Repeat("b", 300)
	zone := announce.Record{Name: "x.example", Type: "TXT", Value: long}.Zone()
	if want := `x.example. IN TXT "` + strings.Repeat("a", 254) + `\"" "\\` + strings.Repeat("b", 254) + `" "` + strings.Repeat("b", 46) + `"`; zone != want {
		t.Errorf("%s\n%s", zone, want)
	}
}

func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing; run scripts/install-tools test", name)
		}
		t.Skipf("%s is missing; run scripts/install-tools test", name)
	}
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// GnuTLS and OpenSSL make the same TLSA records of the same certificates and keys.
func TestTLSA(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx1.firma.example")
	nextFile, _ := smtptest.Certificate(t, "mx1.firma.example")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	next, err := os.ReadFile(nextFile)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := announce.PublicKeys(next)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	p := announce.Plan{Authority: true}
	host := announce.Host{Name: "mx1.firma.example", Chains: [][]*x509.Certificate{{pair.Leaf, pair.Leaf}, {pair.Leaf}}, Next: keys}
	records := p.TLSA(host)
	if len(records) != 3 || announce.TLSAName(host) != "_25._tcp.mx1.firma.example" {
		t.Fatalf("%+v", records)
	}
	for i, args := range [][]string{{"--load-certificate", certFile}, {"--load-certificate", nextFile}, {"--load-certificate", certFile, "--ca"}} {
		theirs := tool(t, "danetool", append([]string{"--tlsa-rr", "--host", "mx1.firma.example", "--proto", "tcp", "--port", "25"}, args...)...)
		digest := strings.ToLower(strings.Trim(strings.Join(strings.Fields(theirs[strings.Index(theirs, "(")+1:strings.LastIndex(theirs, ")")]), " "), " "))
		fields := strings.Fields(digest) // "03 01 01 digest"
		ours := strings.Fields(records[i].Value)
		if len(fields) != 4 || fields[0] != "0"+ours[0] || fields[1] != "0"+ours[1] || fields[2] != "0"+ours[2] || fields[3] != strings.ToLower(ours[3]) {
			t.Errorf("%s, theirs %s", records[i].Zone(), theirs)
		}
	}
	spki := tool(t, "sh", "-c", "openssl x509 -in '"+certFile+"' -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r")
	if ours := strings.Fields(records[0].Value)[3]; !strings.HasPrefix(spki, strings.ToLower(ours)) {
		t.Errorf("%s, theirs %s", ours, spki)
	}
}

// Next keys come in whatever file there is of them: a certificate, a request, a private or a public key give the same.
func TestPublicKeys(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, kind := range [][]string{{"RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, {"EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, {"ED25519"}} {
		tool(t, "openssl", append([]string{"genpkey", "-algorithm", kind[0], "-out", at("key")}, kind[1:]...)...)
		tool(t, "openssl", "pkey", "-in", at("key"), "-pubout", "-out", at("public"))
		tool(t, "openssl", "req", "-new", "-key", at("key"), "-subj", "/CN=x", "-out", at("request"))
		tool(t, "openssl", "req", "-x509", "-key", at("key"), "-subj", "/CN=x", "-out", at("certificate"))
		files := []string{"public", "key", "request", "certificate"}
		if kind[0] != "ED25519" { // which has no older form
			tool(t, "openssl", "pkey", "-in", at("key"), "-traditional", "-out", at("traditional"))
			files = append(files, "traditional")
		}
		var first []byte
		for _, name := range files {
			text, err := os.ReadFile(at(name))
			if err != nil {
				t.Fatal(err)
			}
			keys, err := announce.PublicKeys(text)
			if err != nil || len(keys) != 1 {
				t.Fatalf("%s, %s: %d, %v", kind[0], name, len(keys), err)
			}
			if first == nil {
				first = keys[0]
			}
			if !bytes.Equal(keys[0], first) {
				t.Errorf("%s, %s: another key", kind[0], name)
			}
		}
	}
	for _, text := range []string{"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if keys, err := announce.PublicKeys([]byte(text)); err == nil {
			t.Errorf("%q: %x", text, keys)
		}
	}
}

// Whatever a file holds, what comes out are keys that can be read.
func FuzzPublicKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := announce.PublicKeys(text)
		if err != nil {
			if !errors.Is(err, announce.ErrKey) || keys != nil {
				t.Fatal(keys, err)
			}
			return
		}
		if len(keys) == 0 {
			t.Fatal("no key, and no error")
		}
	})
}
