package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"
)

// selfSigned is a certificate that is good for ten years from the clock that there is.
func selfSigned(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a token"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Certificates are read also where a token has filled them up; nothing else is one.
func TestParseCertificate(t *testing.T) {
	cert := selfSigned(t)
	if got := parseCertificate(append(bytes.Clone(cert.Raw), make([]byte, 100)...)); got == nil || !got.Equal(cert) {
		t.Error("filled up")
	}
	for name, b := range map[string][]byte{"none": nil, "cut": cert.Raw[:len(cert.Raw)-1], "long": append(bytes.Clone(cert.Raw), make([]byte, maxCertificate)...),
		"no certificate": {0x30, 0}} {
		if parseCertificate(b) != nil {
			t.Error(name)
		}
	}
}

// Points are read in both ways in which tokens write them.
func TestParsePoint(t *testing.T) {
	point := append([]byte{4}, make([]byte, 64)...)
	wrapped, err := asn1.Marshal(point)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{point, wrapped} {
		if !bytes.Equal(parsePoint(b), point) {
			t.Errorf("%x", b)
		}
	}
	for _, b := range [][]byte{nil, {4}, {4, 1}, {2, 1, 2}, {4, 1, 2, 3}, wrapped[:10], append(bytes.Clone(point), 0)} {
		if got := parsePoint(b); got != nil {
			t.Errorf("%x: %x", b, got)
		}
	}
}

// What a token calls things is shown, and cannot do anything to a terminal.
func TestNames(t *testing.T) {
	for _, c := range []struct{ label, id, want string }{
		{"key", "\x01", "key (id 01)"}, {"", "\xa1\xb2", "(id a1b2)"}, {"key", "", "key"}, {"\x1b[2J", "", "1b5b324a"}, {"", "", ""},
	} {
		if got := nameOf([]byte(c.label), []byte(c.id)); got != c.want {
			t.Errorf("%q: %q", c.label, got)
		}
	}
	if trim("gw   ") != "gw" || trim("01\x00\x00") != "01" {
		t.Error("trim")
	}
}

// FuzzAttributes: whatever a token has in its attributes, nothing panics, what is read is in its bounds, and what is shown can be.
func FuzzAttributes(f *testing.F) {
	f.Add([]byte{4, 1, 2}, []byte("label"))
	f.Add([]byte{4, 3, 4, 1, 2}, []byte("\x1b]0;title\a"))
	f.Add([]byte{0x30, 0x82, 1, 0}, bytes.Repeat([]byte{0xFF}, 64))
	f.Fuzz(func(t *testing.T, value, label []byte) {
		if p := parsePoint(value); p != nil && (p[0] != 4 || len(p)%2 != 1 || len(p) > len(value)) {
			t.Errorf("a point: %x of %x", p, value)
		}
		if c := parseCertificate(value); c != nil && !bytes.HasPrefix(value, c.Raw) {
			t.Errorf("a certificate that was not there: %x", value)
		}
		name := nameOf(label, value)
		if len(name) > 256 || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%q", name)
		}
		if i := (tokenInfo{label: string(label), serial: string(value)}).String(); strings.ContainsFunc(i, func(r rune) bool { return !strconv.IsPrint(r) }) {
			t.Errorf("%q", i)
		}
		if s, err := encodeECDSA(value, elliptic.P256()); err == nil {
			var pair struct{ R, S *big.Int }
			if rest, err := asn1.Unmarshal(s, &pair); err != nil || len(rest) != 0 {
				t.Errorf("%x: %v", s, err)
			}
		}
	})
}
