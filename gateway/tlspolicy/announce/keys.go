package announce

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrKey is wrapped by the errors of PublicKeys.
var ErrKey = errors.New("announce: the file cannot be used")

// PublicKeys are the public keys in PEM, as SubjectPublicKeyInfo in DER: of certificates, of requests for one, and keys themselves, private
// ones too. At least one is there where the error is nil. Of several certificates only the first counts: the others are above it.
func PublicKeys(text []byte) ([][]byte, error) {
	var all [][]byte
	certified := false
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if isCertificate := block.Type == "CERTIFICATE"; isCertificate {
			if certified {
				continue
			}
			certified = true
		}
		key, err := publicKey(block)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		if key != nil {
			all = append(all, key)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: it holds no certificate, request or key in PEM", ErrKey)
	}
	return all, nil
}

// publicKey is that of one block; nil where it has none, as parameters of curves.
func publicKey(block *pem.Block) ([]byte, error) {
	var private any
	var err error
	switch block.Type {
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.RawSubjectPublicKeyInfo, nil
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		r, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, err
		}
		return r.RawSubjectPublicKeyInfo, nil
	case "PUBLIC KEY":
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return nil, err
		}
		return block.Bytes, nil
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the private key is encrypted; give its certificate, its request or its public key")
	default:
		return nil, nil
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read") // the library's words may hold some of it
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key is of a kind that cannot be used for TLS")
	}
	return x509.MarshalPKIXPublicKey(signer.Public())
}
