package certs_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// vector reads a certificate of the public test vectors.
func vector(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	dir := os.Getenv("SIEGEL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "testdata")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no public test vectors in %s; set SIEGEL_TESTDATA", dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	c, err := x509.ParseCertificate(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The sample CAs of RFC 9216 have cross-certificates in both directions and share one organisation.
func TestVectorsRFC9216(t *testing.T) {
	rsaCA, edCA := "rfc9216/ca.rsa.crt", "rfc9216/ca.25519.crt"
	rsaCross, edCross := "rfc9216/ca.rsa.cross.crt", "rfc9216/ca.25519.cross.crt"
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, leaf, address string
		anchors, offered    []string
		purpose             certs.Purpose
		at                  time.Time
		want                certs.Status
	}{
		{"Alice signs", "alice.sign.crt", "alice@smime.example", []string{rsaCA}, nil, certs.Sign, at, certs.StatusValid},
		{"Alice's key for signing is not encrypted to", "alice.sign.crt", "", []string{rsaCA}, nil, certs.Encrypt, at, certs.StatusPurpose},
		{"Alice is encrypted to", "alice.encrypt.crt", "alice@smime.example", []string{rsaCA}, nil, certs.Encrypt, at, certs.StatusValid},
		{"Alice's key for encryption does not sign", "alice.encrypt.crt", "", []string{rsaCA}, nil, certs.Sign, at, certs.StatusPurpose},
		{"Bob is not Alice", "bob.sign.crt", "alice@smime.example", []string{rsaCA}, nil, certs.Sign, at, certs.StatusMismatch},
		{"by the cross-certificate", "alice.sign.crt", "", []string{edCA}, []string{edCross, rsaCross}, certs.Sign, at, certs.StatusValid},
		{"the other cross-certificate", "carlos.sign.25519.crt", "carlos@smime.example", []string{rsaCA}, []string{edCross, rsaCross}, certs.Sign, at, certs.StatusValid},
		{"X25519", "dana.encrypt.25519.crt", "dana@smime.example", []string{edCA}, nil, certs.Encrypt, at, certs.StatusValid},
		{"without the cross-certificate", "carlos.sign.25519.crt", "", []string{rsaCA}, nil, certs.Sign, at, certs.StatusUntrusted},
		{"all of them expired", "alice.sign.crt", "", []string{rsaCA}, nil, certs.Sign, at.AddDate(40, 0, 0), certs.StatusExpired},
		{"before its time", "alice.sign.crt", "", []string{rsaCA}, nil, certs.Sign, at.AddDate(-10, 0, 0), certs.StatusTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := certs.NewValidator(vectors(t, c.anchors), nil)
			r := v.Validate(context.Background(), vector(t, "rfc9216/"+c.leaf), vectors(t, c.offered), c.purpose, c.address, c.at)
			checkResult(t, r, c.want, "")
		})
	}
}

func vectors(t *testing.T, names []string) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for _, name := range names {
		all = append(all, vector(t, name))
	}
	return all
}

// The certificates of RFC 4134 have keys of 1024 bits and SHA-1 or DSA signatures: weak in their own time.
func TestVectorsRFC4134(t *testing.T) {
	then := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		leaf, anchor string
		want         certs.Status
		reason       string
	}{
		{"AliceRSASignByCarl.cer", "CarlRSASelf.cer", certs.StatusWeak, "RSA key of 1024 bits"},
		{"BobRSASignByCarl.cer", "CarlRSASelf.cer", certs.StatusWeak, "signed with SHA1-RSA"},
		{"AliceDSSSignByCarlNoInherit.cer", "CarlDSSSelf.cer", certs.StatusWeak, "DSA"},
		{"AliceRSASignByCarl.cer", "CarlDSSSelf.cer", certs.StatusUntrusted, ""},
	} {
		t.Run(c.leaf+" by "+c.anchor, func(t *testing.T) {
			v := certs.NewValidator(vectors(t, []string{"rfc4134/" + c.anchor}), nil)
			checkResult(t, v.Validate(context.Background(), vector(t, "rfc4134/"+c.leaf), nil, certs.Any, "", then), c.want, c.reason)
		})
	}
}
