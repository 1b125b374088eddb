package cms

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// TestCapabilitiesRoundTrip writes every name there is and reads it again.
func TestCapabilitiesRoundTrip(t *testing.T) {
	all := Capabilities{"aes256-gcm", "aes192-gcm", "aes128-gcm", "chacha20-poly1305", "aes256-cbc", "aes192-cbc", "aes128-cbc",
		"rsa-oaep-sha1", "rsa-oaep-sha256", "rsa-oaep-sha384", "rsa-oaep-sha512", "rsapss-sha1", "rsapss-sha256", "rsapss-sha384", "rsapss-sha512",
		"aes128-wrap", "aes192-wrap", "aes256-wrap", "ecdh-sha1-aes128-wrap", "ecdh-sha256-aes128-wrap", "ecdh-sha384-aes256-wrap",
		"ecdh-sha512-aes256-wrap", "ecdh-hkdf-sha256-aes128-wrap", "ecdh-hkdf-sha512-aes256-wrap"}
	o := get(t, "p256").signer()
	o.Capabilities = all
	signed, err := VerifyDetached(signDetached(t, o, nil), strings.NewReader(""), Limits{})
	r := good(t, signed, err, get(t, "p256"))
	if !slices.Equal(r.Capabilities, all) {
		t.Errorf("%q", r.Capabilities)
	}
	if !r.Capabilities.Has("aes256-gcm") || r.Capabilities.Has("rc2") || len(r.Capabilities.Content()) != 7 || r.Capabilities.Content()[3] != ChaCha20Poly1305 {
		t.Errorf("content %q", r.Capabilities.Content())
	}
	want := []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}
	if !slices.Equal(r.Capabilities.OAEP(), want) || !slices.Equal(r.Capabilities.PSS(), want) {
		t.Errorf("OAEP %v, PSS %v", r.Capabilities.OAEP(), r.Capabilities.PSS())
	}
	for _, name := range []string{"", "rot13", "rsa-oaep-", "rsa-oaep-md5", "rsapss-md5", "ecdh-sha256", "ecdh-sha256-rc2", "1.2.840.113549.3.2"} {
		if der, err := (Capabilities{name}).encode(); err == nil {
			t.Errorf("%q is %x", name, der)
		}
	}
}

