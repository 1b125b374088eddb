package interop

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
)

// signScheme is how one signer signs.
type signScheme struct {
	name   string
	person string
	pss    bool
}

// signSchemes are all of them, in the order of the page.
var signSchemes = []signScheme{
	{"RSA PKCS #1 v1.5", "rsa", false},
	{"RSASSA-PSS", "rsa", true},
	{"RSASSA-PSS, a key for nothing else", "rsapss", true},
	{"ECDSA P-256", "p256", false},
	{"ECDSA P-384", "p384", false},
	{"ECDSA P-521", "p521", false},
	{"ECDSA brainpoolP256r1", "bp256", false},
	{"ECDSA brainpoolP384r1", "bp384", false},
	{"ECDSA brainpoolP512r1", "bp512", false},
	{"Ed25519", "ed25519", false},
}

var hashNames = map[crypto.Hash]string{crypto.SHA1: "SHA-1", crypto.SHA224: "SHA-224", crypto.SHA256: "SHA-256", crypto.SHA384: "SHA-384", crypto.SHA512: "SHA-512"}

// forms of a SignedData. Streamed: BER with indefinite lengths, its content in pieces.
const (
	detached = "detached"
	opaque   = "opaque"
	streamed = "streamed"
)

// signCase is one way to sign.
type signCase struct {
	label   string
	schemes []signScheme
	hash    crypto.Hash
	ski     bool // signers are named by subject key identifier
	form    string
	bare    bool // without signed attributes
	readers bool // others send it, and we only read
}

func (c signCase) variant() string {
	id := "issuer"
	if c.ski {
		id = "key identifier"
	}
	return c.form + ", " + id
}

// row is the line of the page.
func (c signCase) row() string {
	if c.bare {
		return c.label + ", no signed attributes"
	}
	return c.label
}

func (c signCase) key() string {
	return "sign|" + c.row() + "|" + hashNames[c.hash] + "|" + c.variant()
}

// signCases is every combination.
func signCases() []signCase {
	several := [][]signScheme{
		{signSchemes[0], signSchemes[3]}, {signSchemes[1], signSchemes[4]}, {signSchemes[0], signSchemes[9]}, {signSchemes[6], signSchemes[0], signSchemes[3]},
	}
	var cases []signCase
	add := func(schemes []signScheme, hash crypto.Hash, bare, readers bool) {
		var names []string
		for _, s := range schemes {
			names = append(names, s.name)
		}
		for _, form := range []string{detached, opaque, streamed} {
			for _, ski := range []bool{false, true} {
				cases = append(cases, signCase{strings.Join(names, " and "), schemes, hash, ski, form, bare, readers})
			}
		}
	}
	for _, s := range signSchemes {
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			if s.person == "ed25519" && h != crypto.SHA512 {
				continue // RFC 8419, 2.3
			}
			add([]signScheme{s}, h, false, false)
		}
	}
	for _, s := range several {
		add(s, crypto.SHA512, false, false)
	}
	for _, s := range []signScheme{signSchemes[0], signSchemes[3]} {
		add([]signScheme{s}, crypto.SHA1, false, true)
		add([]signScheme{s}, crypto.SHA256, true, true)
	}
	return cases
}

// transport is how the content key comes to one recipient.
type transport struct {
	name    string
	person  string
	oaep    bool
	hash    crypto.Hash // of OAEP, or of the key derivation
	mgf     crypto.Hash
	label   string
	cofac   bool // cofactor Diffie-Hellman
	readers bool // others send it, and we only read
}

// kind is what Siegel calls the way in its reports.
func (t transport) kind() string {
	switch {
	case t.oaep:
		return "rsa-oaep"
	case t.person == "rsa":
		return "rsa"
	case t.person == "x25519":
		return "x25519"
	}
	return "ecdh"
}

