package enroll_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/enroll"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// forge issues a certificate for any address with the key of an authority, as whoever stole it would.
func forge(t *testing.T, a enroll.Authority, address string) *x509.Certificate {
	t.Helper()
	key := must(enroll.NewKey(enroll.P256))
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "Eve"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, BasicConstraintsValid: true,
		Policies: []x509.OID{must(x509.OIDFromInts([]uint64{2, 23, 140, 1, 5, 1, 3}))}, EmailAddresses: []string{address},
	}
	for _, c := range address {
		if c > 127 {
			tmpl.EmailAddresses, tmpl.ExtraExtensions = nil, []pkix.Extension{utf8Mailbox(address)}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.Certificate, key.Public(), a.Key)
	if err != nil {
		t.Fatal(err)
	}
	return must(x509.ParseCertificate(der))
}

// utf8Mailbox is a subject alternative name with a SmtpUTF8Mailbox.
func utf8Mailbox(address string) pkix.Extension {
	text := must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(address)}))
	value := must(asn1.Marshal(asn1.RawValue{Class: 2, IsCompound: true, Bytes: text}))
	oid := must(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}))
	name := must(asn1.Marshal(asn1.RawValue{Class: 2, IsCompound: true, Bytes: append(oid, value...)}))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: name}))}
}

// weakKey is an RSA key of 1024 bits, from a time when one was made.
func weakKey(t *testing.T) crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	return must(rsa.GenerateKey(rand.Reader, 1024))
}
