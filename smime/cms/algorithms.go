package cms

import (
	"crypto"
	_ "crypto/md5" // for judging old signatures, as is SHA-1
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"
)

// cipherSpec is what this package knows of a content encryption algorithm.
type cipherSpec struct {
	name    Algorithm
	oid     string
	keySize int // bytes
	gcm     bool
}

// cipherSpecs lists the content encryption algorithms, in the order of preference that capabilities name.
func cipherSpecs() []cipherSpec {
	return []cipherSpec{
		{AES256GCM, oidAES256GCM, 32, true},
		{AES192GCM, oidAES192GCM, 24, true},
		{AES128GCM, oidAES128GCM, 16, true},
		{AES256CBC, oidAES256CBC, 32, false},
		{AES192CBC, oidAES192CBC, 24, false},
		{AES128CBC, oidAES128CBC, 16, false},
	}
}

func cipherByName(name Algorithm) (cipherSpec, error) {
	for _, c := range cipherSpecs() {
		if c.name == name {
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
