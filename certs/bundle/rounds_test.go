package bundle

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
)

// A file that asks for endless work is refused at once.
func TestAffordable(t *testing.T) {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p12, err := democa.PKCS12(id, "geheim")
	if err != nil || !affordable(p12) {
		t.Fatalf("a plain file is refused: %v", err)
	}
	salt, rounds := []byte{0x04, 0x02, 1, 2}, []byte{0x02, 0x05, 0x01, 0, 0, 0, 0}
	slow := joinPKCS12("geheim", append(append([]byte{0x30, 0x0b}, salt...), rounds...))
	if affordable(slow) {
		t.Error("four thousand million rounds are accepted")
	}
	if affordable(joinPKCS12("geheim", append([]byte{0x30, 0x0b, 0x84, 0x02, 1, 2}, rounds...))) {
		t.Error("they are where the salt has another class, which the library does not ask for")
	}
	many := make([][]byte, 5)
	for i := range many {
		many[i] = []byte{0x30, 0x08, 0x04, 0x01, 1, 0x02, 0x03, 0x4c, 0x4b, 0x40} // 5 million
	}
	if !affordable(joinPKCS12("geheim", many[:3]...)) || affordable(joinPKCS12("geheim", many...)) {
		t.Error("what the parts of a file take is not added up")
	}
	if affordable([]byte("no DER")) {
		t.Error("no DER is accepted")
	}
	var r FileReport
	new(content).parse("", slow, Options{}, &r)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, "rounds") {
		t.Errorf("report %v", r.Findings)
	}
}

// oldAlgorithm is the AlgorithmIdentifier of 3DES with a key out of so many rounds (RFC 7292, C).
func oldAlgorithm(b *cryptobyte.Builder, salt []byte, rounds int64) {
	addSequence(b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3})
		addSequence(b, func(b *cryptobyte.Builder) { b.AddASN1OctetString(salt); b.AddASN1Int64(rounds) })
	})
}

// derived makes a key, or another value, of a password in one round (RFC 7292, B.2).
func derived(use byte, password, salt []byte, length int) []byte {
	const block = 64
	fill := func(b []byte) []byte {
		if len(b) == 0 {
			return nil
		}
		return bytes.Repeat(b, block/len(b)+1)[:block]
	}
	in := append(fill(salt), fill(password)...)
	var out []byte
	for len(out) < length {
		a := sha1.Sum(append(bytes.Repeat([]byte{use}, block), in...))
		out = append(out, a[:]...)
		plus := new(big.Int).Add(new(big.Int).SetBytes(fill(a[:])), big.NewInt(1))
		for i := 0; i < len(in); i += block {
			sum := new(big.Int).Add(new(big.Int).SetBytes(in[i:i+block]), plus).FillBytes(make([]byte, block+1))
			copy(in[i:], sum[1:])
		}
	}
	return out[:length]
}

// encryptedPart is a part of a PKCS#12 file that is encrypted (RFC 7292, 4.1; RFC 5652, 8).
func encryptedPart(t *testing.T, ciphertext []byte, algorithm func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidEncryptedData)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) {
			addSequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				addSequence(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData)
					algorithm(b)
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(ciphertext) })
				})
			})
		})
	})
	return must(t)(b.Bytes())
}

func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// inOld encrypts bags as before PBES2, under the octets of a password.
func inOld(t *testing.T, password []byte, bags ...[]byte) []byte {
	t.Helper()
	plain, salt := contents(t, bags...), make([]byte, 8)
	rand.Read(salt)
	pad := des.BlockSize - len(plain)%des.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := des.NewTripleDESCipher(derived(1, password, salt, 24))
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, derived(2, password, salt, des.BlockSize)).CryptBlocks(plain, plain)
	return encryptedPart(t, plain, func(b *cryptobyte.Builder) { oldAlgorithm(b, salt, 1) })
}

// inNew encrypts bags with PBES2.
func inNew(t *testing.T, password string, bags ...[]byte) []byte {
	t.Helper()
	input := cryptobyte.String(must(t)(encryptKey(contents(t, bags...), password, 1)))
	var info, algorithm, ciphertext cryptobyte.String
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !info.ReadASN1(&ciphertext, cbasn1.OCTET_STRING) {
		t.Fatal("what was written cannot be read")
	}
	return encryptedPart(t, ciphertext, func(b *cryptobyte.Builder) { b.AddBytes(algorithm) })
}

func contents(t *testing.T, bags ...[]byte) []byte {
	t.Helper()
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		for _, bag := range bags {
			b.AddBytes(bag)
		}
	})
	return must(t)(b.Bytes())
}

