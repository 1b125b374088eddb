package smime_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// capability is a SMIMECapability.
type capability struct {
	ID         asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

func list(t testing.TB, all ...capability) []byte {
	t.Helper()
	der, err := asn1.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var (
	aes256GCM = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}
	aes128CBC = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	des3      = asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}
	oaep      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}
	pss       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
)

// oaepParameters are RSAES-OAEP-params with one hash for everything, as RFC 4055, 4.1 has them.
func oaepParameters(t testing.TB, hash asn1.ObjectIdentifier) asn1.RawValue {
	t.Helper()
	h := pkix.AlgorithmIdentifier{Algorithm: hash, Parameters: asn1.NullRawValue}
	inner, err := asn1.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
	}{h, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, Parameters: asn1.RawValue{FullBytes: inner}}})
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: der}
}

func TestParseCapabilities(t *testing.T) {
	sha256, sha1 := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	number := asn1.RawValue{FullBytes: []byte{2, 2, 0, 128}}
	for _, c := range []struct {
		name string
		list []capability
		want string
	}{
		{"empty", nil, ""},
		{"weak ones are passed over", []capability{{ID: des3}, {ID: aes256GCM}, {ID: asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 2}, Parameters: number}, {ID: aes128CBC}}, "aes256-gcm aes128-cbc"},
		{"twice", []capability{{ID: aes128CBC}, {ID: aes128CBC}}, "aes128-cbc"},
		{"OAEP and PSS", []capability{{ID: oaep, Parameters: oaepParameters(t, sha256)}, {ID: pss}}, "oaep pss"},
		{"OAEP with SHA-1", []capability{{ID: oaep, Parameters: oaepParameters(t, sha1)}}, ""},
		{"OAEP with its defaults", []capability{{ID: oaep, Parameters: asn1.RawValue{FullBytes: []byte{0x30, 0}}}}, ""},
		{"OAEP with nothing", []capability{{ID: oaep}}, "oaep"},
		{"OAEP with rubbish", []capability{{ID: oaep, Parameters: number}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := smime.ParseCapabilities(list(t, c.list...))
			if err != nil || got.String() != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if got.IsZero() != (c.want == "") {
				t.Errorf("IsZero: %v of %q", got.IsZero(), got)
			}
		})
	}
}

func TestParseCapabilitiesBounds(t *testing.T) {
	many := make([]capability, 201)
	for i := range many {
		many[i] = capability{ID: des3}
	}
	for name, der := range map[string][]byte{
		"nothing": {}, "no list": {2, 1, 1}, "more behind": append(list(t), 0), "not a capability": {0x30, 3, 2, 1, 1},
		"too many": list(t, many...), "too long": make([]byte, 20<<10),
	} {
		if c, err := smime.ParseCapabilities(der); !errors.Is(err, cms.ErrMalformed) || !c.IsZero() {
			t.Errorf("%s: %q, %v", name, c, err)
		}
	}
}

// The certificate's word counts where it can be read (RFC 4262).
func TestCertificateCapabilities(t *testing.T) {
	with := func(der []byte) *x509.Certificate {
		return &x509.Certificate{Extensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 0, 0}},
			{Id: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}, Value: der},
		}}
	}
	if c := smime.CertificateCapabilities(with(list(t, capability{ID: aes256GCM}))); c.String() != "aes256-gcm" {
		t.Errorf("got %q", c)
	}
	for name, cert := range map[string]*x509.Certificate{"broken": with([]byte{1}), "none": {}} {
		if c := smime.CertificateCapabilities(cert); !c.IsZero() {
			t.Errorf("%s: %q", name, c)
		}
	}
}

func TestCapabilityText(t *testing.T) {
	for _, text := range []string{"", "aes256-gcm", "aes128-gcm aes256-cbc oaep pss headers"} {
		if got := smime.ParseCapabilityText(text).String(); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	if got := smime.ParseCapabilityText("des-ede3-cbc aes256-gcm ml-kem aes256-gcm").String(); got != "aes256-gcm" {
		t.Errorf("got %q", got)
	}
}

// What is read is known and strong, and its text form says the same.
func FuzzCapabilities(f *testing.F) {
	f.Add(list(f, capability{ID: aes256GCM}, capability{ID: des3}, capability{ID: pss}))
	f.Add(list(f, capability{ID: oaep, Parameters: oaepParameters(f, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1})}))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := smime.ParseCapabilities(der)
		if err != nil && !c.IsZero() {
			t.Fatalf("an error and %q", c)
		}
		if back := smime.ParseCapabilityText(c.String()); back.String() != c.String() || strings.Contains(c.String(), "des") {
			t.Fatalf("%q came back as %q", c, back)
		}
	})
}
