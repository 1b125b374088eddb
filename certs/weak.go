package certs

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 only to say that a path rests on it, never to accept one
	"crypto/ecdsa"
	_ "crypto/md5"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// The least strength of keys, in bits (RFC 8551, 2.3; CA/Browser Forum S/MIME requirements, 6.1.5).
const (
	minRSA = 2048
	minEC  = 256
)

func weakKey(c *x509.Certificate) []finding {
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
	return []finding{{StatusWeak, describe(c) + " has " + what + "; its owner must get a new certificate"}}
}

func weakSignature(c *x509.Certificate) []finding {
	if p, ok := x509x.SignaturePSS(c); ok && (p.Hash == crypto.SHA1 || p.MGFHash == crypto.SHA1) {
		return []finding{{StatusWeak, describe(c) + " is signed with RSASSA-PSS over SHA-1, which can be forged; its owner must get a new certificate"}}
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return []finding{{StatusWeak, describe(c) + " is signed with " + c.SignatureAlgorithm.String() + ", which can be forged; its owner must get a new certificate"}}
	}
	return nil
}

// restrictionFaults says where the key of an issuer made a signature it is not for (RFC 4055, 1.2 and 3.3).
func restrictionFaults(c, issuer *x509.Certificate) []finding {
	r, err := x509x.RestrictionOf(issuer)
	if err == nil && !r.PSSOnly {
		return nil
	}
	p, ok := x509x.SignaturePSS(c)
	if err == nil && ok && r.Allows(p) {
		return nil
	}
	return []finding{{StatusUntrusted, describe(c) + " is signed in a way that the key of " + describe(issuer) + " is not for, by what its certificate says; ask the issuer for another one"}}
}

// maxWeakSteps bounds the signatures checked in the search for weak links.
const maxWeakSteps = 50

// weakPath explains why crypto/x509 found no path: where the signatures lead from leaf to an anchor all the
// same, it returns the links that are too weak to be accepted.
func (v *Validator) weakPath(leaf *x509.Certificate, intermediates []*x509.Certificate) []finding {
	s := weakSearch{v: v, offered: bySubject{}, seen: map[string]bool{}}
	s.offered.add(intermediates)
	found, _ := s.climb(leaf)
	return found
}

type weakSearch struct {
	v       *Validator
	offered bySubject
	seen    map[string]bool
	steps   int
}

// climb returns the weak links from c upwards, and whether an anchor was reached.
func (s *weakSearch) climb(c *x509.Certificate) ([]finding, bool) {
	if s.v.isAnchor[string(c.Raw)] {
		return weakKey(c), true
	}
	if s.seen[string(c.Raw)] {
		return nil, false
	}
	s.seen[string(c.Raw)] = true
	links := append(weakKey(c), weakSignature(c)...)
	for _, from := range []bySubject{s.v.known, s.offered} {
		for _, issuer := range from[string(c.RawIssuer)] {
			if s.steps++; s.steps > maxWeakSteps {
				return nil, false
			}
			if !signed(issuer, c) {
				continue
			}
			if above, ok := s.climb(issuer); ok && len(links)+len(above) > 0 {
				return append(links, above...), true
			}
		}
	}
	return nil, false
}

// signed reports whether issuer's key made c's signature, also by an algorithm that is not accepted.
func signed(issuer, c *x509.Certificate) bool {
	var hash crypto.Hash
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA:
		hash = crypto.MD5
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		hash = crypto.SHA1
	case x509.DSAWithSHA256:
		hash = crypto.SHA256
	default:
		if p, ok := x509x.SignaturePSS(c); ok {
			return signedPSS(issuer, c, p)
		}
		return c.CheckSignatureFrom(issuer) == nil
	}
	digest := digestOf(hash, c.RawTBSCertificate)
	switch key := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, c.Signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, c.Signature)
	case *dsa.PublicKey:
		var sig struct{ R, S *big.Int }
		_, err := asn1.Unmarshal(c.Signature, &sig)
		return err == nil && dsa.Verify(key, digest[:min(len(digest), key.Q.BitLen()/8)], sig.R, sig.S)
	}
	return false
}

func digestOf(hash crypto.Hash, tbs []byte) []byte {
	h := hash.New()
	h.Write(tbs)
	return h.Sum(nil)
}

// signedPSS verifies RSASSA-PSS with parameters that crypto/x509 does not take.
func signedPSS(issuer, c *x509.Certificate, p x509x.PSS) bool {
	key, ok := issuer.PublicKey.(*rsa.PublicKey)
	if !ok || p.Hash != p.MGFHash || !p.Hash.Available() { // crypto/rsa has one hash for both
		return false
	}
	return rsa.VerifyPSS(key, p.Hash, digestOf(p.Hash, c.RawTBSCertificate), c.Signature, &rsa.PSSOptions{SaltLength: p.SaltLength}) == nil
}