// TestCapabilitiesOfOthers reads what programs write, and the examples of RFC 3560 and RFC 4056, which lack their tags.
func TestCapabilitiesOfOthers(t *testing.T) {
	hash := "300d06096086480165030402010500"
	mask := "301a06092a864886f70d010108" + hash
	cases := map[string]struct {
		der  string
		want Capabilities
	}{
		"OAEP of SHA-1":            {"300d06092a864886f70d0101073000", Capabilities{"rsa-oaep-sha1"}},
		"OAEP as in the RFC":       {"303806092a864886f70d010107302b" + hash + mask, Capabilities{"rsa-oaep-sha256"}},
		"OAEP with tags":           {"303c06092a864886f70d010107302fa00f" + hash + "a11c" + mask, Capabilities{"rsa-oaep-sha256"}},
		"OAEP without parameters":  {"300b06092a864886f70d010107", Capabilities{"1.2.840.113549.1.1.7"}},
		"OAEP, another mask":       {"301e06092a864886f70d0101073011a00f" + hash, Capabilities{"1.2.840.113549.1.1.7"}},
		"PSS of SHA-1":             {"300d06092a864886f70d01010a3000", Capabilities{"rsapss-sha1"}},
		"PSS as in the RFC":        {"303806092a864886f70d01010a302b" + hash + mask, Capabilities{"rsapss-sha256"}},
		"AES-256-CBC, 3DES, RC2":   {"300b060960864801650304012a" + "300a06082a864886f70d0307" + "300e06082a864886f70d030202020080", Capabilities{"aes256-cbc", "des-ede3-cbc", "1.2.840.113549.3.2"}},
		"GCM with parameters":      {"300f060960864801650304012e" + "30020500", Capabilities{"aes256-gcm"}},
		"twice":                    {"300b060960864801650304012a" + "300b060960864801650304012a", Capabilities{"aes256-cbc"}},
		"signed data is preferred": {"300d060b2a864886f70d010910020b", Capabilities{"1.2.840.113549.1.9.16.2.11"}},
		"no OID":                   {"30020500", nil},
		"two parameters":           {"300f060960864801650304012a05000500", nil},
		"too many":                 {manyCapabilities(65), nil},
	}
	for name, c := range cases {
		der, err := hex.DecodeString(c.der)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := readCapabilities(sequence(der)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := readCapabilities(append(sequence(), 0)); got != nil {
		t.Errorf("more behind: %q", got)
	}
}

// manyCapabilities is n that are all different.
func manyCapabilities(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(hex.EncodeToString(sequence(tlv(tagOID, []byte{0x2b, byte(i)}))))
	}
	return out.String()
}

// TestHints holds that attributes that say something of the signer's program break nothing, and say nothing where
// there are several.
func TestHints(t *testing.T) {
	base := forge{p: get(t, "p256"), content: text(100)}
	p := get(t, "rsa").cert
	m := base.mandatory()
	caps, err := Capabilities{"aes256-gcm"}.encode()
	if err != nil {
		t.Fatal(err)
	}
	byName := retag(sequence(p.RawIssuer, integer(p.SerialNumber)), tagContextCons)
	byKey := tlv(tagContextCons|1, octetString(p.SubjectKeyId), tlv(tagGenTime, []byte("20200101000000Z")))
	subject := tlv(tagContext|2, p.SubjectKeyId)
	serial := RecipientID{Issuer: p.RawIssuer, Serial: p.SerialNumber}
	key := RecipientID{SubjectKeyID: p.SubjectKeyId}
	cases := map[string]struct {
		attributes   [][]byte
		capabilities Capabilities
		key          RecipientID
	}{
		"nothing":                  {nil, nil, RecipientID{}},
		"both":                     {[][]byte{one(oidCapabilities, caps), one(oidEncryptionKey, byName)}, Capabilities{"aes256-gcm"}, serial},
		"by recipient key":         {[][]byte{one(oidEncryptionKey, byKey)}, nil, key},
		"by subject key":           {[][]byte{one(oidEncryptionKey, subject)}, nil, key},
		"capabilities twice":       {[][]byte{one(oidCapabilities, caps), one(oidCapabilities, caps)}, nil, RecipientID{}},
		"capabilities, 3 times":    {[][]byte{one(oidCapabilities, caps), one(oidCapabilities, caps), one(oidCapabilities, caps)}, nil, RecipientID{}},
		"capabilities, two values": {[][]byte{one(oidCapabilities, caps, caps)}, nil, RecipientID{}},
		"capabilities, no value":   {[][]byte{one(oidCapabilities)}, nil, RecipientID{}},
		"key twice":                {[][]byte{one(oidEncryptionKey, byName), one(oidEncryptionKey, subject)}, nil, RecipientID{}},
		"key, two values":          {[][]byte{one(oidEncryptionKey, subject, subject)}, nil, RecipientID{}},
		"key in another form":      {[][]byte{one(oidEncryptionKey, tlv(tagContextCons|3, null()))}, nil, RecipientID{}},
		"key, name without number": {[][]byte{one(oidEncryptionKey, tlv(tagContextCons, p.RawIssuer))}, nil, RecipientID{}},
		"key, rubbish":             {[][]byte{one(oidEncryptionKey, tlv(tagContextCons|1, null()))}, nil, RecipientID{}},
	}
	for name, c := range cases {
		f := base
		f.attributes = append(m[:2:2], c.attributes...)
		_, signed, err := verifyOpaque(f.build(t))
		r := good(t, signed, err, f.p)
		if !slices.Equal(r.Capabilities, c.capabilities) || !sameID(r.EncryptionKey, c.key) {
			t.Errorf("%s: %q, %+v", name, r.Capabilities, r.EncryptionKey)
		}
		if (c.key.Serial != nil || c.key.SubjectKeyID != nil) != r.EncryptionKey.Matches(p) {
			t.Errorf("%s: matches another certificate", name)
		}
	}
}

func sameID(a, b RecipientID) bool {
	number := func(n *big.Int) string { return n.String() }
	return bytes.Equal(a.Issuer, b.Issuer) && bytes.Equal(a.SubjectKeyID, b.SubjectKeyID) && number(a.Serial) == number(b.Serial)
}

// TestCapabilitiesOpenSSL reads what openssl says it can do.
func TestCapabilitiesOpenSSL(t *testing.T) {
	p := get(t, "p256")
	cert, key := p.files(t)
	der := openssl(t, nil, "cms", "-sign", "-binary", "-signer", cert, "-inkey", key, "-outform", "DER")
	signed, err := VerifyDetached(der, strings.NewReader(""), Limits{})
	r := good(t, signed, err, p)
	if want := []Algorithm{AES256CBC, AES192CBC, AES128CBC}; !slices.Equal(r.Capabilities.Content(), want) || !r.Capabilities.Has("des-ede3-cbc") {
		t.Errorf("%q", r.Capabilities)
	}
}
