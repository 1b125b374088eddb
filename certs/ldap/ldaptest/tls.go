package ldaptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// TLS is an authority made for one test, and a certificate of it for 127.0.0.1 and localhost.
type TLS struct {
	Authority, Certificate, Key []byte // PEM
	Issuer                      *x509.Certificate
	Roots                       *x509.CertPool
	Client                      tls.Certificate // of CN=gateway
	ClientCertificate           []byte          // of it, PEM
	ClientKey                   []byte
}

// NewTLS makes one.
func NewTLS(t testing.TB) *TLS {
	t.Helper()
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey := newKey(t)
	der := create(t, root, root, rootKey, rootKey)
	issuer, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	out := &TLS{Authority: block("CERTIFICATE", der), Issuer: issuer, Roots: x509.NewCertPool()}
	out.Roots.AddCert(issuer)
	out.Certificate, out.Key = out.leaf(t, issuer, rootKey, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	out.ClientCertificate, out.ClientKey = out.leaf(t, issuer, rootKey, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "gateway"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if out.Client, err = tls.X509KeyPair(out.ClientCertificate, out.ClientKey); err != nil {
		t.Fatal(err)
	}
	return out
}

func (*TLS) leaf(t testing.TB, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey, c *x509.Certificate) (certificate, key []byte) {
	t.Helper()
	c.NotBefore, c.NotAfter, c.KeyUsage = issuer.NotBefore, issuer.NotAfter, x509.KeyUsageDigitalSignature
	k := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", create(t, c, issuer, k, issuerKey)), block("PRIVATE KEY", der)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func create(t testing.TB, c, issuer *x509.Certificate, key, issuerKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Config believes the authority and shows the client's certificate.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{RootCAs: t.Roots, Certificates: []tls.Certificate{t.Client}, MinVersion: tls.VersionTLS12}
}

// Unverified is a configuration that nobody must take.
func Unverified() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }
