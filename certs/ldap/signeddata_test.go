package ldap

import (
	"bytes"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
)

// signedData is PKCS#7 around certificates, as short as it may be.
func signedData(certificates []byte) []byte {
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	data := []byte{0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
	return element(0x30, join(oid, element(0xa0, element(0x30, join([]byte{2, 1, 1, 0x31, 0}, data, element(0xa0, certificates), []byte{0x31, 0})))))
}

func oneCertificate(t testing.TB) []byte {
	t.Helper()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca.Certificate().Raw
}

func TestCertificatesIn(t *testing.T) {
	c := oneCertificate(t)
	for name, want := range map[string]struct {
		value []byte
		n     int
		fault bool
	}{
		"one":                    {c, 1, false},
		"two in PKCS#7":          {signedData(join(c, c)), 2, false},
		"none in PKCS#7":         {signedData(nil), 0, false},
		"of another kind":        {signedData(join(element(0xa1, []byte{5, 0}), c)), 1, false},
		"one that is none":       {signedData(join([]byte{0x30, 2, 5, 0}, c)), 1, false},
		"far too many":           {signedData(bytes.Repeat(c, maxCertificates+50)), maxCertificates, false},
		"too long for one":       {signedData(join(element(0x30, make([]byte, maxCertificate)), c)), 1, false},
		"cut":                    {signedData(c)[:200], 0, true},
		"cut inside":             {signedData([]byte{0x30, 0x82}), 0, true},
		"text":                   {[]byte("-----BEGIN CERTIFICATE-----"), 0, true},
		"empty":                  {nil, 0, true},
		"a value that is no one": {make([]byte, maxValue+1), 0, true},
	} {
		all, err := certificatesIn(want.value)
		if len(all) != want.n || (err != nil) != want.fault {
			t.Errorf("%s: %d certificates, %v", name, len(all), err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for value, want := range map[string]string{
		"Alice@Firma.example": "alice@firma.example", "SMTP:Alice@firma.example": "alice@firma.example", "smtp:alice@firma.example": "alice@firma.example",
		" alice@firma.example ": "alice@firma.example", "mailto:alice@firma.example": "alice@firma.example",
		"X400:c=DE;a= ;p=Firma;o=Exchange": "", "sip:alice@firma.example": "", "x500:/o=firma/cn=alice@firma.example": "", "notes:alice@firma.example": "",
		"alice": "", "": "", "smtp:": "", "@firma.example": "",
	} {
		var e Entry
		seen := map[string]bool{}
		e.address(value, seen)
		e.address(value, seen)
		got := ""
		if len(e.Addresses) > 0 {
			got = e.Addresses[0]
		}
		if got != want || len(e.Addresses) > 1 {
			t.Errorf("%q: %q", value, e.Addresses)
		}
	}
}

// Whatever a value holds: it ends, and what comes out is a certificate that stands in it, at most a hundred.
func FuzzCertificatesIn(f *testing.F) {
	c := oneCertificate(f)
	for _, s := range [][]byte{c, signedData(join(c, c)), signedData(nil), []byte("x"), signedData(c)[:100]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		all, err := certificatesIn(value)
		if len(all) > maxCertificates || err != nil && len(all) > 0 {
			t.Fatalf("%d certificates, %v", len(all), err)
		}
		for _, c := range all {
			if !bytes.Contains(value, c.Raw) {
				t.Fatal("a certificate that is not there")
			}
		}
	})
}

// Whatever a value of an attribute for addresses holds: what comes out is an address in the form that is compared.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"SMTP:a@b.example", "a@b", "x:y", ":", "smtp:smtp:a@b", "\"a:b\"@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var e Entry
		e.address(value, map[string]bool{})
		for _, a := range e.Addresses {
			if key(a) != a {
				t.Fatalf("%q: %q", value, a)
			}
		}
	})
}
