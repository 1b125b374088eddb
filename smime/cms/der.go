package cms

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"
)

// appendHeader appends identifier and definite minimal length (X.690, 10.1).
func appendHeader(dst []byte, tag uint32, length int) []byte {
	if tag > 0xff {
		dst = append(dst, byte(tag>>24))
		for shift := 16; shift >= 0; shift -= 8 {
			if tag&0xffffff>>shift != 0 || shift == 0 {
				dst = append(dst, byte(tag>>shift))
			}
		}
	} else {
		dst = append(dst, byte(tag))
	}
	return appendLength(dst, length)
}

func appendLength(dst []byte, length int) []byte {
	if length < 0x80 {
		return append(dst, byte(length))
	}
	n := 0
	for v := length; v > 0; v >>= 8 {
		n++
	}
	dst = append(dst, 0x80|byte(n))
	for n--; n >= 0; n-- {
		dst = append(dst, byte(length>>(8*n)))
	}
	return dst
}

// tlvSize is the size of an element with a one-octet identifier and length octets of content.
func tlvSize(length int64) int64 {
	return 1 + int64(len(appendLength(nil, int(length)))) + length
}

// tlv is one element made of parts.
func tlv(tag uint32, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := appendHeader(make([]byte, 0, n+8), tag, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func sequence(parts ...[]byte) []byte { return tlv(tagSequence, parts...) }

// setOf is a SET OF with its elements in DER's order (X.690, 11.6).
func setOf(parts ...[]byte) []byte {
	parts = slices.Clone(parts)
	slices.SortFunc(parts, bytes.Compare)
	return tlv(tagSet, parts...)
}

// bitString is a BIT STRING of whole octets.
func bitString(b []byte) []byte { return tlv(tagBitString, []byte{0}, b) }

func octetString(b []byte) []byte { return tlv(tagOctetString, b) }

// integer is an INTEGER.
func integer(n *big.Int) []byte {
	b, err := asn1.Marshal(n)
	if err != nil {
		panic("cms: an INTEGER cannot be encoded: " + err.Error()) // never: Marshal takes every big.Int
	}
	return b
}

func smallInteger(n int64) []byte { return integer(big.NewInt(n)) }

// timeValue is a Time as RFC 5652, 11.3 wants it: UTCTime from 1950 to 2049, else GeneralizedTime.
func timeValue(t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y >= 1950 && y < 2050 {
		return tlv(tagUTCTime, []byte(t.Format("060102150405Z")))
	}
	return tlv(tagGenTime, []byte(t.Format("20060102150405Z")))
}

// null is the parameters of the algorithms that have none but must say so (RFC 3370, 3.2).
func null() []byte { return []byte{tagNull, 0} }
