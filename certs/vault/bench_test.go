package vault_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// BenchmarkSign is signatures by keys in memory, as those of files are, and in a vault on the same machine, side by side; one after the
// other and 50 at once. The metric connections is how many were opened to the vault.
func BenchmarkSign(b *testing.B) {
	s := started(b, vaulttest.Options{})
	for _, kind := range []string{"rsa-2048", "rsa-3072", "ecdsa-p256"} {
		here, err := newKey(kind)
		if err != nil {
			b.Fatal(err)
		}
		for _, many := range []int{1, 50} {
			b.Run(fmt.Sprintf("%s/file/%d", kind, many), func(b *testing.B) { signMany(b, here, many) })
			b.Run(fmt.Sprintf("%s/vault/%d", kind, many), func(b *testing.B) {
				p := s.NewProxy(b)
				c := client(b, s, func(o *vault.Options) { o.Addresses = []string{p.Address} })
				if _, err := c.Versions(b.Context(), kind); err != nil {
					if _, err := c.NewKey(b.Context(), kind, kind); err != nil {
						b.Fatal(err)
					}
				}
				signMany(b, newest(b, c, "main:"+kind), many)
				opened, _ := p.Opened()
				b.ReportMetric(float64(opened), "connections")
			})
		}
	}
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "rsa-2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// signMany makes b.N signatures, so many at once.
func signMany(b *testing.B, key crypto.Signer, many int) {
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, _, err := sign(key, "text", crypto.SHA256); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signatures/s")
}