// transports are all of them, in the order of the page.
func transports() []transport {
	all := []transport{
		{name: "RSA PKCS #1 v1.5", person: "rsa"},
		{name: "RSAES-OAEP, SHA-1", person: "rsa", oaep: true, hash: crypto.SHA1, mgf: crypto.SHA1},
		{name: "RSAES-OAEP, SHA-256", person: "rsa", oaep: true, hash: crypto.SHA256, mgf: crypto.SHA256},
		{name: "RSAES-OAEP, SHA-384", person: "rsa", oaep: true, hash: crypto.SHA384, mgf: crypto.SHA384},
		{name: "RSAES-OAEP, SHA-512", person: "rsa", oaep: true, hash: crypto.SHA512, mgf: crypto.SHA512},
		{name: "RSAES-OAEP, SHA-256, MGF1 with SHA-1", person: "rsa", oaep: true, hash: crypto.SHA256, mgf: crypto.SHA1},
		{name: "RSAES-OAEP, SHA-256, with a label", person: "rsa", oaep: true, hash: crypto.SHA256, mgf: crypto.SHA256, label: "siegel"},
	}
	curves := []struct {
		name, person string
		hash         crypto.Hash
	}{
		{"P-256", "p256", crypto.SHA256}, {"P-384", "p384", crypto.SHA384}, {"P-521", "p521", crypto.SHA512},
		{"brainpoolP256r1", "bp256", crypto.SHA256}, {"brainpoolP384r1", "bp384", crypto.SHA384}, {"brainpoolP512r1", "bp512", crypto.SHA512},
	}
	for _, c := range curves {
		all = append(all, transport{name: "ECDH " + c.name + ", " + hashNames[c.hash], person: c.person, hash: c.hash})
	}
	all = append(all, transport{name: "X25519, HKDF with SHA-256", person: "x25519", hash: crypto.SHA256})
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA384, crypto.SHA512} {
		all = append(all, transport{name: "ECDH P-256, " + hashNames[h], person: "p256", hash: h, readers: true})
	}
	return append(all, transport{name: "ECDH P-256 with cofactor, SHA-256", person: "p256", hash: crypto.SHA256, cofac: true, readers: true})
}

// contents are the content encryption algorithms of today.
var contents = []string{"aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm", "chacha20-poly1305"}

// sealCase is one way to encrypt.
type sealCase struct {
	transports []transport
	algorithm  string
	ski        bool
	form       string // opaque (DER) or streamed (BER)
	by         int    // index of the recipient who reads
}

func (c sealCase) variant() string {
	form := "DER"
	if c.form == streamed {
		form = "BER"
	}
	if c.ski {
		return form + ", key identifier"
	}
	return form + ", issuer"
}

func (c sealCase) row() string {
	var names []string
	for _, t := range c.transports {
		names = append(names, t.name)
	}
	label := strings.Join(names, " and ")
	if len(names) > 1 {
		label += ", read by the " + [...]string{"first", "second"}[c.by]
	}
	return label
}

func (c sealCase) key() string { return "seal|" + c.row() + "|" + c.algorithm + "|" + c.variant() }

// sent reports whether we send such messages; else we read them alone.
func (c sealCase) sent() bool {
	for _, t := range c.transports {
		if t.readers {
			return false
		}
	}
	return !c.ski && c.algorithm != "des-ede3-cbc" && c.algorithm != "rc2-cbc" && c.algorithm != "aes192-gcm"
}

// sealCases is every combination.
func sealCases() []sealCase {
	all := transports()
	at := func(name string) transport {
		for _, t := range all {
			if strings.HasPrefix(t.name, name) {
				return t
			}
		}
		panic(fmt.Sprint("no transport ", name))
	}
	var sets [][]transport
	for _, t := range all {
		sets = append(sets, []transport{t})
	}
	sets = append(sets,
		[]transport{at("RSA PKCS"), at("ECDH P-256, SHA-256")}, []transport{at("ECDH P-384"), at("RSAES-OAEP, SHA-256")},
		[]transport{at("RSA PKCS"), at("ECDH brainpoolP256r1")}, []transport{at("X25519"), at("RSA PKCS")})
	var cases []sealCase
	for _, set := range sets {
		for _, a := range contentsFor(set) {
			for _, form := range []string{opaque, streamed} {
				for _, ski := range []bool{false, true} {
					for by := range set {
						cases = append(cases, sealCase{set, a, ski, form, by})
					}
				}
			}
		}
	}
	return cases
}

// contentsFor are the content algorithms to try with a set of recipients: all, but the old ones with those who use them,
// and one of each kind where several read.
func contentsFor(set []transport) []string {
	old := []string{"des-ede3-cbc", "rc2-cbc"}
	switch {
	case len(set) > 1:
		return []string{"aes256-cbc", "aes256-gcm"}
	case set[0].name == transports()[0].name, set[0].person == "p256" && !set[0].readers:
		return append(slices.Clone(contents), old...)
	}
	return contents
}
