package x509x

//lint:file-ignore SA1019 the standard library offers nothing else for curves that are not of NIST

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MarshalPrivateKey writes a private key as PKCS#8 (RFC 5958) in DER, as x509.MarshalPKCS8PrivateKey does, and beyond it
// keys on the Brainpool curves. ParsePrivateKey reads what it writes.
func MarshalPrivateKey(key crypto.PrivateKey) ([]byte, error) {
	if ec, ok := key.(*ecdsa.PrivateKey); ok && Brainpool(ec.Curve) {
		return marshalBrainpoolPrivate(ec)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// marshalBrainpoolPrivate writes a PrivateKeyInfo with an ECPrivateKey (RFC 5915, 3) and its public key.
func marshalBrainpoolPrivate(key *ecdsa.PrivateKey) ([]byte, error) {
	var b cryptobyte.Builder
	for _, c := range curves() {
		if c.curve != key.Curve {
			continue
		}
		secret := key.D.FillBytes(make([]byte, (key.Params().N.BitLen()+7)/8))
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidEC())
				b.AddASN1ObjectIdentifier(c.oid)
			})
			b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(1)
					b.AddASN1OctetString(secret)
					b.AddASN1(context(1).Constructed(), func(b *cryptobyte.Builder) { b.AddASN1BitString(MarshalPoint(&key.PublicKey)) })
				})
			})
		})
		clear(secret)
	}
	return b.Bytes()
}
