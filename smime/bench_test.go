package smime_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

var benchSizes = []int64{4 << 10, 1 << 20, 25 << 20}

func sizeName(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%dMB", n>>20)
	}
	return fmt.Sprintf("%dKB", n>>10)
}

// BenchmarkBareRSA2048 is what signing cannot do without.
func BenchmarkBareRSA2048(b *testing.B) {
	key := theWorld().alice.key.(*rsa.PrivateKey)
	digest := make([]byte, 32)
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest))
		}
	})
	text := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, digest, nil))
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, digest, nil))
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		for b.Loop() {
			must(rsa.DecryptOAEP(sha256.New(), nil, key, text, nil))
		}
	})
}

func benchOptions(w *world) map[string]smime.ProtectOptions {
	to := to(w.bob)
	return map[string]smime.ProtectOptions{
		"sign":    {Signers: w.alice.signers(), Time: now},
		"encrypt": {EncryptTo: to},
		"both":    {Signers: w.alice.signers(), EncryptTo: to, Time: now},
		"bothGCM": {Signers: w.alice.signers(), EncryptTo: to, Time: now, Algorithm: cms.AES256GCM},
	}
}

var benchNames = []string{"sign", "encrypt", "both", "bothGCM"}

func BenchmarkProtect(b *testing.B) {
	all := benchOptions(theWorld())
	for _, name := range benchNames {
		for _, size := range benchSizes {
			b.Run(name+"/"+sizeName(size), func(b *testing.B) {
				message := stored(b, huge{size: size})
				b.SetBytes(message.Size())
				b.ReportAllocs()
				for b.Loop() {
					if err := smime.Protect(io.Discard, message, all[name]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	w := theWorld()
	all := benchOptions(w)
	for _, name := range benchNames {
		for _, size := range benchSizes {
			b.Run(name+"/"+sizeName(size), func(b *testing.B) {
				message := &disk{name: filepath.Join(b.TempDir(), "sent")}
				if err := smime.Protect(message, huge{size: size}, all[name]); err != nil {
					b.Fatal(err)
				}
				o := w.options()
				n := 0
				o.Scratch = func() smime.Buffer {
					n++
					return &disk{name: filepath.Join(b.TempDir(), fmt.Sprint(n))}
				}
				b.SetBytes(message.Size())
				b.ReportAllocs()
				for b.Loop() {
					opened, err := smime.Open(b.Context(), message, o)
					if err != nil {
						b.Fatal(err)
					}
					if opened.Verdict != smime.Valid && name != "encrypt" {
						b.Fatal(opened.Verdict)
					}
					opened.Close()
				}
			})
		}
	}
}

// stored writes a message to a file.
func stored(b *testing.B, src smime.Source) *disk {
	d := &disk{name: filepath.Join(b.TempDir(), "message")}
	r := must(src.Open())
	if _, err := io.Copy(d, r); err != nil {
		b.Fatal(err)
	}
	return d
}

// disk is a file that is opened anew for each reader.
type disk struct {
	name string
	f    *os.File
	size int64
}

func (d *disk) Write(p []byte) (int, error) {
	if d.f == nil {
		f, err := os.Create(d.name)
		if err != nil {
			return 0, err
		}
		d.f = f
	}
	n, err := d.f.Write(p)
	d.size += int64(n)
	return n, err
}

func (d *disk) Open() (io.ReadCloser, error) { return os.Open(d.name) }
func (d *disk) Size() int64                  { return d.size }

func (d *disk) Close() error {
	if d.f == nil {
		return nil
	}
	d.f.Close()
	return os.Remove(d.name)
}
