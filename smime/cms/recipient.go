package cms

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// Recipient is someone to encrypt for. The key in the certificate decides how the content key travels: an RSA
// key has it encrypted (RFC 5652, 6.2.1), a key on an elliptic curve agrees on a key to wrap it with
// (RFC 5652, 6.2.2; RFC 5753; RFC 8418).
type Recipient struct {
	Certificate *x509.Certificate
	OAEP        *OAEPOptions // nil: PKCS #1 v1.5. It means RSA keys only
}

// OAEPOptions are the parameters of RSAES-OAEP (RFC 3560, RFC 4055, 4.1). The zero value is SHA-256 throughout
// without a label, which every program that has OAEP reads.
type OAEPOptions struct {
	Hash    crypto.Hash // SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512; zero: SHA-256
	MGFHash crypto.Hash // of the mask generation function; zero: the same as Hash
	Label   []byte
}

// withDefaults are the options as crypto/rsa takes them.
func (o OAEPOptions) withDefaults() (*rsa.OAEPOptions, error) {
	if o.Hash == 0 {
		o.Hash = crypto.SHA256
	}
	if o.MGFHash == 0 {
		o.MGFHash = o.Hash
	}
	for _, h := range []crypto.Hash{o.Hash, o.MGFHash} {
		if d, ok := digestByHash(h); !ok || d.hash == crypto.MD5 {
			return nil, fmt.Errorf("%w: RSAES-OAEP with %v", ErrUnsupported, h)
		}
	}
	return &rsa.OAEPOptions{Hash: o.Hash, MGFHash: o.MGFHash, Label: o.Label}, nil
}
