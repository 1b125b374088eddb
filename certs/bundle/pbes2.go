package bundle

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// Encrypted PKCS#8 keys, and the bags of PKCS#12 files whose keys go-pkcs12 does not know, are decrypted here
// where their encryption is PBES2 (RFC 8018, 6.2), or 3DES in the way of before. RC2 is left to go-pkcs12.

var (
	errScheme   = errors.New("its encryption is not of a kind that is read")
	errPassword = errors.New("the password does not fit")
)

// maxScrypt bounds the memory of scrypt, in bytes; OpenSSL uses 16 MiB.
const maxScrypt = 64 << 20

// derivation makes a key of a length from a password.
type derivation func(password string, length int) ([]byte, error)

// pbes2 is the key derivation and cipher of an AlgorithmIdentifier.
type pbes2 struct {
	derive derivation
	length int // of the key where the derivation says it; 0: it does not
	cipher func(key []byte) (cipher.Block, error)
	key    int // its length
	iv     []byte
}

func oidPBES2() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13} }

// encryptedKey reads an EncryptedPrivateKeyInfo (RFC 5958, 3) and returns the PrivateKeyInfo. Errors: errScheme, errPassword,
// errParts.
func encryptedKey(der []byte, password string) ([]byte, error) {
	input := cryptobyte.String(der)
	var info, algorithm, ciphertext cryptobyte.String
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !input.Empty() || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!info.ReadASN1(&ciphertext, cbasn1.OCTET_STRING) || !info.Empty() {
		return nil, errParts
	}
	peek := algorithm
	var scheme asn1.ObjectIdentifier
	if peek.ReadASN1ObjectIdentifier(&scheme) && isOld(scheme) {
		return oldKey(der, password)
	}
	return decryptPart(algorithm, ciphertext, password)
}

func decryptPBES2(algorithm cryptobyte.String, ciphertext []byte, password string) ([]byte, error) {
	p, err := parsePBES2(algorithm)
	if err != nil {
		return nil, err
	}
	key, err := p.derive(password, p.key)
	if err != nil {
		return nil, errScheme
	}
	defer clear(key)
	block, err := p.cipher(key)
	if err != nil {
		return nil, errScheme
	}
	n, size := len(ciphertext), block.BlockSize()
	if n == 0 || n%size != 0 || len(p.iv) != size {
		return nil, errParts
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, p.iv).CryptBlocks(plain, ciphertext)
	return unpad(plain, size)
}

// unpad takes the padding of whole blocks off (RFC 5652, 6.3).
func unpad(plain []byte, size int) ([]byte, error) {
	n := len(plain)
	pad := int(plain[n-1])
	if pad == 0 || pad > size {
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
	var scheme, method asn1.ObjectIdentifier
	var params, kdf, encryption, iv cryptobyte.String
	ok := algorithm.ReadASN1ObjectIdentifier(&scheme) && scheme.Equal(oidPBES2()) &&
		algorithm.ReadASN1(&params, cbasn1.SEQUENCE) && params.ReadASN1(&kdf, cbasn1.SEQUENCE) && params.ReadASN1(&encryption, cbasn1.SEQUENCE) &&
		encryption.ReadASN1ObjectIdentifier(&method) && encryption.ReadASN1(&iv, cbasn1.OCTET_STRING)
	if !ok {
		return p, errScheme
	}
	p.iv, p.cipher = iv, aes.NewCipher
	switch method.String() { // RFC 8018, B.2.2 and B.2.5
	case "2.16.840.1.101.3.4.1.2":
		p.key = 16
	case "2.16.840.1.101.3.4.1.22":
		p.key = 24
	case "2.16.840.1.101.3.4.1.42":
		p.key = 32
	case "1.2.840.113549.3.7":
		p.key, p.cipher = 24, des.NewTripleDESCipher
	default:
		return p, errScheme
	}
	if p.derive, p.length, ok = parseDerivation(kdf); !ok || p.length != 0 && p.length != p.key {
		return p, errScheme
	}
	return p, nil
}

// parseDerivation reads the key derivation of PBES2: PBKDF2 (RFC 8018, A.2) or scrypt (RFC 7914, 7).
func parseDerivation(kdf cryptobyte.String) (d derivation, length int, ok bool) {
	var oid asn1.ObjectIdentifier
	var params, salt cryptobyte.String
	var rounds int
	if !kdf.ReadASN1ObjectIdentifier(&oid) || !kdf.ReadASN1(&params, cbasn1.SEQUENCE) || !params.ReadASN1(&salt, cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&rounds) {
		return nil, 0, false
	}
	if oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}) {
		return parseScrypt(params, salt, rounds)
	}
	if !oid.Equal(oidPBKDF2) || rounds < 1 || rounds > maxRounds {
		return nil, 0, false
	}
	if params.PeekASN1Tag(cbasn1.INTEGER) && (!params.ReadASN1Integer(&length) || length < 1) {
		return nil, 0, false
	}
	prf, ok := pseudorandom(params)
	return func(password string, n int) ([]byte, error) { return pbkdf2.Key(prf, password, salt, rounds, n) }, length, ok
}

// parseScrypt reads what follows salt and cost.
func parseScrypt(params cryptobyte.String, salt []byte, cost int) (d derivation, length int, ok bool) {
	var size, parallel int
	if !params.ReadASN1Integer(&size) || !params.ReadASN1Integer(&parallel) || !params.Empty() && !params.ReadASN1Integer(&length) {
		return nil, 0, false
	}
	const most = maxScrypt / 128
	if cost < 2 || size < 1 || parallel < 1 || length < 0 || cost > most || size > most/cost || parallel > most/cost/size {
		return nil, 0, false
	}
	return func(password string, n int) ([]byte, error) {
		return scrypt.Key([]byte(password), salt, cost, size, parallel, n)
	}, length, true
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

// encryptKey writes an EncryptedPrivateKeyInfo: PBES2 with PBKDF2, HMAC-SHA-256 and AES-256-CBC (RFC 8018, 6.2).
func encryptKey(plain []byte, password string, rounds int) ([]byte, error) {
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	rand.Read(salt)
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, password, salt, rounds, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	padded := make([]byte, len(plain)+pad)
	for i := copy(padded, plain); i < len(padded); i++ {
		padded[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		addSequence(b, func(b *cryptobyte.Builder) { addPBES2(b, salt, iv, rounds) })
		b.AddASN1OctetString(padded)
	})
	return b.Bytes()
}

// addPBES2 adds the content of the AlgorithmIdentifier.
func addPBES2(b *cryptobyte.Builder, salt, iv []byte, rounds int) {
	b.AddASN1ObjectIdentifier(oidPBES2())
	addSequence(b, func(b *cryptobyte.Builder) {
		addSequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidPBKDF2)
			addSequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(salt)
				b.AddASN1Int64(int64(rounds))
				addSequence(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidHMACSHA2); b.AddASN1NULL() })
			})
		})
		addSequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42})
			b.AddASN1OctetString(iv)
		})
	})
}
