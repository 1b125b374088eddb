package tlsnames

import (
	"slices"
	"strings"
)

// Group is a group for the agreement on a key: a curve, a finite field, or one of these together with a scheme that quantum computers do
// not break.
type Group struct {
	ID uint16
	// Name as this program writes it: P-256, X25519; IANA's where people use that.
	Name string
	// IANA is the registered name.
	IANA string
	// TLS13 is set for groups of TLS 1.3 alone, TLS12 for those that TLS 1.3 does not have. Neither: both.
	TLS13, TLS12 bool
	// Bits is about how strong the group is: as many operations as 2 to this it takes to break it, after NIST SP 800-57 part 1, table 2.
	Bits int
	// Hybrid is set where a scheme is part that quantum computers do not break.
	Hybrid bool
}

// groups in the order of their numbers. https://www.iana.org/assignments/tls-parameters, "TLS Supported Groups"
var groups = [...]Group{
	{ID: 1, Name: "sect163k1", IANA: "sect163k1", TLS12: true, Bits: 80},
	{ID: 2, Name: "sect163r1", IANA: "sect163r1", TLS12: true, Bits: 80},
	{ID: 3, Name: "sect163r2", IANA: "sect163r2", TLS12: true, Bits: 80},
	{ID: 4, Name: "sect193r1", IANA: "sect193r1", TLS12: true, Bits: 96},
	{ID: 5, Name: "sect193r2", IANA: "sect193r2", TLS12: true, Bits: 96},
	{ID: 6, Name: "sect233k1", IANA: "sect233k1", TLS12: true, Bits: 112},
	{ID: 7, Name: "sect233r1", IANA: "sect233r1", TLS12: true, Bits: 112},
	{ID: 8, Name: "sect239k1", IANA: "sect239k1", TLS12: true, Bits: 112},
	{ID: 9, Name: "sect283k1", IANA: "sect283k1", TLS12: true, Bits: 128},
	{ID: 10, Name: "sect283r1", IANA: "sect283r1", TLS12: true, Bits: 128},
	{ID: 11, Name: "sect409k1", IANA: "sect409k1", TLS12: true, Bits: 192},
	{ID: 12, Name: "sect409r1", IANA: "sect409r1", TLS12: true, Bits: 192},
	{ID: 13, Name: "sect571k1", IANA: "sect571k1", TLS12: true, Bits: 256},
	{ID: 14, Name: "sect571r1", IANA: "sect571r1", TLS12: true, Bits: 256},
	{ID: 15, Name: "secp160k1", IANA: "secp160k1", TLS12: true, Bits: 80},
	{ID: 16, Name: "secp160r1", IANA: "secp160r1", TLS12: true, Bits: 80},
	{ID: 17, Name: "secp160r2", IANA: "secp160r2", TLS12: true, Bits: 80},
	{ID: 18, Name: "secp192k1", IANA: "secp192k1", TLS12: true, Bits: 96},
	{ID: 19, Name: "P-192", IANA: "secp192r1", TLS12: true, Bits: 96},
	{ID: 20, Name: "secp224k1", IANA: "secp224k1", TLS12: true, Bits: 112},
	{ID: 21, Name: "P-224", IANA: "secp224r1", TLS12: true, Bits: 112},
	{ID: 22, Name: "secp256k1", IANA: "secp256k1", TLS12: true, Bits: 128},
	{ID: 23, Name: "P-256", IANA: "secp256r1", Bits: 128},
	{ID: 24, Name: "P-384", IANA: "secp384r1", Bits: 192},
	{ID: 25, Name: "P-521", IANA: "secp521r1", Bits: 256},
	{ID: 26, Name: "brainpoolP256r1", IANA: "brainpoolP256r1", TLS12: true, Bits: 128},
	{ID: 27, Name: "brainpoolP384r1", IANA: "brainpoolP384r1", TLS12: true, Bits: 192},
	{ID: 28, Name: "brainpoolP512r1", IANA: "brainpoolP512r1", TLS12: true, Bits: 256},
	{ID: 29, Name: "X25519", IANA: "x25519", Bits: 128},
	{ID: 30, Name: "X448", IANA: "x448", Bits: 224},
	{ID: 31, Name: "brainpoolP256r1tls13", IANA: "brainpoolP256r1tls13", TLS13: true, Bits: 128},
	{ID: 32, Name: "brainpoolP384r1tls13", IANA: "brainpoolP384r1tls13", TLS13: true, Bits: 192},
	{ID: 33, Name: "brainpoolP512r1tls13", IANA: "brainpoolP512r1tls13", TLS13: true, Bits: 256},
	{ID: 41, Name: "curveSM2", IANA: "curveSM2", TLS13: true, Bits: 128},
	{ID: 256, Name: "ffdhe2048", IANA: "ffdhe2048", Bits: 112},
	{ID: 257, Name: "ffdhe3072", IANA: "ffdhe3072", Bits: 128},
	{ID: 258, Name: "ffdhe4096", IANA: "ffdhe4096", Bits: 128},
	{ID: 259, Name: "ffdhe6144", IANA: "ffdhe6144", Bits: 128},
	{ID: 260, Name: "ffdhe8192", IANA: "ffdhe8192", Bits: 192},
	{ID: 4587, Name: "SecP256r1MLKEM768", IANA: "SecP256r1MLKEM768", TLS13: true, Bits: 128, Hybrid: true},
	{ID: 4588, Name: "X25519MLKEM768", IANA: "X25519MLKEM768", TLS13: true, Bits: 128, Hybrid: true},
	{ID: 4589, Name: "SecP384r1MLKEM1024", IANA: "SecP384r1MLKEM1024", TLS13: true, Bits: 192, Hybrid: true},
}

// otherGroups are names beside those of IANA: FIPS 186, X9.62, and what OpenSSL writes.
var otherGroups = [...]struct {
	name string
	id   uint16
}{
	{"prime192v1", 19}, {"prime256v1", 23}, {"curve25519", 29}, {"curve448", 30}, {"P256", 23}, {"P384", 24}, {"P521", 25},
	{"K-163", 1}, {"B-163", 3}, {"K-233", 6}, {"B-233", 7}, {"K-283", 9}, {"B-283", 10}, {"K-409", 11}, {"B-409", 12}, {"K-571", 13}, {"B-571", 14},
	{"sm2p256v1", 41},
}

// Groups returns all groups, in the order of their numbers. The slice is the caller's.
func Groups() []Group { return slices.Clone(groups[:]) }

// LookupGroup returns the group with a number.
func LookupGroup(id uint16) (Group, bool) {
	for _, g := range groups {
		if g.ID == id {
			return g, true
		}
	}
	return Group{}, false
}

// GroupName returns the name of a group: P-256, X25519MLKEM768; of a number that is none, as 0x2A2A.
func GroupName(id uint16) string {
	if g, found := LookupGroup(id); found {
		return g.Name
	}
	return hex(id)
}

// ParseGroup returns the number of the group with a name: P-256, secp256r1, prime256v1, in upper or lower case, or written as in 0x0017.
// The error wraps ErrUnknown.
func ParseGroup(name string) (uint16, error) {
	for _, g := range groups {
		if strings.EqualFold(name, g.Name) || strings.EqualFold(name, g.IANA) {
			return g.ID, nil
		}
	}
	for _, o := range otherGroups {
		if strings.EqualFold(name, o.name) {
			return o.id, nil
		}
	}
	if id, ok := number(name); ok {
		return id, nil
	}
	return 0, unknown("group", name)
}
