package mailauth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Algorithm is the kind of a DKIM key, in the words of k= (RFC 6376, 3.6.1; RFC 8463, 4).
type Algorithm string

// The algorithms.
const (
	RSA     Algorithm = "rsa"
	Ed25519 Algorithm = "ed25519"
)

// NewKey makes a key. bits is the size of an RSA key, from 2048 to 4096 (RFC 8301, 3.2); Ed25519 has but one.
func NewKey(a Algorithm, bits int) (crypto.Signer, error) {
	switch {
	case a == Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case a != RSA:
		return nil, fmt.Errorf("%w: the kind of a key is rsa or ed25519, not %.20q", ErrSigner, a)
	case bits < 2048 || bits > 4096:
		return nil, fmt.Errorf("%w: an RSA key has 2048 to 4096 bits, not %d", ErrSigner, bits)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// KeyPEM is a key as [ParseKey] reads it: PKCS#8 in PEM.
func KeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSigner, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads a private key in PEM, as OpenSSL, opendkim-genkey and `siegel dkim new` write it: PKCS#8, or
// PKCS#1 for RSA. There must be exactly one. Its errors wrap [ErrSigner] and say what to do; they never hold any
// of the text.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: there is no PEM private key; make one with siegel dkim new", ErrSigner)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, fmt.Errorf("%w: there is more than one PEM block; leave the private key alone in it", ErrSigner)
	}
	if block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, fmt.Errorf("%w: the key is encrypted; remove its password with: openssl pkey -in OLD -out NEW", ErrSigner)
	}
	key, err := parseDER(block)
	if err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return key, nil
}

func parseDER(block *pem.Block) (crypto.Signer, error) {
	switch block.Type {
	case "RSA PRIVATE KEY":
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			return signer, nil
		}
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return nil, fmt.Errorf("%w: this is the public half; give the private key", ErrSigner)
	}
	return nil, fmt.Errorf("%w: the PEM block is no RSA or Ed25519 private key that can be read", ErrSigner)
}

// ZoneLine is a TXT record as it stands in a zone file (RFC 1035, 5.1), its text in strings of at most 255 octets
// (RFC 1035, 3.3), which readers join (RFC 6376, 3.6.2.2). A long one stands in parentheses, one string a line.
func ZoneLine(name, text string) string {
	const most = 255
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s. IN TXT", name)
	if len(text) <= most {
		return b.String() + ` "` + text + "\"\n"
	}
	b.WriteString(" (")
	for ; text != ""; text = text[min(most, len(text)):] {
		fmt.Fprintf(&b, "\n\t\"%s\"", text[:min(most, len(text))])
	}
	b.WriteString(" )\n")
	return b.String()
}
