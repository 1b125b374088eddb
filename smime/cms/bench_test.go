package cms

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	mozilla "go.mozilla.org/pkcs7"
)

func benchSizes() map[string]int {
	return map[string]int{"4KB": 4 << 10, "1MB": 1 << 20, "25MB": 25 << 20}
}

// each runs f for every size.
func each(b *testing.B, f func(b *testing.B, content []byte)) {
	for _, name := range []string{"4KB", "1MB", "25MB"} {
		content := text(benchSizes()[name])
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			f(b, content)
		})
	}
}

func BenchmarkSignDetached(b *testing.B) {
	o := get(b, "rsa").signer()
	each(b, func(b *testing.B, content []byte) {
		for b.Loop() {
			signDetached(b, o, content)
		}
	})
}

func BenchmarkVerifyDetached(b *testing.B) {
	o := get(b, "rsa").signer()
	each(b, func(b *testing.B, content []byte) {
		der := signDetached(b, o, content)
		for b.Loop() {
			signed, err := VerifyDetached(der, bytes.NewReader(content), Limits{})
			if err != nil || signed.Signers[0].Err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSignOpaque(b *testing.B) {
	o := get(b, "rsa").signer()
	each(b, func(b *testing.B, content []byte) {
		for b.Loop() {
			w, err := NewOpaqueSigner(io.Discard, int64(len(content)), o)
			if err == nil {
				_, err = w.Write(content)
			}
			if err = errors.Join(err, w.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerifyOpaque(b *testing.B) {
	o := get(b, "rsa").signer()
	each(b, func(b *testing.B, content []byte) {
		der := signOpaque(b, o, content, true)
		for b.Loop() {
			v, err := NewVerifier(bytes.NewReader(der), Limits{})
			if err == nil {
				_, err = io.Copy(io.Discard, v)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkEncrypt(b *testing.B, algorithm Algorithm) {
	p := get(b, "rsa")
	each(b, func(b *testing.B, content []byte) {
		o := EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: int64(len(content))}
		for b.Loop() {
			w, err := NewEncrypter(io.Discard, o)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.Write(content); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncryptCBC(b *testing.B) { benchmarkEncrypt(b, AES256CBC) }
func BenchmarkEncryptGCM(b *testing.B) { benchmarkEncrypt(b, AES256GCM) }

func benchmarkDecrypt(b *testing.B, algorithm Algorithm, known bool) {
	p := get(b, "rsa")
	each(b, func(b *testing.B, content []byte) {
		o := EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: -1}
		if known {
			o.Size = int64(len(content))
		}
		message := encrypt(b, o, content)
		for b.Loop() {
			d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: finder(p)})
			if err == nil {
				_, err = io.Copy(io.Discard, d)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecryptCBC(b *testing.B)    { benchmarkDecrypt(b, AES256CBC, true) }
func BenchmarkDecryptCBCBER(b *testing.B) { benchmarkDecrypt(b, AES256CBC, false) }
func BenchmarkDecryptGCM(b *testing.B)    { benchmarkDecrypt(b, AES256GCM, true) }

// BenchmarkAgree is encryption of 4 KB for one recipient, and decryption by him, by the kind of key: what the key costs.
func BenchmarkAgree(b *testing.B) {
	content := text(4 << 10)
	for _, name := range []string{"rsa", "p256", "p384", "p521", "x25519", "bp256"} {
		p := get(b, name)
		o := EncryptOptions{Recipients: to(p), Algorithm: AES256GCM, Size: int64(len(content)), SoftwareBrainpool: true}
		b.Run("encrypt/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				encrypt(b, o, content)
			}
		})
		message, keys := encrypt(b, o, content), finder(p)
		b.Run("decrypt/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decrypt(message, keys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncryptChaCha(b *testing.B) { benchmarkEncrypt(b, ChaCha20Poly1305) }
func BenchmarkDecryptChaCha(b *testing.B) { benchmarkDecrypt(b, ChaCha20Poly1305, true) }

// BenchmarkMozilla is what go.mozilla.org/pkcs7 takes for the same.
func BenchmarkMozilla(b *testing.B) {
	p := get(b, "rsa")
	b.Run("Decrypt", func(b *testing.B) {
		each(b, func(b *testing.B, content []byte) {
			message := encrypt(b, EncryptOptions{Recipients: to(p), Size: int64(len(content))}, content)
			for b.Loop() {
				m, err := mozilla.Parse(message)
				if err == nil {
					_, err = m.Decrypt(p.cert, p.key.(*rsa.PrivateKey))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("VerifyOpaque", func(b *testing.B) {
		each(b, func(b *testing.B, content []byte) {
			message := signOpaque(b, p.signer(), content, true)
			for b.Loop() {
				m, err := mozilla.Parse(message)
				if err == nil {
					err = m.Verify()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkBesideOpenSSL does the same from file to file as the openssl command, in turn with it, and reports by
// how much that is faster (openssl's time divided by ours: above 1 is ours). A process starts for each openssl
// operation; the time of one that does nothing is taken off.
func BenchmarkBesideOpenSSL(b *testing.B) {
	p := get(b, "rsa")
	cert, key := p.files(b)
	idle := time.Hour
	for range 20 {
		idle = min(idle, timeOf(b, func() error { _, err := tryOpenSSL(nil, "version"); return err }))
	}
	for _, size := range []string{"4KB", "1MB", "25MB"} {
		dir := b.TempDir()
		name := func(s string) string { return filepath.Join(dir, s) }
		write(b, name("plain"), text(benchSizes()[size]))
		for _, mode := range []string{"cbc", "gcm"} {
			algorithm := Algorithm("aes256-" + mode)
			b.Run("encrypt-"+mode+"/"+size, func(b *testing.B) {
				beside(b, idle, func() error { return encryptFile(name("plain"), name("ours."+mode), p, algorithm) },
					"cms", "-encrypt", "-binary", "-stream", "-aes-256-"+mode, "-in", name("plain"), "-outform", "DER", "-out", name("theirs."+mode), "-recip", cert)
			})
			b.Run("decrypt-"+mode+"/"+size, func(b *testing.B) {
				beside(b, idle, func() error { return decryptFile(name("ours."+mode), name("out"), p) },
					"cms", "-decrypt", "-binary", "-inform", "DER", "-in", name("ours."+mode), "-out", name("out2"), "-recip", cert, "-inkey", key)
			})
		}
	}
}

// beside times f and an openssl command in turn, and takes the best of each: other work on the machine only adds.
func beside(b *testing.B, idle time.Duration, f func() error, args ...string) {
	ours, theirs := time.Hour, time.Hour
	for b.Loop() {
		ours = min(ours, timeOf(b, f))
		theirs = min(theirs, timeOf(b, func() error { _, err := tryOpenSSL(nil, args...); return err })-idle)
	}
	b.ReportMetric(float64(theirs)/float64(ours), "openssl/ours")
	b.ReportMetric(float64(ours.Microseconds())/1000, "ours-ms")
	b.ReportMetric(float64(theirs.Microseconds())/1000, "openssl-ms")
}

func timeOf(b *testing.B, f func() error) time.Duration {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// fileToFile copies in through f to out.
func fileToFile(in, out string, f func(r *os.File, w *bufio.Writer) error) error {
	r, err := os.Open(in)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(out)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(w)
	return errors.Join(f(r, buffered), buffered.Flush(), w.Close())
}

func encryptFile(in, out string, p party, algorithm Algorithm) error {
	return fileToFile(in, out, func(r *os.File, w *bufio.Writer) error {
		stat, err := r.Stat()
		if err != nil {
			return err
		}
		e, err := NewEncrypter(w, EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: stat.Size()})
		if err != nil {
			return err
		}
		if _, err := io.Copy(e, r); err != nil {
			return err
		}
		return e.Close()
	})
}

func decryptFile(in, out string, p party) error {
	return fileToFile(in, out, func(r *os.File, w *bufio.Writer) error {
		d, err := NewDecrypter(r, DecryptOptions{Keys: finder(p)})
		if err != nil {
			return fmt.Errorf("%s: %w", in, err)
		}
		_, err = io.Copy(w, d)
		return err
	})
}

// BenchmarkSignOverhead is what signing 4 KB takes beside the operation of the key.
func BenchmarkSignOverhead(b *testing.B) {
	o := get(b, "rsa").signer()
	o.Signers[0].Key = noSigner{o.Signers[0].Key}
	content := text(4 << 10)
	b.ReportAllocs()
	for b.Loop() {
		s, err := newSigning(o)
		if err != nil {
			b.Fatal(err)
		}
		s.Write(content)
		spec := s.specs[0]
		attributes := s.attributes(o.Signers[0], spec, s.hashes[spec.digest.hash].Sum(nil))
		h := spec.digest.hash.New()
		h.Write(attributes)
		sequence(s.head(), s.certificates(), o.Signers[0].encodeInfo(spec, attributes, h.Sum(make([]byte, 256))))
	}
}

// noSigner is a key that is not asked.
type noSigner struct{ crypto.Signer }
