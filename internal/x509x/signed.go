package x509x

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// SignatureAlgorithm reads an AlgorithmIdentifier, as an element of DER, that names how something is signed;
// x509.UnknownSignatureAlgorithm where crypto/x509 does not know it.
func SignatureAlgorithm(element []byte) x509.SignatureAlgorithm {
	// crypto/x509 tells it only of what it parses: the smallest list that is signed so.
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddBytes(element)
			b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
			b.AddASN1(cbasn1.UTCTime, func(b *cryptobyte.Builder) { b.AddBytes([]byte("700101000000Z")) })
		})
		b.AddBytes(element)
		b.AddASN1BitString([]byte{0})
	})
	der, err := b.Bytes()
	if err != nil {
		return x509.UnknownSignatureAlgorithm
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		return x509.UnknownSignatureAlgorithm
	}
	return crl.SignatureAlgorithm
}

// CheckSignedBy verifies that the key of a certificate signed a structure in the form of X.509: SEQUENCE { tbs, algorithm,
// signature, ... }. It takes what CheckSignatureFrom takes, but neither MD5 nor SHA-1, and looks at no other rights of the certificate than
// those of its key.
func CheckSignedBy(signer *x509.Certificate, der []byte) error {
	input := cryptobyte.String(der)
	var outer, tbs, algorithm cryptobyte.String
	var signature []byte
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) ||
		!outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !outer.ReadASN1BitStringAsBytes(&signature) {
		return ErrSignature
	}
	how := SignatureAlgorithm(algorithm)
	switch {
	case how == x509.UnknownSignatureAlgorithm:
		return checkPSS(signer, der, tbs, signature)
	case WeakSignature(how):
		return ErrSignature
	}
	if err := signer.CheckSignature(how, tbs, signature); err != nil {
		return ErrSignature
	}
	return allowed(signer, der)
}

// WeakSignature reports whether signatures made so can be forged.
func WeakSignature(how x509.SignatureAlgorithm) bool {
	switch how {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return true
	}
	return false
}
