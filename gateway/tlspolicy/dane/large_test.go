package dane_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
)

// many is an RSA key whose modulus is the product of many small primes: such a one of any size is soon made.
type many struct {
	public  rsa.PublicKey
	private *big.Int
}

func newMany(t *testing.T, bits int) many {
	t.Helper()
	const each = 512
	n, phi, one := big.NewInt(1), big.NewInt(1), big.NewInt(1)
	e := big.NewInt(65537)
	for n.BitLen() < bits {
		p, err := rand.Prime(rand.Reader, each)
		if err != nil {
			t.Fatal(err)
		}
		less := new(big.Int).Sub(p, one)
		if new(big.Int).Mod(less, e).Sign() == 0 {
			continue
		}
		n.Mul(n, p)
		phi.Mul(phi, less)
	}
	return many{rsa.PublicKey{N: n, E: int(e.Int64())}, new(big.Int).ModInverse(e, phi)}
}

// Public implements crypto.Signer.
func (m many) Public() crypto.PublicKey { return &m.public }

// Sign signs a digest of SHA-256 (RFC 8017, 8.2.1).
func (m many) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	info := append([]byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"), digest...)
	padded := make([]byte, m.public.Size())
	for i := range padded {
		padded[i] = 0xff
	}
	padded[0], padded[1], padded[len(padded)-len(info)-1] = 0, 1, 0
	copy(padded[len(padded)-len(info):], info)
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), m.private, m.public.N).FillBytes(padded), nil
}

// The key in a record may be as large as a record can be, and who publishes it chooses how long each look at it takes: beyond what crypto/tls takes
// from a certificate it is no authority. That the records count all the same is not changed by it.
func TestLargeKeyOfRecord(t *testing.T) {
	key := newMany(t, 9000)
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "large"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: root.NotBefore, NotAfter: root.NotAfter, SignatureAlgorithm: x509.SHA256WithRSA}
	small := newMany(t, 1024)
	certificate := func(template *x509.Certificate, public any) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, template, root, public, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	authority, server := certificate(root, &key.public), certificate(leaf, &small.public)
	for _, selector := range []uint8{dane.SelectorCert, dane.SelectorSPKI} {
		record := dane.Of(authority, dane.UsageTA, selector, dane.MatchFull)
		for _, chain := range [][]*x509.Certificate{{server}, {server, authority}} {
			p := policy(t, record)
			if !p.Authenticates() {
				t.Error("the record does not count")
			}
			if _, err := p.Verify(chain, now); !errors.Is(err, dane.ErrNoMatch) {
				t.Errorf("selector %d, %d certificates: %v", selector, len(chain), err)
			}
		}
	}
	if _, err := policy(t, dane.Of(server, dane.UsageEE, dane.SelectorSPKI, dane.MatchFull)).Verify([]*x509.Certificate{server}, now); err != nil {
		t.Error(err)
	}
}
