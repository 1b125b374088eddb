package bundle

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of the work for one password: the largest number of rounds in common use is some 600,000.
const (
	maxRounds    = 5_000_000
	maxAllRounds = 4 * maxRounds // of all key derivations of a file
)

// errRounds is the error of what takes more work than that.
var errRounds = fmt.Errorf("its password takes more than %d rounds to check", maxRounds)

// affordable reports whether the key derivations that can be seen in a PKCS#12 file take no more rounds: their
// parameters are a salt, an octet string, with the number of rounds after it (RFC 7292, 4; RFC 8018, A.2).
func affordable(data []byte) bool { return newRounds().afford(data) }

// rounds are those that may still be done for a file.
type rounds struct{ left int64 }

func newRounds() *rounds { return &rounds{left: maxAllRounds} }

// afford takes what can be seen in data off the rounds, and reports whether they suffice.
func (r *rounds) afford(data []byte) bool { return r.look(cryptobyte.String(data), 0, 0) }

// look checks the elements in s. Octets are looked into where a ContentInfo or a bag wraps them; what
// else is in octets is salt or ciphertext.
func (r *rounds) look(s cryptobyte.String, within cbasn1.Tag, depth int) bool {
	const constructed, number = cbasn1.Tag(0x20), cbasn1.Tag(0x1f)
	var last cbasn1.Tag
	for !s.Empty() && depth < maxNesting {
		var element, inner cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&element, &tag) {
			return depth > 1
		}
		whole := element
		element.ReadAnyASN1(&inner, &tag)
		// The library asks for the number 4 of a salt's tag only, not for its class.
		if last&number == cbasn1.OCTET_STRING && tag == cbasn1.INTEGER && !r.take(whole) {
			return false
		}
		nested := tag&constructed != 0 || tag == cbasn1.OCTET_STRING && within == explicitZero
		if tag == cbasn1.OCTET_STRING && nested {
			if der, ok := asDER(inner); ok {
				inner = der
			}
		}
		if nested && !r.look(inner, tag, depth+1) {
			return false
		}
		last = tag
	}
	return true
}

func (r *rounds) take(integer cryptobyte.String) bool {
	var n int64
	if !integer.ReadASN1Integer(&n) || n > maxRounds {
		return false
	}
	r.left -= max(n, 0)
	return r.left >= 0
}
