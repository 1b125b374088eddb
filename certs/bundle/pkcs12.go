package bundle

import (
	"crypto/x509"
	"errors"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
)

// maxPKCS12 bounds a PKCS#12 file: a key with its chain is some ten kilobytes.
const maxPKCS12 = 1 << 20

func (c *content) pkcs12(data []byte, passwords []secret.String, r *FileReport) {
	if len(data) > maxPKCS12 {
		r.Problem("it is larger than %d bytes, more than a key and its chain take; export the key alone with its chain", maxPKCS12)
		return
	}
	data, err := toDER(data)
	switch {
	case err != nil:
		r.Problem("the file is damaged or not PKCS#12; export the key again")
		return
	case !affordable(data):
		r.Problem("%v; export the key again with fewer", errRounds)
		return
	}
	for _, p := range passwords {
		certs, keys, err := decodePKCS12(data, p.Reveal())
		switch {
		case err == nil:
			for _, cert := range certs {
				c.certificate(cert.Raw, r) // anew, for the kinds of keys that the library leaves out
			}
			for _, key := range keys {
				c.key(key, nil, r)
			}
			return
		case !errors.Is(err, pkcs12.ErrIncorrectPassword):
			r.Problem("it cannot be read: %s; export the key again, or %s", safetext.Line(err.Error(), 120), howToConvert)
			return
		}
	}
	r.Problem("no password known fits; put the right one into a file of the same name with %s after it", PasswordSuffix)
}

// decodePKCS12 has the library verify the MAC, and with it the password, and takes the file apart then.
func decodePKCS12(data []byte, password string) ([]*x509.Certificate, []any, error) {
	// A list of trusted certificates holds no keys: whatever is in the file, none is derived for it.
	_, err := pkcs12.DecodeTrustStore(data, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return nil, nil, pkcs12.ErrIncorrectPassword
	}
	certs, keys, err := decodeApart(data, password)
	if err == nil || errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return certs, keys, err
	}
	certs, keys, bagErr := decodeBags(data, password)
	switch {
	case errors.Is(bagErr, errPassword): // the file has no MAC
		return nil, nil, pkcs12.ErrIncorrectPassword
	case errors.Is(bagErr, errRounds):
		return nil, nil, bagErr
	case bagErr != nil:
		return nil, nil, err
	}
	return certs, keys, nil
}
