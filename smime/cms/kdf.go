package cms

import (
	"crypto"
	"crypto/aes"
	"crypto/hkdf"
	"encoding/binary"
	"hash"

	jose "github.com/go-jose/go-jose/v4/cipher"
)

// agreementScheme is how a shared secret becomes a key.
type agreementScheme struct {
	oid  string
	hash crypto.Hash
	hkdf bool // HKDF (RFC 8418, 2.2) instead of the X9.63 function (RFC 5753, 7.1.8)
}

// agreementSchemes lists those with one ephemeral and one static key. On every curve here the cofactor is 1, so
// that the schemes with cofactor and without are the same.
func agreementSchemes() []agreementScheme {
	return []agreementScheme{
		{oidStdDHSHA256, crypto.SHA256, false},
		{oidStdDHSHA384, crypto.SHA384, false},
		{oidStdDHSHA512, crypto.SHA512, false},
		{oidHKDFSHA256, crypto.SHA256, true},
		{oidHKDFSHA384, crypto.SHA384, true},
		{oidHKDFSHA512, crypto.SHA512, true},
		{oidStdDHSHA224, crypto.SHA224, false},
		{oidStdDHSHA1, crypto.SHA1, false}, // never written
		{oidCofactorDHSHA256, crypto.SHA256, false},
		{oidCofactorDHSHA384, crypto.SHA384, false},
		{oidCofactorDHSHA512, crypto.SHA512, false},
		{oidCofactorDHSHA224, crypto.SHA224, false},
		{oidCofactorDHSHA1, crypto.SHA1, false},
	}
}

func agreementByOID(oid string) (agreementScheme, bool) {
	for _, s := range agreementSchemes() {
		if s.oid == oid {
			return s, true
		}
	}
	return agreementScheme{}, false
}

// derive makes a key of size bytes from a shared secret. With HKDF the ukm is its salt as well as a part of info.
func (s agreementScheme) derive(secret, ukm, info []byte, size int) []byte {
	if !s.hkdf {
		return x963(s.hash.New(), secret, info, size)
	}
	key, err := hkdf.Key(func() hash.Hash { return s.hash.New() }, secret, ukm, string(info), size)
	if err != nil {
		panic("cms: " + err.Error()) // never: size is that of an AES key
	}
	return key
}

// x963 is the key derivation function of ANSI X9.63 (SEC 1, 3.6.1).
func x963(h hash.Hash, secret, info []byte, size int) []byte {
	var key []byte
	for counter := uint32(1); len(key) < size; counter++ {
		h.Reset()
		h.Write(secret)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		h.Write(info)
		key = h.Sum(key)
	}
	return key[:size]
}

// sharedInfo is ECC-CMS-SharedInfo (RFC 5753, 7.2) for a key of size bytes that wraps by how.
func sharedInfo(how algorithm, ukm []byte, size int) []byte {
	var user []byte
	if ukm != nil {
		user = tlv(tagContextCons, octetString(ukm))
	}
	bits := binary.BigEndian.AppendUint32(nil, uint32(size)*8)
	return sequence(how.encode(), user, tlv(tagContextCons|2, octetString(bits)))
}

// wrapSize is the bytes of the key that wraps by oid; 0 where that is not known.
func wrapSize(oid string) int {
	return map[string]int{oidAES128Wrap: 16, oidAES192Wrap: 24, oidAES256Wrap: 32}[oid]
}

// wrapOID is the AES key wrap under a key of size bytes.
func wrapOID(size int) string {
	return map[int]string{16: oidAES128Wrap, 24: oidAES192Wrap, 32: oidAES256Wrap}[size]
}

// wrapKey wraps key under kek (RFC 3394, 2.2.1).
func wrapKey(kek, key []byte) ([]byte, error) {
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, err
	}
	return jose.KeyWrap(block, key)
}

// unwrapKey is the key of size bytes that wrapped holds under kek (RFC 3394, 2.2.2).
func unwrapKey(kek, wrapped []byte, size int) ([]byte, bool) {
	if len(wrapped) != size+8 || size < 16 {
		return nil, false
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, false
	}
	key, err := jose.KeyUnwrap(block, wrapped)
	return key, err == nil
}
