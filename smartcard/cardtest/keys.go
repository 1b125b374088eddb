package cardtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// Use is what a key on a card is for.
type Use int

// The uses.
const (
	Authentication Use = iota
	Signature          // non-repudiation: its holder wants to be bound by it
	Encryption
	CardAuthentication // proves the card itself, without PIN
)

// String names the use.
func (u Use) String() string {
	switch u {
	case Signature:
		return "signature"
	case Encryption:
		return "encryption"
	case CardAuthentication:
		return "card authentication"
	}
	return "authentication"
}

// Issue makes the certificate of a key on a card, in DER.
type Issue func(use Use, key crypto.PublicKey) ([]byte, error)

// holder is the address in certificates of simulated cards.
const holder = "simulated.card@example.org"

// SimulatedCA is an authority that issues certificates for simulated cards from now on for a year, and says in its name what it is.
func SimulatedCA(now time.Time) (Issue, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated smart card CA"}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	return func(use Use, public crypto.PublicKey) ([]byte, error) {
		serial, err := keyID(public)
		if err != nil {
			return nil, err
		}
		t := &x509.Certificate{
			SerialNumber: new(big.Int).SetBytes(serial[:8]), Subject: pkix.Name{CommonName: "Simulated card: " + use.String()},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: usage(use, public), EmailAddresses: []string{holder},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		}
		if use == Authentication {
			t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		}
		return x509.CreateCertificate(rand.Reader, t, ca, public, key)
	}, nil
}

func usage(use Use, public crypto.PublicKey) x509.KeyUsage {
	switch use {
	case Signature:
		return x509.KeyUsageContentCommitment
	case Encryption:
		if _, ok := public.(*ecdsa.PublicKey); ok {
			return x509.KeyUsageKeyAgreement
		}
		return x509.KeyUsageKeyEncipherment
	}
	return x509.KeyUsageDigitalSignature
}

// keyID tells keys apart.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	sum[0] &= 0x7F // serial numbers are positive
	return sum[:], nil
}

// rawRSA is the bare operation with the private key on a number below the modulus, as cards do it: what pads is outside. It does not
// take constant time, which a simulation need not.
func rawRSA(key *rsa.PrivateKey, in []byte) ([]byte, bool) {
	m := new(big.Int).SetBytes(in)
	if len(in) != key.Size() || m.Cmp(key.N) >= 0 {
		return nil, false
	}
	return new(big.Int).Exp(m, key.D, key.N).FillBytes(make([]byte, key.Size())), true
}

// agree is the shared secret of a key and a point, both on its curve.
func agree(key *ecdsa.PrivateKey, point []byte) ([]byte, bool) {
	private, err := key.ECDH()
	if err != nil {
		return nil, false
	}
	public, err := private.Curve().NewPublicKey(point)
	if err != nil {
		return nil, false
	}
	shared, err := private.ECDH(public)
	return shared, err == nil
}

// point is a public key on its curve, uncompressed.
func point(key *ecdsa.PublicKey) []byte {
	public, err := key.ECDH()
	if err != nil {
		return nil
	}
	return public.Bytes()
}

// digits tells whether s is n to m decimal digits.
func digits(s string, n, m int) error {
	if len(s) < n || len(s) > m {
		return fmt.Errorf("cardtest: a PIN or PUK of %d to %d digits is needed", n, m)
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return fmt.Errorf("cardtest: a PIN or PUK is made of digits")
		}
	}
	return nil
}
