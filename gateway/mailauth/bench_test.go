package mailauth_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

func large(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, and over the next one, and so on.\r\n"
	return letter + strings.Repeat(line, size/len(line))
}

func BenchmarkCheck(b *testing.B) {
	s := signer(b, mailauth.SignerOptions{})
	c := checker(b, dnstest.Start(b, record(b, s)+spfZone+"_dmarc.firma.example. TXT \"v=DMARC1; p=reject\"\n"), mailauth.Options{})
	env := envelope(b, "alice@firma.example", "192.0.2.7")
	for _, size := range []int{4 << 10, 25 << 20} {
		for _, signatures := range []int{1, 8} {
			message := large(size)
			for range signatures {
				message = sign(b, message, s)
			}
			b.Run(fmt.Sprintf("%dKiB/%d", size>>10, signatures), func(b *testing.B) {
				b.SetBytes(int64(len(message)))
				b.ReportAllocs()
				for b.Loop() {
					if r, err := c.Check(b.Context(), env, content(message)); err != nil || r.DMARC.Status != mailauth.Pass || !r.DMARC.AlignedDKIM {
						b.Fatal(r, err)
					}
				}
			})
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for name, s := range map[string]*mailauth.Signer{
		"RSA-2048": signer(b, mailauth.SignerOptions{}), "Ed25519": signer(b, mailauth.SignerOptions{Key: edKey()}),
	} {
		for _, size := range []int{4 << 10, 25 << 20} {
			message := content(large(size))
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				b.SetBytes(message.Size())
				b.ReportAllocs()
				for b.Loop() {
					if err := mailauth.Sign(b.Context(), io.Discard, message, s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
