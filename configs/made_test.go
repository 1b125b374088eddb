package configs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// now is the time of all tests.
var now = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

// options are those of tests: a fixed time, a process that may open every port, and no environment.
func options(environ ...string) Options {
	return Options{
		Environ: append([]string{}, environ...),
		Now:     func() time.Time { return now },
		CanBind: func(int) bool { return true },
		// What the machine has is of no concern here.
		ResolvConf: filepath.Join("testdata", "resolv.conf"),
		PCSC:       func() bool { return true },
	}
}

// makeFiles puts into dir what configurations in tests name: keys, certificates and folders.
//
//	at-rest.key   a key for mail at rest
//	good.pem .key a certificate for mail.firma.example and its key
//	other.key     a key that belongs to no certificate
//	both.pem      certificate and key in one file
//	ended.pem soon.pem later.pem  certificates of good.key that ended, end in ten days, begin tomorrow
//	wrong.pem     a certificate of good.key for another name
//	dkim.key dkim-1024.key  keys for DKIM, Ed25519 and short RSA
//	relay.password, open.password  a password; the latter can be read by every user
//	outlook-users a user of the add-in for Outlook
//	certificates/ trust/ state/    folders
func makeFiles(t testing.TB, dir string) {
	t.Helper()
	write := func(name string, mode os.FileMode, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"certificates", "trust", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("at-rest.key", 0o600, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n")
	write("relay.password", 0o600, "planted-secret\n")
	write("open.password", 0o644, "planted-secret\n")
	write("outlook-users", 0o644, "5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f: alice@firma.example, info@firma.example\n")
	write("dkim.key", 0o600, dkimEd25519())
	write("dkim-1024.key", 0o600, dkimRSA1024())
	key, other := newKey(t), newKey(t)
	write("good.key", 0o600, keyPEM(t, key))
	write("other.key", 0o600, keyPEM(t, other))
	day := 24 * time.Hour
	good := certificate(t, key, "mail.firma.example", now.Add(-day), now.Add(300*day))
	write("good.pem", 0o644, good)
	write("both.pem", 0o600, good+keyPEM(t, key))
	write("ended.pem", 0o644, certificate(t, key, "mail.firma.example", now.Add(-9*day), now.Add(-2*day)))
	write("soon.pem", 0o644, certificate(t, key, "mail.firma.example", now.Add(-9*day), now.Add(10*day)))
	write("later.pem", 0o644, certificate(t, key, "mail.firma.example", now.Add(day), now.Add(300*day)))
	write("wrong.pem", 0o644, certificate(t, key, "www.firma.example", now.Add(-day), now.Add(300*day)))
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyPEM(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func certificate(t testing.TB, key *ecdsa.PrivateKey, name string, from, to time.Time) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    from,
		NotAfter:     to,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
