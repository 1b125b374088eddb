package dmda

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// Authority issues the certificates of simulated providers. Its key is made anew each time, and forgotten with the process unless somebody keeps its PEM.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	until       time.Time
}

// NewAuthority makes one that is valid for a year from now.
func NewAuthority(now time.Time) (*Authority, error) {
	a := &Authority{until: now.AddDate(1, 0, 0)}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	t := template("SIMULATED De-Mail authority", now, a.until)
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	a.Certificate, err = issue(t, t, &a.key.PublicKey, a.key)
	return a, err
}

// Sealer makes a key and a certificate for a simulated provider.
func (a *Authority) Sealer(name string, now time.Time) (demail.Sealer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return demail.Sealer{}, err
	}
	t := template("SIMULATED provider "+name, now, a.until)
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	c, err := issue(t, a.Certificate, &key.PublicKey, a.key)
	return demail.Sealer{Key: key, Certificate: c, Algorithm: demail.ECDSA}, err
}

func template(name string, from, until time.Time) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: []string{"SIMULATED, proves nothing"}, Country: []string{"DE"}},
		NotBefore: from.Add(-time.Hour), NotAfter: until, BasicConstraintsValid: true}
}

func issue(t, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, errors.New("dmda: the certificate of the simulation cannot be made")
	}
	return x509.ParseCertificate(der)
}
