package dane_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// issued is a certificate with its key and those above it.
type issued struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	above []*x509.Certificate
}

// chain is what its server shows: with all authorities, the root as well.
func (i issued) chain() []*x509.Certificate {
	return append([]*x509.Certificate{i.cert}, i.above...)
}

// pair is the chain for a server, without the last skip authorities.
func (i issued) pair(skip int) tls.Certificate {
	pair := tls.Certificate{PrivateKey: i.key, Leaf: i.cert}
	all := i.chain()
	for _, c := range all[:len(all)-skip] {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair
}

// kind is what a certificate is to be.
type kind struct {
	cn      string
	names   []string
	ca      bool
	expired bool
}

// issue makes a certificate under an issuer; nil: self-signed.
func issue(t testing.TB, k kind, by *issued) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: k.cn}, NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		DNSNames: k.names, BasicConstraintsValid: true, IsCA: k.ca, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if k.expired {
		template.NotAfter = now.Add(-time.Hour)
	}
	if k.ca {
		template.KeyUsage = x509.KeyUsageCertSign
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	parent, signer, above := template, key, []*x509.Certificate(nil)
	if by != nil {
		parent, signer, above = by.cert, by.key, by.chain()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key, above}
}
