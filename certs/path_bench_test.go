package certs_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

// BenchmarkPath is the judgement of a user's certificate below one authority: new ones each time, so that no signature is known; the same
// again; and beside them the bare signatures that it rests on.
func BenchmarkPath(b *testing.B) {
	w := newWorld(b)
	leaf := must(w.issuing.Issue("alice@firma.example", democa.Options{Key: w.ec})).Certificate
	anchors, between := []*x509.Certificate{w.root.Certificate()}, []*x509.Certificate{w.issuing.Certificate()}
	judge := func(b *testing.B, v *certs.Validator) {
		if r := v.Validate(context.Background(), leaf, between, certs.Sign, "alice@firma.example", epoch); !r.Valid() {
			b.Fatal(r.Reasons)
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			judge(b, certs.NewValidator(anchors, nil))
		}
	})
	b.Run("again", func(b *testing.B) {
		v := certs.NewValidator(anchors, nil)
		for b.Loop() {
			judge(b, v)
		}
	})
	b.Run("again, with revocation", func(b *testing.B) {
		v := certs.NewValidator(anchors, nil).WithRevocation(told{})
		for b.Loop() {
			judge(b, v)
		}
	})
	b.Run("two signatures alone", func(b *testing.B) {
		for b.Loop() {
			if leaf.CheckSignatureFrom(between[0]) != nil || between[0].CheckSignatureFrom(anchors[0]) != nil {
				b.Fatal("a signature is wrong")
			}
		}
	})
	b.Run("crypto-x509", func(b *testing.B) {
		roots, pool := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(anchors[0])
		pool.AddCert(between[0])
		for b.Loop() {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: epoch, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// told is a Revocation that has all answers at hand.
type told struct{}

func (told) Revoked(context.Context, []*x509.Certificate, time.Time) []certs.Fault { return nil }
