package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/certs"
)

// dsaKey is a SubjectPublicKeyInfo (RFC 3279, 2.3.2) with parameters of so many bits.
func dsaKey(bits int) []byte {
	odd := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1})
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for range 2 { // p, q
					b.AddASN1BigInt(odd)
				}
				b.AddASN1BigInt(big.NewInt(2))
			})
		})
		var y cryptobyte.Builder
		y.AddASN1BigInt(big.NewInt(3))
		b.AddASN1BitString(y.BytesOrPanic())
	})
	return b.BytesOrPanic()
}

// forge is a certificate with a signature by DSA that nobody made.
func forge(t *testing.T, subject, issuer string, spki []byte) *x509.Certificate {
	t.Helper()
	name := func(s string) []byte { return must(asn1.Marshal(pkix.Name{CommonName: s}.ToRDNSequence())) }
	dsaWithSHA256 := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 2})
		})
	}
	var b, signature cryptobyte.Builder
	signature.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1Int64(7)
	})
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			dsaWithSHA256(b)
			b.AddBytes(name(issuer))
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1UTCTime(epoch.AddDate(-1, 0, 0))
				b.AddASN1UTCTime(epoch.AddDate(1, 0, 0))
			})
			b.AddBytes(name(subject))
			b.AddBytes(spki)
		})
		dsaWithSHA256(b)
		b.AddASN1BitString(signature.BytesOrPanic())
	})
	return must(x509.ParseCertificate(b.BytesOrPanic()))
}

// A stranger's DSA key may have parameters of any size: no signature is looked at under such a one.
func TestLargeDSAParameters(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := forge(t, "leaf", "issuer", must(x509.MarshalPKIXPublicKey(key.Public())))
	issuer := forge(t, "issuer", "issuer", dsaKey(1<<16))
	done := make(chan certs.Result, 1)
	go func() {
		done <- certs.NewValidator(nil, nil).Validate(t.Context(), leaf, []*x509.Certificate{issuer}, certs.Sign, "", epoch)
	}()
	select {
	case r := <-done:
		if r.Status != certs.StatusUntrusted {
			t.Errorf("%s %q", r.Status, r.Reasons)
		}
	case <-time.After(time.Minute):
		t.Fatal("the key is computed with")
	}
}
