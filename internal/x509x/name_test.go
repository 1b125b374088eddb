package x509x_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Names are written as OpenSSL writes them by RFC 2253, which RFC 4514 replaced without changing these.
func TestNameAsOpenSSL(t *testing.T) {
	for _, subject := range []string{
		"/C=DE/O=Firma \\+ Co, KG/CN=Zoë <Müller>/emailAddress=zoe@firma.example",
		"/DC=example/DC=firma/UID=4711/CN=#1", "/CN= spaced /title=Dr.\\/Ing.", "/CN=a;b\\\\c\"d", "/CN=one+OU=two", "/GN=Bob/SN=Meier/serialNumber=7/postalCode=12345",
		"/CN=", "/",
	} {
		dir := t.TempDir()
		openssl(t, dir, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k", "-utf8",
			"-multivalue-rdn", "-subj", subject, "-out", "c")
		cmd := exec.Command("openssl", "x509", "-in", filepath.Join(dir, "c"), "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb,utf8")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimPrefix(strings.TrimSuffix(string(out), "\n"), "subject=")
		c := parse(t, readDER(t, dir, "c"))
		if got := x509x.Name(c.RawSubject); got != want {
			t.Errorf("%s: %q, OpenSSL has %q", subject, got, want)
		}
	}
}

func TestNameIsBounded(t *testing.T) {
	long := certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-utf8", "-subj", strings.Repeat("/OU="+strings.Repeat("ö", 60), 30))
	got := x509x.Name(parse(t, long).RawSubject)
	if len(got) > 1000 || len(got) < 990 || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	for _, der := range [][]byte{nil, {0x30}, {0x30, 0, 0}, {4, 1, 1}} {
		if got := x509x.Name(der); got != "(unreadable)" {
			t.Errorf("%x: %q", der, got)
		}
	}
}
