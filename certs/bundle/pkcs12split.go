package bundle

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

// go-pkcs12 reads files of at most two parts with exactly one key, in DER. GnuTLS writes a part for each
// certificate, NSS has BER in the parts, and others write several keys or none. And it derives whatever it finds within an
// encrypted part, where nobody has seen how many rounds that takes. So decodeApart splits a file (RFC 7292, 4) and gives the library
// one part at a time, in a file of its own with a new MAC under the same password; all decryption stays with the library.

// maxParts bounds the parts and bags of one file.
const maxParts = 64

var errParts = errors.New("its parts cannot be read")

// pkcs12Part is one ContentInfo, with one bag where the bags can be seen.
type pkcs12Part struct {
	der []byte
	key bool // holds a private key for certain
}

// decodeApart reads the parts of a PFX. A part that does not open makes it pkcs12.ErrIncorrectPassword.
func decodeApart(data []byte, password string) ([]*x509.Certificate, []any, error) {
	parts, err := splitPKCS12(data)
	if err != nil {
		return nil, nil, err
	}
	certs, keys, err := decodeParts(parts, password, joinPKCS12)
	if errors.Is(err, pkcs12.ErrDecryption) && password == "" {
		certs, keys, err = decodeParts(parts, password, joinEmpty)
	}
	if errors.Is(err, pkcs12.ErrDecryption) {
		err = pkcs12.ErrIncorrectPassword
	}
	return certs, keys, err
}

// decodeParts reads each part in a file that join makes. What may hold anything stands behind a key of no use: of a second one the
// library says that it is one too many, and derives nothing for it.
func decodeParts(parts []pkcs12Part, password string, join func(password string, parts ...[]byte) []byte) ([]*x509.Certificate, []any, error) {
	spareKey, err := throwawayKey()
	if err != nil {
		return nil, nil, err
	}
	bag, err := throwawayCertificate()
	if err != nil {
		return nil, nil, err
	}
	spareCertificate := dataPart(bag)
	var certs []*x509.Certificate
	var keys []any
	for _, p := range parts {
		if p.key {
			key, _, _, err := pkcs12.DecodeChain(join(password, spareCertificate, p.der), password)
			if err != nil {
				return nil, nil, err
			}
			keys = append(keys, key)
			continue
		}
		_, cert, more, err := pkcs12.DecodeChain(join(password, spareKey, p.der), password)
		if err != nil {
			return nil, nil, err
		}
		certs = append(append(certs, cert), more...)
	}
	return certs, keys, nil
}

var (
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidKeyBag    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShrouded  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidPBMAC1    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidPBKDF2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidSHA1      = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidHMACSHA2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	explicitZero = cbasn1.Tag(0).ContextSpecific().Constructed()
)

// splitPKCS12 returns the parts of a PFX. Bags that can be seen become parts of their own; bags other than
// keys and certificates are left out.
func splitPKCS12(data []byte) ([]pkcs12Part, error) {
	input := cryptobyte.String(data)
	var pfx, auth, safes cryptobyte.String
	if !input.ReadASN1(&pfx, cbasn1.SEQUENCE) || !pfx.SkipASN1(cbasn1.INTEGER) || !pfx.ReadASN1(&auth, cbasn1.SEQUENCE) {
		return nil, errParts
	}
	content, ok := dataOf(auth)
	if !ok {
		return nil, errParts
	}
	if content, ok = asDER(content); !ok || !content.ReadASN1(&safes, cbasn1.SEQUENCE) {
		return nil, errParts
	}
	var parts []pkcs12Part
	for !safes.Empty() {
		var whole, inner cryptobyte.String
		if len(parts) >= maxParts || !safes.ReadASN1Element(&whole, cbasn1.SEQUENCE) {
			return nil, errParts
		}
		element := whole
		if !element.ReadASN1(&inner, cbasn1.SEQUENCE) {
			return nil, errParts
		}
		bags, ok := dataOf(inner)
		if !ok {
			parts = append(parts, pkcs12Part{der: whole})
			continue
		}
		more, err := splitBags(bags)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

// dataOf returns the octets of a ContentInfo of the type data.
func dataOf(info cryptobyte.String) (cryptobyte.String, bool) {
	var oid asn1.ObjectIdentifier
	var wrapped, octets cryptobyte.String
	ok := info.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidData) &&
		info.ReadASN1(&wrapped, explicitZero) && wrapped.ReadASN1(&octets, cbasn1.OCTET_STRING)
	return octets, ok
}

func asDER(octets cryptobyte.String) (cryptobyte.String, bool) {
	der, err := toDER(octets)
	return der, err == nil
}

func splitBags(contents cryptobyte.String) ([]pkcs12Part, error) {
	var bags cryptobyte.String
	contents, ok := asDER(contents)
	if !ok || !contents.ReadASN1(&bags, cbasn1.SEQUENCE) {
		return nil, errParts
	}
	var parts []pkcs12Part
	for !bags.Empty() {
		var whole, bag cryptobyte.String
		var oid asn1.ObjectIdentifier
		if len(parts) >= maxParts || !bags.ReadASN1Element(&whole, cbasn1.SEQUENCE) {
			return nil, errParts
		}
		element := whole
		if !element.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&oid) {
			return nil, errParts
		}
		key := oid.Equal(oidKeyBag) || oid.Equal(oidShrouded)
		if key || oid.Equal(oidCertBag) {
			parts = append(parts, pkcs12Part{der: dataPart(whole), key: key})
		}
	}
	return parts, nil
}

