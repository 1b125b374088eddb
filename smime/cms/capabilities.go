package cms

import (
	"crypto"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Capabilities is what a signer says that whoever reads mail for him can do (RFC 8551, 2.5.2), in his order of
// preference. Each is one of
//
//   - an [Algorithm]: "aes256-gcm";
//   - RSAES-OAEP with a digest, which is also that of its mask: "rsa-oaep-sha256" (RFC 3560, 5);
//   - RSASSA-PSS with a digest: "rsapss-sha256" (RFC 4056, 4);
//   - a key wrap: "aes128-wrap", "aes192-wrap", "aes256-wrap";
//   - ECDH with a derivation and a key wrap: "ecdh-sha256-aes128-wrap" (RFC 5753, 7), or with HKDF
//     "ecdh-hkdf-sha256-aes128-wrap" (RFC 8418);
//   - the dotted object identifier of anything else.
//
// They may be stored and read again as they are. Believe them only where the signature is right and the signer is
// whom mail would go to.
type Capabilities []string

// The capabilities that are no content encryption begin so; the name of a digest or key wrap follows.
const (
	capabilityOAEP = "rsa-oaep-"
	capabilityPSS  = "rsapss-"
	capabilityECDH = "ecdh-"
)

// Has reports whether name is among c.
func (c Capabilities) Has(name string) bool { return slices.Contains(c, name) }

// Content is the content encryption algorithms among c that this package knows, in the order of c.
func (c Capabilities) Content() []Algorithm {
	var out []Algorithm
	for _, name := range c {
		if spec, err := cipherByName(Algorithm(name)); err == nil {
			out = append(out, spec.name)
		}
	}
	return out
}

// OAEP is the digests with which c names RSAES-OAEP, in the order of c.
func (c Capabilities) OAEP() []crypto.Hash { return c.digests(capabilityOAEP) }

// PSS is the digests with which c names RSASSA-PSS, in the order of c.
func (c Capabilities) PSS() []crypto.Hash { return c.digests(capabilityPSS) }

func (c Capabilities) digests(prefix string) []crypto.Hash {
	var out []crypto.Hash
	for _, name := range c {
		if digest, ok := strings.CutPrefix(name, prefix); ok {
			if d, ok := digestByName(digest); ok {
				out = append(out, d.hash)
			}
		}
	}
	return out
}

// defaultCapabilities is what this package reads, the best first.
func defaultCapabilities() Capabilities {
	return Capabilities{string(AES256GCM), string(AES128GCM), string(AES256CBC), string(AES192CBC), string(AES128CBC),
		string(ChaCha20Poly1305), capabilityOAEP + "sha256", capabilityPSS + "sha256"}
}

// encode is the SMIMECapabilities, nil for none.
func (c Capabilities) encode() ([]byte, error) {
	if c == nil {
		c = defaultCapabilities()
	}
	var list [][]byte
	for _, name := range c {
		a, err := capabilityAlgorithm(name)
		if err != nil {
			return nil, err
		}
		list = append(list, a.encode())
	}
	if list == nil {
		return nil, nil
	}
	return sequence(list...), nil
}

// capabilityAlgorithm is the SMIMECapability for name.
func capabilityAlgorithm(name string) (algorithm, error) {
	if spec, err := cipherByName(Algorithm(name)); err == nil {
		return algorithm{oid: spec.oid}, nil // RFC 3565, 4.1; RFC 5084, 3: without parameters
	}
	if w, ok := wrapByName(name); ok {
		return algorithm{oid: w.oid}, nil
	}
	for prefix, oid := range map[string]string{capabilityOAEP: oidOAEP, capabilityPSS: oidPSS} {
		if digest, ok := strings.CutPrefix(name, prefix); ok {
			if d, ok := digestByName(digest); ok && d.hash != crypto.MD5 {
				salt := -1
				if oid == oidPSS {
					salt = d.hash.Size()
				}
				return algorithm{oid, hashAndMask(d, salt)}, nil
			}
		}
	}
	for _, s := range schemeSpecs() {
		if wrap, ok := strings.CutPrefix(name, capabilityECDH+s.name+"-"); ok {
			if w, ok := wrapByName(wrap); ok {
				return algorithm{s.oid, algorithm{oid: w.oid}.encode()}, nil // RFC 5753, 7
			}
		}
	}
	return algorithm{}, fmt.Errorf("%w: capability %q", ErrUnsupported, name)
}

// readCapabilities reads SMIMECapabilities, all of which s is to be. What is not readable is nothing that a
// signature depends on: nobody then knows of any capability.
func readCapabilities(s cryptobyte.String) Capabilities {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) || !s.Empty() {
		return nil
	}
	var out Capabilities
	for !list.Empty() {
		var one algorithm
		if !readAlgorithm(&list, &one) {
			return nil
		}
		if name := nameCapability(one); !out.Has(name) {
			out = append(out, name)
		}
		if len(out) > maxCapabilities {
			return nil
		}
	}
	return out
}

// maxCapabilities is the most that one signer has: programs name a dozen.
const maxCapabilities = 64

// nameCapability is what [Capabilities] calls a.
func nameCapability(a algorithm) string {
	if c, ok := cipherByOID(a.oid); ok {
		return string(c.name)
	}
	switch a.oid {
	case oidOAEP:
		if d, ok := readHashAndMask(a.parameters); ok {
			return capabilityOAEP + d.name
		}
	case oidPSS:
		if d, ok := readHashAndMask(a.parameters); ok {
			return capabilityPSS + d.name
		}
	}
	if w, ok := wrapByOID(a.oid); ok {
		return w.name
	}
	for _, s := range schemeSpecs() {
		var wrap algorithm
		p := cryptobyte.String(a.parameters)
		if s.oid == a.oid && readAlgorithm(&p, &wrap) && p.Empty() {
			if w, ok := wrapByOID(wrap.oid); ok {
				return capabilityECDH + s.name + "-" + w.name
			}
		}
	}
	return a.oid
}

// wrapSpec is a key wrap (RFC 3394) as capabilities name it.
type wrapSpec struct{ name, oid string }

func wrapSpecs() []wrapSpec {
	return []wrapSpec{{"aes128-wrap", oidAES128Wrap}, {"aes192-wrap", oidAES192Wrap}, {"aes256-wrap", oidAES256Wrap}}
}

func wrapByName(name string) (wrapSpec, bool) {
	return findWrap(func(w wrapSpec) bool { return w.name == name })
}
func wrapByOID(oid string) (wrapSpec, bool) {
	return findWrap(func(w wrapSpec) bool { return w.oid == oid })
}

func findWrap(is func(wrapSpec) bool) (wrapSpec, bool) {
	if i := slices.IndexFunc(wrapSpecs(), is); i >= 0 {
		return wrapSpecs()[i], true
	}
	return wrapSpec{}, false
}

// schemeSpec is a way of key agreement as capabilities name it: standard Diffie-Hellman with a key derivation.
type schemeSpec struct{ name, oid string }

func schemeSpecs() []schemeSpec {
	return []schemeSpec{
		{"sha1", oidStdDHSHA1}, {"sha224", oidStdDHSHA224}, {"sha256", oidStdDHSHA256}, {"sha384", oidStdDHSHA384}, {"sha512", oidStdDHSHA512},
		{"hkdf-sha256", oidHKDFSHA256}, {"hkdf-sha384", oidHKDFSHA384}, {"hkdf-sha512", oidHKDFSHA512},
	}
}
