package bundle

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// writtenRounds are those of the key derivation in what is written in a modern form, about half a second of work.
const writtenRounds = 600_000

// ErrNoPassword says that a private key is written under a password only.
var ErrNoPassword = errors.New("certs/bundle: a private key is written under a password of at least 8 characters only")

// minPassword is the length of a password that is taken for one.
const minPassword = 8

// PEM writes certificates one after the other.
func PEM(all []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range all {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}

// KeyPEM writes a private key as encrypted PKCS#8 (RFC 5958, 3): PBES2 with PBKDF2 (HMAC-SHA-256, 600,000 rounds) and AES-256-CBC.
func KeyPEM(key crypto.PrivateKey, password secret.String) ([]byte, error) {
	if len(password.Reveal()) < minPassword {
		return nil, ErrNoPassword
	}
	plain, err := x509x.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	der, err := encryptKey(plain, password.Reveal(), writtenRounds)
	if err != nil {
		return nil, fmt.Errorf("certs/bundle: encrypt a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

// PKCS12 writes a private key with its certificate and chain under a password. Legacy is for programs from before about 2019 (Windows Server
// 2016, OpenSSL 1.0, macOS before 15): 3DES and HMAC-SHA-1, which is weak; else AES-256 and HMAC-SHA-256.
func PKCS12(key crypto.PrivateKey, c *x509.Certificate, chain []*x509.Certificate, password secret.String, legacy bool) ([]byte, error) {
	if len(password.Reveal()) < minPassword {
		return nil, ErrNoPassword
	}
	encoder := pkcs12.Modern2023.WithIterations(writtenRounds)
	if legacy {
		encoder = pkcs12.LegacyDES.WithIterations(oldRounds)
	}
	der, err := encoder.Encode(key, c, chain, password.Reveal())
	if err != nil {
		return nil, fmt.Errorf("certs/bundle: write PKCS#12: %w; write the key as PEM instead", err)
	}
	return der, nil
}

// oldRounds are those that old programs accept.
const oldRounds = 2048
