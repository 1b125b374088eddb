package tlsnames

import "strings"

// schemes are the signature schemes. https://www.iana.org/assignments/tls-parameters, "TLS SignatureScheme"; those of one hash and one
// algorithm that TLS 1.2 knows beside them have the names that follow the pattern.
var schemes = [...]struct {
	id   uint16
	name string
}{
	{0x0101, "rsa_pkcs1_md5"},
	{0x0201, "rsa_pkcs1_sha1"},
	{0x0202, "dsa_sha1"},
	{0x0203, "ecdsa_sha1"},
	{0x0301, "rsa_pkcs1_sha224"},
	{0x0302, "dsa_sha224"},
	{0x0303, "ecdsa_sha224"},
	{0x0401, "rsa_pkcs1_sha256"},
	{0x0402, "dsa_sha256"},
	{0x0403, "ecdsa_secp256r1_sha256"},
	{0x0420, "rsa_pkcs1_sha256_legacy"},
	{0x0501, "rsa_pkcs1_sha384"},
	{0x0502, "dsa_sha384"},
	{0x0503, "ecdsa_secp384r1_sha384"},
	{0x0520, "rsa_pkcs1_sha384_legacy"},
	{0x0601, "rsa_pkcs1_sha512"},
	{0x0602, "dsa_sha512"},
	{0x0603, "ecdsa_secp521r1_sha512"},
	{0x0620, "rsa_pkcs1_sha512_legacy"},
	{0x0704, "eccsi_sha256"},
	{0x0708, "sm2sig_sm3"},
	{0x0804, "rsa_pss_rsae_sha256"},
	{0x0805, "rsa_pss_rsae_sha384"},
	{0x0806, "rsa_pss_rsae_sha512"},
	{0x0807, "ed25519"},
	{0x0808, "ed448"},
	{0x0809, "rsa_pss_pss_sha256"},
	{0x080A, "rsa_pss_pss_sha384"},
	{0x080B, "rsa_pss_pss_sha512"},
	{0x081A, "ecdsa_brainpoolP256r1tls13_sha256"},
	{0x081B, "ecdsa_brainpoolP384r1tls13_sha384"},
	{0x081C, "ecdsa_brainpoolP512r1tls13_sha512"},
	{0x0904, "mldsa44"},
	{0x0905, "mldsa65"},
	{0x0906, "mldsa87"},
}

// SchemeName returns IANA's name of a signature scheme: rsa_pss_rsae_sha256; of a number that is none, as 0x0A0A.
func SchemeName(id uint16) string {
	for _, s := range schemes {
		if s.id == id {
			return s.name
		}
	}
	return hex(id)
}

// ParseScheme returns the number of the signature scheme with one of IANA's names, in upper or lower case, or written as in 0x0804.
// The error wraps ErrUnknown.
func ParseScheme(name string) (uint16, error) {
	for _, s := range schemes {
		if strings.EqualFold(name, s.name) {
			return s.id, nil
		}
	}
	if id, ok := number(name); ok {
		return id, nil
	}
	return 0, unknown("signature scheme", name)
}

// Schemes returns the numbers of all signature schemes, in their order.
func Schemes() []uint16 {
	ids := make([]uint16, len(schemes))
	for i, s := range schemes {
		ids[i] = s.id
	}
	return ids
}
