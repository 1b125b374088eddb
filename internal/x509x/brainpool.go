package x509x

//lint:file-ignore SA1019 the standard library offers nothing else for curves that are not of NIST

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"

	"github.com/ProtonMail/go-crypto/brainpool"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func oidEC() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} }

// curve is one of the curves that TR-03116-4 allows beside those of NIST (RFC 5639, 3).
type curve struct {
	curve elliptic.Curve
	oid   asn1.ObjectIdentifier // RFC 5639, 4.1
}

func curves() []curve {
	family := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, n} }
	return []curve{{brainpool.P256r1(), family(7)}, {brainpool.P384r1(), family(11)}, {brainpool.P512r1(), family(13)}}
}

// Brainpool reports whether a curve is one of the Brainpool curves that ParseCertificate knows. Arithmetic
// on them is not in constant time here: it may show a private key to who can measure it.
func Brainpool(c elliptic.Curve) bool {
	for _, b := range curves() {
		if b.curve == c {
			return true
		}
	}
	return false
}

// BrainpoolCurve returns the curve of an object identifier (RFC 5639, 4.1), or nil.
func BrainpoolCurve(oid asn1.ObjectIdentifier) elliptic.Curve {
	for _, b := range curves() {
		if b.oid.Equal(oid) {
			return b.curve
		}
	}
	return nil
}

// namedCurve reads EC parameters that are the name of a Brainpool curve and nothing else.
func namedCurve(parameters cryptobyte.String) elliptic.Curve {
	var oid asn1.ObjectIdentifier
	if !parameters.ReadASN1ObjectIdentifier(&oid) || !parameters.Empty() {
		return nil
	}
	return BrainpoolCurve(oid)
}

// brainpoolKey reads a SubjectPublicKeyInfo on a Brainpool curve.
func brainpoolKey(spki []byte) (*ecdsa.PublicKey, bool) {
	oid, parameters, bits, ok := readSPKI(spki)
	if !ok || !oid.Equal(oidEC()) {
		return nil, false
	}
	c := namedCurve(parameters)
	if c == nil {
		return nil, false
	}
	return Point(c, bits)
}

// Point reads an uncompressed point of a Brainpool curve (SEC 1, 2.3.4), and refuses one that is not on it.
func Point(c elliptic.Curve, bits []byte) (*ecdsa.PublicKey, bool) {
	size := (c.Params().BitSize + 7) / 8
	if !Brainpool(c) || len(bits) != 1+2*size || bits[0] != 4 {
		return nil, false
	}
	x, y := new(big.Int).SetBytes(bits[1:1+size]), new(big.Int).SetBytes(bits[1+size:])
	if p := c.Params().P; x.Cmp(p) >= 0 || y.Cmp(p) >= 0 || !c.IsOnCurve(x, y) {
		return nil, false
	}
	return &ecdsa.PublicKey{Curve: c, X: x, Y: y}, true
}

// MarshalPoint writes the uncompressed point of a key on a Brainpool curve (SEC 1, 2.3.3).
func MarshalPoint(key *ecdsa.PublicKey) []byte {
	size := (key.Params().BitSize + 7) / 8
	out := make([]byte, 1+2*size)
	out[0] = 4
	key.X.FillBytes(out[1 : 1+size])
	key.Y.FillBytes(out[1+size:])
	return out
}

// brainpoolPrivate makes a private key of its number, which must lie between 0 and the order of the curve.
func brainpoolPrivate(c elliptic.Curve, secret []byte) (*ecdsa.PrivateKey, bool) {
	n := c.Params().N
	d := new(big.Int).SetBytes(secret)
	if len(secret) > (n.BitLen()+7)/8 || d.Sign() == 0 || d.Cmp(n) >= 0 {
		return nil, false
	}
	private := &ecdsa.PrivateKey{D: d, PublicKey: ecdsa.PublicKey{Curve: c}}
	private.X, private.Y = c.ScalarBaseMult(secret)
	return private, true
}

func marshalBrainpool(key crypto.PublicKey) ([]byte, bool) {
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, false
	}
	for _, c := range curves() {
		if c.curve != ec.Curve {
			continue
		}
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidEC())
				b.AddASN1ObjectIdentifier(c.oid)
			})
			b.AddASN1BitString(MarshalPoint(ec))
		})
		return b.BytesOrPanic(), true
	}
	return nil, false
}
