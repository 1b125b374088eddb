package folder

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Contents is what files hold: certificates and private keys in the order in which they stand there.
type Contents struct {
	Certificates []*x509.Certificate
	Keys         []crypto.PrivateKey
}

// ErrBrainpool says that a private key lies on a Brainpool curve, and that Options do not let it be used.
var ErrBrainpool = errors.New("keys on Brainpool curves are not used without leave")

// Read reads one file that is named by itself, whatever its name: PEM, or in DER a certificate, a key or PKCS#12. Of o,
// Passwords and SoftwareBrainpool count; NAME.password beside the file counts as in a folder. The error says what is
// wrong with the file, and is for one that holds nothing of use as well.
func Read(path string, o Options) (Contents, error) {
	data, _, err := readBounded(path, maxFileSize)
	if err != nil {
		return Contents{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	var r FileReport
	c := content{brainpool: o.SoftwareBrainpool}
	c.parse(kindOf(data), data, func() []secret.String { return passwords(path, o.Passwords, &r) }, &r)
	var faults []error
	for _, f := range r.Findings {
		if f.Problem {
			faults = append(faults, fmt.Errorf("%s: %s", path, f.Text))
		}
	}
	switch {
	case c.refused:
		return Contents{}, fmt.Errorf("%w: %w", ErrBrainpool, errors.Join(faults...))
	case len(faults) > 0:
		return Contents{}, errors.Join(faults...)
	case len(c.certs)+len(c.keys) == 0:
		return Contents{}, fmt.Errorf("%s holds neither a certificate nor a key", path)
	}
	return Contents{c.certs, c.keys}, nil
}

// kindOf is a file name of the kind that the bytes are.
func kindOf(data []byte) string {
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return "a.pem"
	}
	if _, err := x509x.ParsePrivateKey(data); err == nil {
		return "a.key"
	}
	if _, err := x509x.Parse(data); err == nil {
		return "a.cer"
	}
	return "a.p12"
}

// Identities joins each private key with its certificates, in the order of the keys and then of the certificates. Chains are built of
// the CA certificates. Keys without a certificate are counted.
func (c Contents) Identities() (all []certs.Identity, without int) {
	issuers := newIssuers(c.Certificates)
	for _, key := range c.Keys {
		id, found := publicKeyID(public(key)), false
		for _, cert := range c.Certificates {
			if id != "" && id == publicKeyID(cert.PublicKey) {
				all, found = append(all, identity(cert, issuers.chain(cert), key)), true
			}
		}
		if !found {
			without++
		}
	}
	return all, without
}

// Add puts the contents of another file behind these, each certificate once.
func (c *Contents) Add(more Contents) {
	seen := map[string]bool{}
	for _, cert := range c.Certificates {
		seen[string(cert.Raw)] = true
	}
	for _, cert := range more.Certificates {
		if !seen[string(cert.Raw)] {
			seen[string(cert.Raw)] = true
			c.Certificates = append(c.Certificates, cert)
		}
	}
	c.Keys = append(c.Keys, more.Keys...)
}
