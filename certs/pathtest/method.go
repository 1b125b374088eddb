package pathtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // for the hashes
	"crypto/x509/pkix"
	"encoding/asn1"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// method is how a signature is made. The zero value is the usual one of a key.
type method struct {
	hash       crypto.Hash
	salt       int // of RSASSA-PSS; 0: no PSS
	identifier []byte
}

// makeKey makes the key of a name.
func makeKey(name string) crypto.Signer {
	kind, rest, _ := strings.Cut(name, " ")
	switch kind {
	case "P-224":
		return ecKey(elliptic.P224(), rest)
	case "P-384":
		return ecKey(elliptic.P384(), rest)
	case "P-521":
		return ecKey(elliptic.P521(), rest)
	case "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1":
		arc := map[string]int{"brainpoolP256r1": 7, "brainpoolP384r1": 11, "brainpoolP512r1": 13}[kind]
		return ecKey(x509x.BrainpoolCurve(asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, arc}), rest)
	case "Ed25519":
		seed := sha256.Sum256([]byte(rest))
		return ed25519.NewKeyFromSeed(seed[:])
	}
	if bits, ok := strings.CutPrefix(kind, "RSA-"); ok {
		return rsaKey(must(strconv.Atoi(bits)))
	}
	return ecKey(elliptic.P256(), name)
}

// of is the method with what is left open filled in for a key.
func (m method) of(key crypto.Signer) method {
	if m.hash == 0 {
		m.hash = crypto.SHA256
	}
	sha2 := map[crypto.Hash]int{crypto.SHA256: 0, crypto.SHA384: 1, crypto.SHA512: 2}
	null := asn1.RawValue{Tag: asn1.TagNull}
	var a pkix.AlgorithmIdentifier
	switch key.(type) {
	case *rsa.PrivateKey:
		switch {
		case m.salt > 0:
			a = pssIdentifier(m)
		case m.hash == crypto.MD5:
			a = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}, Parameters: null}
		case m.hash == crypto.SHA1:
			a = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, Parameters: null}
		default:
			a = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11 + sha2[m.hash]}, Parameters: null}
		}
	case *ecdsa.PrivateKey:
		a.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2 + sha2[m.hash]}
		if m.hash == crypto.SHA1 {
			a.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
		}
	case ed25519.PrivateKey:
		m.hash, a.Algorithm = 0, asn1.ObjectIdentifier{1, 3, 101, 112}
	}
	m.identifier = must(asn1.Marshal(a))
	return m
}

// pssIdentifier writes the parameters of RSASSA-PSS (RFC 4055, 3.1).
func pssIdentifier(m method) pkix.AlgorithmIdentifier {
	hash := pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, map[crypto.Hash]int{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3}[m.hash]},
		Parameters: asn1.RawValue{Tag: asn1.TagNull},
	}
	mgf := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, Parameters: asn1.RawValue{FullBytes: must(asn1.Marshal(hash))}}
	parameters := struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{hash, mgf, m.salt}
	return pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, Parameters: asn1.RawValue{FullBytes: must(asn1.Marshal(parameters))}}
}

// sign signs; where the algorithm lets it, the same each time.
func (m method) sign(key crypto.Signer, text []byte) []byte {
	if m.hash == 0 {
		return must(key.Sign(nil, text, crypto.Hash(0)))
	}
	h := m.hash.New()
	h.Write(text)
	var o crypto.SignerOpts = m.hash
	if m.salt > 0 {
		o = &rsa.PSSOptions{SaltLength: m.salt, Hash: m.hash}
	}
	if k, ok := key.(*ecdsa.PrivateKey); ok && !x509x.Brainpool(k.Curve) {
		return must(k.Sign(nil, h.Sum(nil), o)) // RFC 6979
	}
	return must(key.Sign(rand.Reader, h.Sum(nil), o))
}
