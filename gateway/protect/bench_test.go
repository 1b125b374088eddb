package protect

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
)

// BenchmarkRSA2048 is the bare signature that BenchmarkAdmit cannot do without: compare both of one run.
func BenchmarkRSA2048(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("text"))
	defer report(b, processor(b))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
				b.Error(err)
			}
		}
	})
}

// report tells the rate, and the processor's time that each took, which other programs on the machine disturb less.
func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per_s")
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu_us/op")
}

// processor is the time that this process has had so far.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAdmit decides and protects a message with an attachment, as a listener's session does it.
func BenchmarkAdmit(b *testing.B) {
	for _, kb := range []int{4, 1024} {
		for _, c := range []struct {
			name          string
			sign, encrypt policy.Level
		}{
			{"plain", policy.Never, policy.Never},
			{"sign", policy.Require, policy.Never},
			{"encrypt", policy.Never, policy.Require},
			{"sign+encrypt", policy.Require, policy.Require},
		} {
			b.Run(fmt.Sprintf("%s/%dKB", c.name, kb), func(b *testing.B) {
				p := newBench(b, func(o *Options) { o.Recorder = track.Multi(nil) }, policy.Rule{Name: "all", Settings: policy.Settings{Sign: c.sign, Encrypt: c.encrypt}})
				m := attached(kb << 10)
				b.SetBytes(m.Size())
				b.ResetTimer()
				defer report(b, processor(b))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						adm, err := p.Admit(b.Context(), envelope(b, "bob@partner.example"), m)
						if err != nil {
							b.Error(err)
							return
						}
						adm.Release()
					}
				})
			})
		}
	}
}

// attached is a message of about that many bytes, most of which are an attachment.
func attached(size int) letter {
	const perLine = 57 // bytes that give 76 characters
	data := make([]byte, size*perLine/78)
	rand.Read(data)
	var lines strings.Builder
	for len(data) > 0 {
		n := min(perLine, len(data))
		lines.WriteString(base64.StdEncoding.EncodeToString(data[:n]) + "\r\n")
		data = data[n:]
	}
	return letter("From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: plan\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello Bob\r\n" +
		"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines.String() + "--b--\r\n")
}
