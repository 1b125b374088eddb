package x509x_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// relativePoints makes a certificate by openssl with distribution points of relative names, and others.
func relativePoints(t testing.TB, points string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "config", fmt.Sprintf(`
[req]
distinguished_name = dn
[dn]
[ext]
basicConstraints = critical, CA:true
crlDistributionPoints = %s
[relative]
relativename = last
[signer]
relativename = last
CRLissuer = dirName:other
reasons = keyCompromise
[address]
fullname = URI:http://crl.firma.example/a.crl
[last]
CN = 1
+OU = Lists
[other]
CN = Lists
`, points))
	return certificate(t, append([]string{"-config", filepath.Join(dir, "config"), "-extensions", "ext"}, args...)...)
}

// A certificate with a distribution point whose name is relative is read, byte for byte, whatever its key, and its signature verifies.
func TestRelativeDistributionPoint(t *testing.T) {
	for _, points := range []string{"relative", "signer", "relative, signer, address"} {
		for _, key := range [][]string{{"-newkey", "rsa:2048"}, {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}} {
			der := relativePoints(t, points, key...)
			before := bytes.Clone(der)
			if _, err := x509.ParseCertificate(der); err == nil {
				t.Fatal("crypto/x509 reads it")
			}
			c, err := x509x.ParseCertificate(der)
			if err != nil {
				t.Fatalf("%s: %v", points, err)
			}
			if !bytes.Equal(der, before) || !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBSCertificate) {
				t.Errorf("%s: not the same certificate", points)
			}
			if err := x509x.CheckSignatureFrom(c, c); err != nil {
				t.Errorf("%s: %v", points, err)
			}
			for _, e := range c.Extensions {
				if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 31}) && !bytes.Contains(der, e.Value) {
					t.Errorf("%s: the distribution points are not those of the certificate", points)
				}
			}
			if want := points == "relative, signer, address"; (len(c.CRLDistributionPoints) == 1) != want {
				t.Errorf("%s: addresses %q", points, c.CRLDistributionPoints)
			}
		}
	}
}

// What is no relative name, or is refused for another reason, stays refused.
func TestRelativeMalformed(t *testing.T) {
	der := relativePoints(t, "relative", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	cn := bytes.LastIndex(der, []byte{0x55, 4, 3}) // of the relative name: behind the subject's
	for name, alter := range map[string]func(b []byte){
		"the attribute has no type":         func(b []byte) { b[cn-2] = 4 },
		"the attribute is none":             func(b []byte) { b[cn-4] = 0x31 },
		"the basic constraints are damaged": func(b []byte) { b[bytes.Index(b, []byte{0x55, 0x1d, 0x13})+8] = 2 },
	} {
		b := bytes.Clone(der)
		if alter(b); bytes.Equal(b, der) {
			t.Fatalf("%s: nothing altered", name)
		}
		if _, err := x509x.ParseCertificate(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
