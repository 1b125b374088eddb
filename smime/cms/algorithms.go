package cms

import (
	"crypto"
	"crypto/aes"
	"crypto/des"
	_ "crypto/md5" // for judging old signatures, as is SHA-1
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// cipherSpec is what this package knows of a content encryption algorithm.
type cipherSpec struct {
	name    Algorithm
	oid     string
	keySize int // bytes
	block   int // bytes of a block of CBC, or of the nonce of the others
	mode    cipherMode
	legacy  bool // read only where that is allowed, never written
}

// cipherMode is how a content is encrypted, and with it what guards it.
type cipherMode int

const (
	modeCBC   cipherMode = iota // nothing does
	modeGCM                     // a stream
	modeWhole                   // all at once: an AEAD of somebody else's
)

// authenticated reports whether the mode guards integrity, and so belongs into AuthEnvelopedData.
func (s cipherSpec) authenticated() bool { return s.mode != modeCBC }

// cipherSpecs lists the content encryption algorithms, in the order of preference that capabilities name.
func cipherSpecs() []cipherSpec {
	return []cipherSpec{
		{AES256GCM, oidAES256GCM, 32, gcmNonceSize, modeGCM, false},
		{AES192GCM, oidAES192GCM, 24, gcmNonceSize, modeGCM, false},
		{AES128GCM, oidAES128GCM, 16, gcmNonceSize, modeGCM, false},
		{ChaCha20Poly1305, oidChaCha20Poly1305, chacha20poly1305.KeySize, chacha20poly1305.NonceSize, modeWhole, false},
		{AES256CBC, oidAES256CBC, 32, aes.BlockSize, modeCBC, false},
		{AES192CBC, oidAES192CBC, 24, aes.BlockSize, modeCBC, false},
		{AES128CBC, oidAES128CBC, 16, aes.BlockSize, modeCBC, false},
		{DESEDE3CBC, oidDESEDE3CBC, 24, des.BlockSize, modeCBC, true},
	}
}

// Authenticated reports whether the algorithm guards the integrity of the content, and so goes into
// AuthEnvelopedData. It is false for one that is not known.
func (a Algorithm) Authenticated() bool {
	for _, c := range cipherSpecs() {
		if c.name == a {
			return c.authenticated()
		}
	}
	return false
}

// cipherByName finds what may be written.
func cipherByName(name Algorithm) (cipherSpec, error) {
	for _, c := range cipherSpecs() {
		if c.name == name && !c.legacy {
			return c, nil
		}
	}
	return cipherSpec{}, fmt.Errorf("%w: content encryption algorithm %q", ErrUnsupported, string(name))
}

func cipherByOID(oid string) (cipherSpec, bool) {
	for _, c := range cipherSpecs() {
		if c.oid == oid {
			return c, true
		}
	}
	return cipherSpec{}, false
}

// capabilityName is the Algorithm of oid, or oid itself.
func capabilityName(oid string) string {
	if c, ok := cipherByOID(oid); ok {
		return string(c.name)
	}
	if oid == oidRC2CBC {
		return string(RC2CBC)
	}
	return oid
}

// digestSpec is what this package knows of a digest algorithm.
type digestSpec struct {
	hash   crypto.Hash
	oid    string
	name   string
	micalg string // RFC 8551, 3.5.3.2
	weak   bool
}

func digestSpecs() []digestSpec {
	return []digestSpec{
		{crypto.SHA256, oidSHA256, "sha256", "sha-256", false},
		{crypto.SHA384, oidSHA384, "sha384", "sha-384", false},
		{crypto.SHA512, oidSHA512, "sha512", "sha-512", false},
		{crypto.SHA224, oidSHA224, "sha224", "sha-224", false},
		{crypto.SHA1, oidSHA1, "sha1", "sha-1", true},
		{crypto.MD5, oidMD5, "md5", "md5", true},
	}
}

func digestByOID(oid string) (digestSpec, bool) {
	for _, d := range digestSpecs() {
		if d.oid == oid {
			return d, true
		}
	}
	return digestSpec{}, false
}

func digestByName(name string) (digestSpec, bool) {
	for _, d := range digestSpecs() {
		if d.name == name {
			return d, true
		}
	}
	return digestSpec{}, false
}

func digestByHash(h crypto.Hash) (digestSpec, bool) {
	for _, d := range digestSpecs() {
		if d.hash == h {
			return d, true
		}
	}
	return digestSpec{}, false
}

// digestName is the short name of a digest algorithm, or its dotted form.
func digestName(oid string) string {
	if d, ok := digestByOID(oid); ok {
		return d.name
	}
	return oid
}