// costly is an encrypted key that takes many minutes to open.
func costly(b *cryptobyte.Builder) {
	addSequence(b, func(b *cryptobyte.Builder) {
		oldAlgorithm(b, make([]byte, 8), 1<<31-1)
		b.AddASN1OctetString(make([]byte, 64))
	})
}

// costlyKey is the bag of one.
func costlyKey(t *testing.T) []byte {
	t.Helper()
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidShrouded)
		b.AddASN1(explicitZero, costly)
	})
	return must(t)(b.Bytes())
}

// shroudedKey is the bag of an encrypted key, under geheim.
func shroudedKey(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidShrouded)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) {
			b.AddBytes(must(t)(encryptKey(must(t)(x509.MarshalPKCS8PrivateKey(key)), "geheim", 1)))
		})
	})
	return must(t)(b.Bytes())
}

// bmp is a password as PKCS#12 had it before PBES2 (RFC 7292, B.1).
func bmp(password string) []byte {
	var b []byte
	for _, c := range []byte(password) {
		b = append(b, 0, c)
	}
	return append(b, 0, 0)
}

// A key within an encrypted part, which nobody could look at before, costs no endless work either.
func TestHiddenRounds(t *testing.T) {
	cert := must(t)(throwawayCertificate())
	key := must(t)(throwawayKey())
	for name, part := range map[string][]byte{
		"PBES2":                     inNew(t, "geheim", costlyKey(t), cert),
		"PBES2, the key in the end": inNew(t, "geheim", cert, costlyKey(t)),
		"3DES":                      inOld(t, bmp("geheim"), costlyKey(t), cert),
		"3DES, the key in the end":  inOld(t, bmp("geheim"), cert, costlyKey(t)),
	} {
		for _, file := range [][]byte{joinPKCS12("geheim", part), joinPKCS12("geheim", part, key)} {
			began := time.Now()
			certs, keys, err := decodePKCS12(file, "geheim")
			if err == nil || time.Since(began) > 30*time.Second {
				t.Errorf("%s: %d certificates, %d keys, %v after %v", name, len(certs), len(keys), err, time.Since(began))
			}
			if !errors.Is(err, errRounds) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	var alone cryptobyte.Builder
	costly(&alone)
	if _, err := encryptedKey(must(t)(alone.Bytes()), "geheim"); !errors.Is(err, errRounds) {
		t.Errorf("a key by itself: %v", err)
	}
}

// What is in an encrypted part and costs little is read: certificates however they are encrypted, and keys with PBES2 and 3DES.
func TestEncryptedParts(t *testing.T) {
	cert := must(t)(throwawayCertificate())
	key := must(t)(throwawayKey())
	bags, err := splitPKCS12(joinPKCS12("", key))
	if err != nil || len(bags) != 1 {
		t.Fatal(err)
	}
	content, err := contentsOf(bags[0].der, "")
	if err != nil {
		t.Fatal(err)
	}
	var keyBag cryptobyte.String
	if in := cryptobyte.String(content); !in.ReadASN1(&keyBag, cbasn1.SEQUENCE) {
		t.Fatal("no bag")
	}
	for name, c := range map[string]struct {
		password string
		file     []byte
	}{
		"PBES2":                       {"geheim", joinPKCS12("geheim", inNew(t, "geheim", cert), key)},
		"PBES2 with the key":          {"geheim", joinPKCS12("geheim", inNew(t, "geheim", cert, keyBag))},
		"3DES":                        {"geheim", joinPKCS12("geheim", inOld(t, bmp("geheim"), cert), key)},
		"3DES with the key":           {"geheim", joinPKCS12("geheim", inOld(t, bmp("geheim"), cert, keyBag))},
		"3DES with an encrypted key":  {"geheim", joinPKCS12("geheim", inOld(t, bmp("geheim"), cert, shroudedKey(t)))},
		"3DES, nothing and the key":   {"", joinEmpty("", inOld(t, nil, cert, keyBag))},
		"3DES, an empty password":     {"", joinPKCS12("", inOld(t, bmp(""), cert), key)},
		"3DES, a password of nothing": {"", joinEmpty("", inOld(t, nil, cert), key)},
	} {
		certs, keys, err := decodePKCS12(c.file, c.password)
		if err != nil || len(certs) != 1 || len(keys) != 1 {
			t.Errorf("%s: %d certificates, %d keys, %v", name, len(certs), len(keys), err)
		}
		var r FileReport
		read("", c.file, Options{Passwords: []secret.String{secret.New("falsch")}}, &r)
		if text := r.String(); c.password != "" && !strings.Contains(text, "no password known fits") {
			t.Errorf("%s, another password: %s", name, text)
		}
	}
}
