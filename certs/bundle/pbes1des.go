package bundle

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"encoding/asn1"
	"math/big"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// What is encrypted by 3DES with a key out of a password in the way of before PBES2 (RFC 7292, B and C) is decrypted here where go-pkcs12 does not
// help: keys of a kind it does not know, and keys within an encrypted part, where it would derive whatever it finds.

func oidOldTripleDES() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
}

// decryptPart decrypts what an AlgorithmIdentifier says, of those kinds that are known here. Errors are those of encryptedKey.
func decryptPart(algorithm cryptobyte.String, ciphertext []byte, password string) ([]byte, error) {
	peek := algorithm
	var scheme asn1.ObjectIdentifier
	if !peek.ReadASN1ObjectIdentifier(&scheme) || !scheme.Equal(oidOldTripleDES()) {
		return decryptPBES2(algorithm, ciphertext, password)
	}
	var params, salt cryptobyte.String
	var rounds int
	if !peek.ReadASN1(&params, cbasn1.SEQUENCE) || !params.ReadASN1(&salt, cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&rounds) || rounds < 1 {
		return nil, errParts
	}
	if rounds > maxRounds {
		return nil, errRounds
	}
	octets := bmpOctets(password)
	plain, err := decryptTripleDES(salt, rounds, ciphertext, octets)
	if err != nil && password == "" { // QUIRK: see joinEmpty
		plain, err = decryptTripleDES(salt, rounds, ciphertext, nil)
	}
	return plain, err
}

func decryptTripleDES(salt []byte, rounds int, ciphertext, password []byte) ([]byte, error) {
	const forKey, forIV, keyLength = 1, 2, 24
	n := len(ciphertext)
	if n == 0 || n%des.BlockSize != 0 {
		return nil, errParts
	}
	key := deriveOld(forKey, salt, password, rounds, keyLength)
	defer clear(key)
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, errScheme
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, deriveOld(forIV, salt, password, rounds, des.BlockSize)).CryptBlocks(plain, ciphertext)
	return unpad(plain, des.BlockSize)
}

// bmpOctets is a password as a BMPString with the two octets that end it (RFC 7292, B.1).
func bmpOctets(password string) []byte {
	var octets []byte
	for _, unit := range append(utf16.Encode([]rune(password)), 0) {
		octets = append(octets, byte(unit>>8), byte(unit))
	}
	return octets
}

// deriveOld makes a key, or another value, of a password with SHA-1 (RFC 7292, B.2).
func deriveOld(use byte, salt, password []byte, rounds, length int) []byte {
	const v = 64 // octets that SHA-1 takes at once
	in := append(fill(salt, v), fill(password, v)...)
	var out []byte
	for len(out) < length {
		a := sha1.Sum(append(bytes.Repeat([]byte{use}, v), in...))
		for range rounds - 1 {
			a = sha1.Sum(a[:])
		}
		out = append(out, a[:]...)
		plus := new(big.Int).SetBytes(fill(a[:], v)[:v])
		plus.Add(plus, big.NewInt(1))
		for i := 0; i < len(in); i += v {
			sum := new(big.Int).SetBytes(in[i : i+v])
			copy(in[i:], sum.Add(sum, plus).FillBytes(make([]byte, v+1))[1:])
		}
	}
	return out[:length]
}

// fill repeats b until it ends with a whole block of v octets.
func fill(b []byte, v int) []byte {
	if len(b) == 0 {
		return nil
	}
	n := (len(b) + v - 1) / v * v
	return bytes.Repeat(b, n/len(b)+1)[:n]
}
