package stand

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
)

// Authority issues certificates for TLS servers on loopback.
type Authority struct{ ca *democa.CA }

// NewAuthority makes one.
func NewAuthority() (*Authority, error) {
	ca, err := democa.NewCA(time.Now())
	return &Authority{ca}, err
}

// PEM is its own certificate.
func (a *Authority) PEM() []byte { return democa.CertificatePEM(a.ca.Certificate()) }

// Pool believes it alone.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.ca.Certificate())
	return p
}

// Server issues a certificate for localhost and 127.0.0.1, and returns it and its key as PEM.
func (a *Authority) Server() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	id, err := a.ca.Issue("", democa.Options{Key: private, Alter: func(t *x509.Certificate) {
		t.Subject.CommonName, t.EmailAddresses, t.Policies = "localhost", nil, nil
		t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}})
	if err != nil {
		return nil, nil, err
	}
	key, err = democa.KeyPEM(id.Key)
	return democa.CertificatePEM(id.Certificate), key, err
}
