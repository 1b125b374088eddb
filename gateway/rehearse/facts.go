package rehearse

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// people are those of whom something is assumed. They implement certs.Finder, protect.Groups and dispatch.Groups.
type people struct{ Facts }

// Signing implements certs.Finder.
func (p people) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	c, err := p.Recipient(ctx, address, now)
	if err != nil {
		return certs.Identity{}, err
	}
	return certs.Identity{Certificate: c, Key: noKey{c.PublicKey}}, nil
}

// Recipient implements certs.Finder.
func (p people) Recipient(_ context.Context, address string, now time.Time) (*x509.Certificate, error) {
	a, err := mail.ParseAddress(address)
	if err != nil || !p.Certificates.Match(a) {
		return nil, certs.ErrNotFound
	}
	return &x509.Certificate{
		SerialNumber: new(big.Int), Subject: pkix.Name{CommonName: "assumed"}, EmailAddresses: []string{address}, PublicKeyAlgorithm: x509.RSA, PublicKey: modulus(),
		SignatureAlgorithm: x509.SHA256WithRSA, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}, nil
}

// Decryption implements certs.Finder.
func (p people) Decryption(context.Context, []certs.KeyID) ([]certs.Identity, error) { return nil, nil }

// In implements protect.Groups and dispatch.Groups.
func (p people) In(_ context.Context, who mail.Address, names []string) (in []string, err error) {
	for _, name := range names {
		for group, members := range p.Groups {
			if strings.EqualFold(group, name) && members.Match(who) {
				in = append(in, name)
				break
			}
		}
	}
	return in, nil
}

// modulus is a public key of a size that every profile takes. Nobody has its private key, and nothing is encrypted to it.
func modulus() *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 3071)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

// noKey stands where a key would, and does nothing.
type noKey struct{ public crypto.PublicKey }

// Public implements crypto.Signer.
func (k noKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer.
func (noKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("rehearse: nothing is signed")
}

// namesake is a directory in which everybody has the De-Mail address of the same name.
type namesake struct{ domain string }

// DeMail implements dispatch.Lookup.
func (n namesake) DeMail(_ context.Context, from mail.Address) (string, error) {
	if n.domain == "" {
		return "", nil
	}
	return from.Local + "@" + n.domain, nil
}

// purse is a budget of which nothing was spent.
type purse struct{}

// Spend implements dispatch.Budget.
func (purse) Spend(_ context.Context, _ string, _ time.Time, messages, limit int) (int, bool, error) {
	return limit - messages, limit == 0 || messages <= limit, nil
}

// Spent implements dispatch.Budget.
func (purse) Spent(context.Context, string, time.Time) (int, error) { return 0, nil }
