package x509x_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"github.com/ProtonMail/go-crypto/brainpool"
)

func BenchmarkVerifyBrainpool(b *testing.B) {
	for _, c := range []elliptic.Curve{brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1(), elliptic.P256(), elliptic.P521()} {
		b.Run(c.Params().Name, func(b *testing.B) {
			key, err := ecdsa.GenerateKey(c, rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			digest := sha512.Sum512([]byte("text"))
			signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
					b.Fatal("broken")
				}
			}
		})
	}
}