// dataPart is a ContentInfo with one bag.
func dataPart(bag []byte) []byte {
	var b cryptobyte.Builder
	addData(&b, func(b *cryptobyte.Builder) { addSequence(b, func(b *cryptobyte.Builder) { b.AddBytes(bag) }) })
	return b.BytesOrPanic()
}

func throwawayKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidKeyBag)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) { b.AddBytes(der) })
	})
	return dataPart(b.BytesOrPanic()), nil
}

// joinPKCS12 makes a PFX of parts with a PBMAC1 (RFC 9579) under the password. The MAC protects nothing,
// since it lives only until the library has read it; it is there because the library wants one.
func joinPKCS12(password string, parts ...[]byte) []byte {
	return joined(func(b *cryptobyte.Builder, content []byte) { addMAC(b, content, password) }, parts...)
}

// joinEmpty is joinPKCS12 for the password that has no octet at all. QUIRK: an empty password is the two octets that end a BMPString
// (RFC 7292, B.1), and some programs leave them out; the library takes that from a MAC which fits.
func joinEmpty(_ string, parts ...[]byte) []byte { return joined(addEmptyMAC, parts...) }

func joined(mac func(*cryptobyte.Builder, []byte), parts ...[]byte) []byte {
	var safes cryptobyte.Builder
	addSequence(&safes, func(b *cryptobyte.Builder) {
		for _, p := range parts {
			b.AddBytes(p)
		}
	})
	content := safes.BytesOrPanic()
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addData(b, func(b *cryptobyte.Builder) { b.AddBytes(content) })
		mac(b, content)
	})
	return b.BytesOrPanic()
}

// addEmptyMAC adds a MAC with SHA-1 and one round under no octet: its key is the hash of the number of its use and the salt,
// each as often as it fits (RFC 7292, B.2).
func addEmptyMAC(b *cryptobyte.Builder, content []byte) {
	const forMAC, block = 3, 64
	salt := make([]byte, 8)
	key := sha1.Sum(append(bytes.Repeat([]byte{forMAC}, block), make([]byte, block)...))
	mac := hmac.New(sha1.New, key[:])
	mac.Write(content)
	addSequence(b, func(b *cryptobyte.Builder) {
		addSequence(b, func(b *cryptobyte.Builder) {
			addSequence(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA1); b.AddASN1NULL() })
			b.AddASN1OctetString(mac.Sum(nil))
		})
		b.AddASN1OctetString(salt)
		b.AddASN1Int64(1)
	})
}

func addMAC(b *cryptobyte.Builder, content []byte, password string) {
	const keyLength = 32
	salt := make([]byte, 16)
	key, err := pbkdf2.Key(sha256.New, password, salt, 1, keyLength)
	if err != nil {
		b.SetError(err)
		return
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	sha2 := func(b *cryptobyte.Builder) {
		addSequence(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidHMACSHA2); b.AddASN1NULL() })
	}
	kdf := func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBKDF2)
		addSequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(1)
			b.AddASN1Int64(keyLength)
			sha2(b)
		})
	}
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidPBMAC1)
		addSequence(b, func(b *cryptobyte.Builder) { addSequence(b, kdf); sha2(b) })
	}
	addSequence(b, func(b *cryptobyte.Builder) {
		addSequence(b, func(b *cryptobyte.Builder) { addSequence(b, algorithm); b.AddASN1OctetString(mac.Sum(nil)) })
		b.AddASN1OctetString(salt)
		b.AddASN1Int64(1)
	})
}

func addSequence(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, f) }

// addData adds a ContentInfo of the type data.
func addData(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) {
	addSequence(b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidData)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.OCTET_STRING, f) })
	})
}
