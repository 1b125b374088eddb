// Package tlstest makes certificates for tests of TLS and runs OpenSSL and GnuTLS as the other end. It is for tests alone.
package tlstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Kind is the kind and size of a key.
type Kind string

// The kinds.
const (
	RSA1024 Kind = "rsa1024"
	RSA2048 Kind = "rsa2048"
	RSA3072 Kind = "rsa3072"
	P256    Kind = "p256"
	P384    Kind = "p384"
	P521    Kind = "p521"
	Ed25519 Kind = "ed25519"
)

// CA issues certificates. It is used by one goroutine at a time.
type CA struct {
	Certificate *x509.Certificate
	File        string // of the certificate, PEM
	tb          testing.TB
	dir         string
	key         crypto.Signer
	serial      int64
}

// Pair is a certificate with its key, in memory and as files.
type Pair struct {
	tls.Certificate
	CertFile, KeyFile string
}

// NewCA returns an authority whose own key is of a kind.
func NewCA(tb testing.TB, kind Kind) *CA {
	tb.Helper()
	ca := &CA{tb: tb, dir: tb.TempDir(), key: Key(tb, kind)}
	template := ca.template("authority of a test, " + string(kind))
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	ca.must(err)
	ca.Certificate, err = x509.ParseCertificate(der)
	ca.must(err)
	ca.File = ca.write("ca.pem", "CERTIFICATE", der)
	return ca
}

// Pool holds the authority.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// Issue returns a certificate for names and addresses, with a key of a kind. alter, where it is not nil, changes the template.
func (ca *CA) Issue(kind Kind, alter func(*x509.Certificate), names ...string) Pair {
	ca.tb.Helper()
	key := Key(ca.tb, kind)
	template := ca.template(names[0])
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	if alter != nil {
		alter(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.key)
	ca.must(err)
	leaf, err := x509.ParseCertificate(der)
	ca.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ca.must(err)
	name := template.SerialNumber.String()
	return Pair{
		Certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf},
		CertFile:    ca.write(name+".pem", "CERTIFICATE", der), KeyFile: ca.write(name+".key", "PRIVATE KEY", private),
	}
}

func (ca *CA) template(name string) *x509.Certificate {
	ca.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func (ca *CA) write(name, block string, der []byte) string {
	ca.tb.Helper()
	file := filepath.Join(ca.dir, name)
	ca.must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der}), 0o600))
	return file
}

func (ca *CA) must(err error) {
	ca.tb.Helper()
	if err != nil {
		ca.tb.Fatal(err)
	}
}

// Key makes a key of a kind.
func Key(tb testing.TB, kind Kind) crypto.Signer {
	tb.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case RSA1024:
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	case P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		tb.Fatalf("tlstest: no kind of key is called %q", kind)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
