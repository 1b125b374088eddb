package cms

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
)

// capable is a certificate with an extension of capabilities.
func capable(der []byte) *x509.Certificate {
	return &x509.Certificate{Extensions: []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 0, 0}},
		{Id: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 15}, Value: der},
	}}
}

func TestCertificateCapabilities(t *testing.T) {
	want := Capabilities{string(AES256GCM), string(AES128CBC), "rsa-oaep-sha256", "1.2.840.113549.3.2"} // RC2
	var list [][]byte
	for _, name := range want[:3] {
		a, err := capabilityAlgorithm(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a.encode())
	}
	list = append(list, algorithm{oid: want[3]}.encode())
	if got := CertificateCapabilities(capable(sequence(list...))); !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
	for name, c := range map[string]*x509.Certificate{
		"none": {}, "empty": capable(nil), "no list": capable([]byte{2, 1, 1}), "more behind": capable(append(sequence(), 0)),
		"not capabilities": capable(sequence(smallInteger(1))),
	} {
		if got := CertificateCapabilities(c); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is read can be written, unless it is known by its identifier only, and reads the same again.
func FuzzCapabilities(f *testing.F) {
	if der, err := defaultCapabilities().encode(); err == nil {
		f.Add(der)
	}
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		got := CertificateCapabilities(capable(der))
		for _, name := range got {
			a, err := capabilityAlgorithm(name)
			if err != nil {
				continue
			}
			if again := CertificateCapabilities(capable(sequence(a.encode()))); !slices.Equal(again, Capabilities{name}) {
				t.Fatalf("%q came back as %q", name, again)
			}
		}
	})
}
