package cms

import (
	"crypto"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// contextTag is [n] EXPLICIT.
func contextTag(n uint8) cryptobyte_asn1.Tag {
	return cryptobyte_asn1.Tag(n).ContextSpecific().Constructed()
}

// readHashParameter reads an optional [n] EXPLICIT digest algorithm, and leaves out as it is without one.
func readHashParameter(s *cryptobyte.String, n uint8, out *crypto.Hash) bool {
	var body cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&body, &present, contextTag(n)) || !present {
		return !present
	}
	var a algorithm
	if !readAlgorithm(&body, &a) || !body.Empty() || !a.plain() {
		return false
	}
	d, ok := digestByOID(a.oid)
	*out = d.hash
	return ok && d.hash != crypto.MD5
}

// readMGFParameter reads an optional [n] EXPLICIT MGF1 with its digest.
func readMGFParameter(s *cryptobyte.String, n uint8, out *crypto.Hash) bool {
	var body cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&body, &present, contextTag(n)) || !present {
		return !present
	}
	var a, inner algorithm
	if !readAlgorithm(&body, &a) || !body.Empty() || a.oid != oidMGF1 {
		return false
	}
	p := cryptobyte.String(a.parameters)
	if !readAlgorithm(&p, &inner) || !p.Empty() || !inner.plain() {
		return false
	}
	d, ok := digestByOID(inner.oid)
	*out = d.hash
	return ok && d.hash != crypto.MD5
}

// hashAndMask is RSAES-OAEP-params or, with a salt that is not negative, RSASSA-PSS-params with one digest throughout
// (RFC 4055, 3.1 and 4.1). What is the default is left out.
func hashAndMask(d digestSpec, salt int) []byte {
	var parts [][]byte
	if d.hash != crypto.SHA1 {
		hash := algorithm{d.oid, null()}.encode() // RFC 4055, 2.1: implementations accept absent and NULL
		parts = append(parts, tlv(tagContextCons, hash), tlv(tagContextCons|1, algorithm{oidMGF1, hash}.encode()))
	}
	if salt >= 0 && salt != crypto.SHA1.Size() {
		parts = append(parts, tlv(tagContextCons|2, smallInteger(int64(salt))))
	}
	return sequence(parts...)
}

// readHashAndMask reads the digest that RSAES-OAEP-params or RSASSA-PSS-params name both for the content and for
// the mask.
func readHashAndMask(parameters []byte) (digestSpec, bool) {
	hash, mask := crypto.SHA1, crypto.SHA1
	s := cryptobyte.String(parameters)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return digestSpec{}, false
	}
	if body.PeekASN1Tag(cryptobyte_asn1.SEQUENCE) {
		// QUIRK: RFC 3560, 5 and RFC 4056, 4 give these bytes as an example without their explicit tags.
		var h, m algorithm
		if !readAlgorithm(&body, &h) || !readAlgorithm(&body, &m) || m.oid != oidMGF1 {
			return digestSpec{}, false
		}
		d, ok := digestByOID(h.oid)
		inner, err := parseAlgorithm(m.parameters)
		return d, ok && err == nil && inner.oid == h.oid
	}
	if !readHashParameter(&body, 0, &hash) || !readMGFParameter(&body, 1, &mask) || hash != mask {
		return digestSpec{}, false
	}
	return digestByHash(hash)
}
