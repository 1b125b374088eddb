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
	"math/big"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// signed reports whether issuer's key made c's signature, also by an algorithm that is not accepted: what is wrong with it is judged
// apart, so that it can be said. Nothing else of either certificate is looked at.
func signed(issuer, c *x509.Certificate) bool {
	if p, ok := x509x.SignaturePSS(c); ok {
		return signedPSS(issuer, c, p)
	}
	var hash crypto.Hash
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA:
		hash = crypto.MD5
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		hash = crypto.SHA1
	case x509.DSAWithSHA256:
		hash = crypto.SHA256
	default:
		return issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
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

// signedPSS verifies RSASSA-PSS with a salt of any length; crypto/x509 takes only one as long as the hash. crypto/rsa has one hash for
// the text and the mask.
func signedPSS(issuer, c *x509.Certificate, p x509x.PSS) bool {
	key, ok := issuer.PublicKey.(*rsa.PublicKey)
	if !ok || p.Hash != p.MGFHash {
		return false
	}
	switch p.Hash {
	case crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512:
		return rsa.VerifyPSS(key, p.Hash, digestOf(p.Hash, c.RawTBSCertificate), c.Signature, &rsa.PSSOptions{SaltLength: p.SaltLength}) == nil
	}
	return false
}

// readableSignature reports whether the kind of c's signature is one that signed knows.
func readableSignature(c *x509.Certificate) bool {
	p, ok := x509x.SignaturePSS(c)
	return c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm || ok && p.Hash == p.MGFHash && p.Hash != crypto.SHA224
}

// checker checks signatures, each once, until its budget is spent: certificates of strangers must not keep the machine busy.
type checker struct {
	memory *memory
	known  map[[2]*x509.Certificate]bool
	budget int
}

// The costs of signatures, in about the time that one by P-256 takes to check.
const (
	maxWork   = 1000 // for one certificate that is judged
	maxAdvice = 100  // to find out what is missing
	slowWork  = 50   // by a key on a Brainpool curve, whose arithmetic is not optimised, or by DSA
)

func newChecker(m *memory, budget int) *checker {
	return &checker{memory: m, known: map[[2]*x509.Certificate]bool{}, budget: budget}
}

// signed is the function of that name, with memory; what there is no budget for is not signed.
func (k *checker) signed(issuer, c *x509.Certificate) bool {
	pair := [2]*x509.Certificate{issuer, c}
	if ok, known := k.known[pair]; known {
		return ok
	}
	key := signatureKey(issuer, c)
	ok := k.memory.knows(key)
	if !ok {
		work := 1
		if _, isDSA := issuer.PublicKey.(*dsa.PublicKey); isDSA || slow(issuer) {
			work = slowWork
		}
		if k.budget < work {
			return false
		}
		k.budget -= work
		if ok = signed(issuer, c); ok {
			k.memory.keep(key)
		}
	}
	k.known[pair] = ok
	return ok
}
