package certs

import (
	"bytes"
	"crypto/x509"
	"math/big"
)

// KeyID says whose key opens a message: either Issuer and Serial are set, or SubjectKeyID is (RFC 5652, 6.2.1).
type KeyID struct {
	Issuer       []byte // DER of the issuer's Name
	Serial       *big.Int
	SubjectKeyID []byte
}

// KeyIDOf is the KeyID of a certificate by its issuer and serial number.
func KeyIDOf(c *x509.Certificate) KeyID {
	return KeyID{Issuer: c.RawIssuer, Serial: c.SerialNumber}
}

// Matches reports whether id means c, which may be nil.
func (id KeyID) Matches(c *x509.Certificate) bool {
	switch {
	case c == nil:
		return false
	case id.SubjectKeyID != nil:
		return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, c.SubjectKeyId)
	}
	return id.Serial != nil && c.SerialNumber != nil && id.Serial.Cmp(c.SerialNumber) == 0 && bytes.Equal(id.Issuer, c.RawIssuer)
}
