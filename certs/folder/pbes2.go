package folder

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Encrypted PKCS#8 keys, and the bags of PKCS#12 files whose keys go-pkcs12 does not know, are decrypted here
// where their encryption is that of today: PBES2 with PBKDF2 and AES-CBC (RFC 8018, 6.2).

var (
	errScheme   = errors.New("its encryption is not PBES2 with PBKDF2 and AES-CBC")
	errPassword = errors.New("the password does not fit")
)

// pbes2 is the key derivation and cipher of an AlgorithmIdentifier.
type pbes2 struct {
	salt, iv []byte
	rounds   int
	prf      func() hash.Hash
	key      int // its length
}

// encryptedKey reads an EncryptedPrivateKeyInfo (RFC 5958, 3) and returns the PrivateKeyInfo. Errors: errScheme, errPassword,
// errParts.
func encryptedKey(der []byte, password string) ([]byte, error) {
	input := cryptobyte.String(der)
	var info, algorithm, ciphertext cryptobyte.String
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !input.Empty() || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!info.ReadASN1(&ciphertext, cbasn1.OCTET_STRING) || !info.Empty() {
		return nil, errParts
	}
	return decryptPBES2(algorithm, ciphertext, password)
}

func decryptPBES2(algorithm cryptobyte.String, ciphertext []byte, password string) ([]byte, error) {
	p, err := parsePBES2(algorithm)
	if err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(p.prf, password, p.salt, p.rounds, p.key)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	n := len(ciphertext)
	if n == 0 || n%aes.BlockSize != 0 {
		return nil, errParts
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, p.iv).CryptBlocks(plain, ciphertext)
	pad := int(plain[n-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errPassword
	}
	for _, b := range plain[n-pad:] {
		if int(b) != pad {
			return nil, errPassword
		}
	}
	return plain[:n-pad], nil
}

// parsePBES2 reads the content of an AlgorithmIdentifier (RFC 8018, A.4).
func parsePBES2(algorithm cryptobyte.String) (pbes2, error) {
	var p pbes2
	var scheme, derivation, method asn1.ObjectIdentifier
	var params, kdf, kdfParams, encryption, salt, iv cryptobyte.String
	ok := algorithm.ReadASN1ObjectIdentifier(&scheme) && scheme.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}) &&
		algorithm.ReadASN1(&params, cbasn1.SEQUENCE) && params.ReadASN1(&kdf, cbasn1.SEQUENCE) && params.ReadASN1(&encryption, cbasn1.SEQUENCE) &&
		kdf.ReadASN1ObjectIdentifier(&derivation) && derivation.Equal(oidPBKDF2) && kdf.ReadASN1(&kdfParams, cbasn1.SEQUENCE) &&
		kdfParams.ReadASN1(&salt, cbasn1.OCTET_STRING) && kdfParams.ReadASN1Integer(&p.rounds) &&
		encryption.ReadASN1ObjectIdentifier(&method) && encryption.ReadASN1(&iv, cbasn1.OCTET_STRING) && len(iv) == aes.BlockSize
	if !ok || p.rounds < 1 || p.rounds > maxRounds {
		return p, errScheme
	}
	p.salt, p.iv = salt, iv
	p.key = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}[method.String()]
	length := p.key
	if kdfParams.PeekASN1Tag(cbasn1.INTEGER) && !kdfParams.ReadASN1Integer(&length) {
		return p, errScheme
	}
	if p.prf, ok = pseudorandom(kdfParams); !ok || p.key == 0 || length != p.key {
		return p, errScheme
	}
	return p, nil
}

// pseudorandom reads the optional PRF of PBKDF2 (RFC 8018, A.2 and B.1.1).
func pseudorandom(rest cryptobyte.String) (func() hash.Hash, bool) {
	if rest.Empty() {
		return sha1.New, true
	}
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !rest.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return nil, false
	}
	prf, ok := map[string]func() hash.Hash{
		"1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.8": sha256.New224, "1.2.840.113549.2.9": sha256.New,
		"1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New,
	}[oid.String()]
	return prf, ok
}
