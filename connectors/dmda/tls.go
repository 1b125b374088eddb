package dmda

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"time"
)

// Server makes a key and a certificate for a simulated provider's TLS, good for these host names and IP addresses. It is RSA, as old suites demand.
func (a *Authority) Server(now time.Time, hosts ...string) (tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := template("SIMULATED server", now, a.until)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return a.pair(t, key)
}

// Client makes a key and a certificate that somebody logs in with. It is RSA: OpenSSL refuses clients' keys on other curves than those that it exchanges keys by,
// which may be P-521 alone.
func (a *Authority) Client(now time.Time, name string) (tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	return a.ClientOf(now, name, key)
}

// ClientOf makes a certificate for a key that is there already, as on a card.
func (a *Authority) ClientOf(now time.Time, name string, key crypto.Signer) (tls.Certificate, error) {
	t := template("SIMULATED client "+name, now, a.until)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.pair(t, key)
}

func (a *Authority) pair(t *x509.Certificate, key crypto.Signer) (tls.Certificate, error) {
	c, err := issue(t, a.Certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}, nil
}

// PEM is the key of the authority and its certificate, in one text, which ReadAuthority reads.
func (a *Authority) PEM() ([]byte, error) {
	key, err := KeyPEM(tls.Certificate{PrivateKey: a.key})
	return append(key, CertificatePEM(a.Certificate)...), err
}

// CertificatePEM writes a certificate.
func CertificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// KeyPEM writes the key of a certificate, if it is one that can leave its place.
func KeyPEM(c tls.Certificate) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), nil
}

// ReadAuthority makes again the authority that PEM wrote down.
func ReadAuthority(text []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, errors.New("dmda: this is no authority of the simulation: a key and a certificate in PEM")
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("dmda: the certificate is no authority's of the simulation")
	}
	return &Authority{Certificate: pair.Leaf, key: key, until: pair.Leaf.NotAfter}, nil
}
