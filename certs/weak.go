package certs

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 only to say that a path rests on it, never to accept one
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// The least strength of keys, in bits (RFC 8551, 2.3; CA/Browser Forum S/MIME requirements, 6.1.5).
const (
	minRSA = 2048
	minEC  = 256
)

const newOne = "its owner must get a new certificate"

func weakKey(c *x509.Certificate) []Fault {
	var what string
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSA {
			what = fmt.Sprintf("an RSA key of %d bits, fewer than %d", n, minRSA)
		}
	case *ecdsa.PublicKey:
		if n := key.Params().BitSize; n < minEC {
			what = fmt.Sprintf("an elliptic curve key of %d bits, fewer than %d", n, minEC)
		}
	case *dsa.PublicKey:
		what = "a DSA key, which is no longer accepted"
	}
	if what == "" {
		return nil
	}
	return []Fault{flaw(StatusWeak, c, CheckStrength, "has "+what, newOne)}
}

func weakSignature(c *x509.Certificate) []Fault {
	fault := func(how string) []Fault {
		return []Fault{flaw(StatusWeak, c, CheckStrength, "is signed with "+how+", which can be forged", newOne)}
	}
	if p, ok := x509x.SignaturePSS(c); ok && (p.Hash == crypto.SHA1 || p.MGFHash == crypto.SHA1) {
		return fault("RSASSA-PSS over SHA-1")
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return fault(c.SignatureAlgorithm.String())
	}
	return nil
}

// restrictionFaults says where the key of an issuer made a signature it is not for (RFC 4055, 1.2 and 3.3).
func restrictionFaults(c, issuer *x509.Certificate) []Fault {
	r, err := x509x.RestrictionOf(issuer)
	if err == nil && !r.PSSOnly {
		return nil
	}
	p, ok := x509x.SignaturePSS(c)
	if err == nil && ok && r.Allows(p) {
		return nil
	}
	return []Fault{flaw(StatusUntrusted, c, CheckSignature, "is signed in a way that the key of "+describe(issuer)+" is not for, by what its certificate says", "ask the issuer for another one")}
}
