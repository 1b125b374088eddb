package x509x_test

import (
	"crypto/x509"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Certificates are structures in the form of X.509: each is signed by its own key here, and by no other.
func TestCheckSignedBy(t *testing.T) {
	var all []*x509.Certificate
	for _, kind := range []string{"bp256", "p256", "pss"} {
		all = append(all, parse(t, readDER(t, authorities(t, kind), kind+".ca")))
	}
	for i, c := range all {
		for j, signer := range all {
			if err := x509x.CheckSignedBy(signer, c.Raw); (err == nil) != (i == j) {
				t.Errorf("%s by %s: %v", c.Subject, signer.Subject, err)
			}
		}
		broken := append([]byte(nil), c.Raw...)
		broken[len(broken)/2] ^= 1
		if x509x.CheckSignedBy(c, broken) == nil || x509x.CheckSignedBy(c, nil) == nil || x509x.CheckSignedBy(c, c.Raw[:20]) == nil {
			t.Errorf("%s: something else verifies", c.Subject)
		}
	}
}

// What is signed by SHA-1 is not believed, whoever signed it.
func TestCheckSignedByWeak(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Old", "-sha1", "-keyout", "key", "-out", "old")
	c := parse(t, readDER(t, dir, "old"))
	if c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) != nil {
		t.Fatal("the case is none: it does not verify")
	}
	if x509x.CheckSignedBy(c, c.Raw) == nil {
		t.Error("SHA-1 is believed")
	}
}

// The algorithm of a certificate is what crypto/x509 says of it.
func TestSignatureAlgorithm(t *testing.T) {
	for _, kind := range []string{"p256", "bp256"} {
		c := parse(t, readDER(t, authorities(t, kind), kind+".ca"))
		input := cryptobyte.String(c.Raw)
		var outer, algorithm cryptobyte.String
		if !input.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.SkipASN1(cbasn1.SEQUENCE) || !outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
			t.Fatal("not a certificate")
		}
		if got := x509x.SignatureAlgorithm(algorithm); got != c.SignatureAlgorithm || got == x509.UnknownSignatureAlgorithm {
			t.Errorf("%s: %v, %v", kind, got, c.SignatureAlgorithm)
		}
	}
	for _, element := range [][]byte{nil, {0x30, 0}, {5, 0}, {0x30, 3, 6, 1, 42}} {
		if got := x509x.SignatureAlgorithm(element); got != x509.UnknownSignatureAlgorithm {
			t.Errorf("%x: %v", element, got)
		}
	}
}

func FuzzCheckSignedBy(f *testing.F) {
	dir := authorities(f, "p256")
	c, err := x509x.ParseCertificate(readDER(f, dir, "p256.ca"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Raw)
	f.Add([]byte{0x30, 0x06, 0x30, 0, 0x30, 0, 3, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		if x509x.CheckSignedBy(c, der) == nil && len(der) < len(c.Raw) {
			t.Fatalf("%x is signed", der)
		}
	})
}
