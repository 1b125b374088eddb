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
		r.Problem("its password takes more than %d rounds to check; export the key again with fewer", maxRounds)
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

// decodePKCS12 reads the files that OpenSSL and Windows write as they are, and takes others apart.
func decodePKCS12(data []byte, password string) ([]*x509.Certificate, []any, error) {
	key, cert, chain, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		return append([]*x509.Certificate{cert}, chain...), []any{key}, nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return nil, nil, pkcs12.ErrIncorrectPassword
	}
	// The library verifies the file's MAC, and with it the password, before it looks at the parts.
	if certs, keys, splitErr := decodeApart(data, password); splitErr == nil {
		return certs, keys, nil
	}
	certs, keys, bagErr := decodeBags(data, password)
	if errors.Is(bagErr, errPassword) { // the file has no MAC
		return nil, nil, pkcs12.ErrIncorrectPassword
	}
	if bagErr != nil {
		return nil, nil, err
	}
	return certs, keys, nil
}
