package cms

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestLimits goes over each limit with a message that is good otherwise.
func TestLimits(t *testing.T) {
	p := get(t, "rsa")
	signed := forge{p: p, content: text(10), infos: 3, certs: [][]byte{p.cert.Raw, get(t, "p256").cert.Raw}}.build(t)
	envelope := encrypt(t, EncryptOptions{Recipients: to(p, get(t, "rsa2"), get(t, "rsa3072")), Size: 10}, text(10))
	cases := map[string]struct {
		good, over Limits
		envelope   bool
	}{
		"certificates": {Limits{Certificates: 2}, Limits{Certificates: 1}, false},
		"signers":      {Limits{Signers: 3}, Limits{Signers: 2}, false},
		"header":       {Limits{HeaderBytes: 6000}, Limits{HeaderBytes: 1000}, false},
		"attributes":   {Limits{AttributeBytes: 2000}, Limits{AttributeBytes: 200}, false},
		"depth":        {Limits{Depth: 12}, Limits{Depth: 3}, false},
		"recipients":   {Limits{Recipients: 3}, Limits{Recipients: 2}, true},
		"infos":        {Limits{AttributeBytes: 1000}, Limits{AttributeBytes: 100}, true},
		"all infos":    {Limits{HeaderBytes: 6000}, Limits{HeaderBytes: 1000}, true},
	}
	for name, c := range cases {
		run := func(l Limits) error {
			if c.envelope {
				d, err := NewDecrypter(bytes.NewReader(envelope), DecryptOptions{Keys: finder(p), Limits: l})
				if err == nil {
					_, err = io.Copy(io.Discard, d)
				}
				return err
			}
			v, err := NewVerifier(bytes.NewReader(signed), l)
			if err == nil {
				_, err = io.Copy(io.Discard, v)
			}
			return err
		}
		if err := run(c.good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := run(c.over); !errors.Is(err, ErrLimit) {
			t.Errorf("%s, over: %v", name, err)
		}
	}
}

// TestManyRecipients writes and reads as many recipients as there may be.
func TestManyRecipients(t *testing.T) {
	p := get(t, "rsa")
	var infos [][]byte
	for range 999 {
		infos = append(infos, sequence(smallInteger(0), sequence(p.cert.RawSubject, smallInteger(7)), algorithm{oidRSA, null()}.encode(), octetString(make([]byte, 512))))
	}
	one := encrypt(t, EncryptOptions{Recipients: to(p), Size: -1, Algorithm: AES128GCM}, text(100))
	r := reader(one)
	if _, err := r.openContentInfo(); err != nil {
		t.Fatal(err)
	}
	if err := r.open(tagSequence); err != nil {
		t.Fatal(err)
	}
	if err := r.version(); err != nil {
		t.Fatal(err)
	}
	start := r.pos
	own, err := r.raw(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	all := tlv(tagSet, append(infos, bodyOf(own))...)
	message := append(append(bytes.Clone(one[:start]), all...), one[r.pos:]...)
	plain, info, err := decrypt(message, finder(p))
	if err != nil || !bytes.Equal(plain, text(100)) || len(info.Recipients) != 1000 {
		t.Fatalf("%v, %d recipients", err, len(info.Recipients))
	}
	all = tlv(tagSet, append(infos, infos[0], bodyOf(own))...)
	message = append(append(bytes.Clone(one[:start]), all...), one[r.pos:]...)
	if _, _, err := decrypt(message, finder(p)); !errors.Is(err, ErrLimit) {
		t.Errorf("1001 recipients: %v", err)
	}
}

// TestConstantMemory encrypts and decrypts, signs and verifies a gigabyte with a heap of 24 MB, and allocates less than
// a megabyte each time.
func TestConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	p := get(t, "rsa")
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(24 << 20))
	content := func() io.Reader { return io.LimitReader(repeat(text(1<<10)), bigSize) }
	for _, size := range []int64{bigSize, -1} {
		for _, algorithm := range []Algorithm{AES256CBC, AES256GCM} {
			measure(t, string(algorithm), func() error {
				return pipe(content(), func(w io.Writer) (io.WriteCloser, error) {
					return NewEncrypter(w, EncryptOptions{Recipients: to(p), Algorithm: algorithm, Size: size})
				}, func(r io.Reader) (io.Reader, error) { return NewDecrypter(r, DecryptOptions{Keys: finder(p)}) })
			})
		}
		measure(t, "signed", func() error {
			return pipe(content(), func(w io.Writer) (io.WriteCloser, error) {
				return NewOpaqueSigner(w, size, p.signer())
			}, func(r io.Reader) (io.Reader, error) { return NewVerifier(r, Limits{}) })
		})
	}
	measure(t, "detached", func() error {
		s, err := NewDetachedSigner(p.signer())
		if err != nil {
			return err
		}
		if _, err := io.Copy(s, content()); err != nil {
			return err
		}
		der, err := s.Finish()
		if err != nil {
			return err
		}
		_, err = VerifyDetached(der, content(), Limits{})
		return err
	})
}

// measure fails where f, which writes and reads, allocates more than twice a megabyte or leaves more on the heap.
func measure(t *testing.T, name string, f func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := f(); err != nil {
		t.Fatal(name, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%s: %d KB allocated", name, n>>10)
	} else {
		t.Logf("%s: %d KB allocated", name, n>>10)
	}
	if after.HeapAlloc > 24<<20 {
		t.Errorf("%s: %d KB on the heap", name, after.HeapAlloc>>10)
	}
}

// pipe writes content by one and reads it by the other.
func pipe(content io.Reader, writer func(io.Writer) (io.WriteCloser, error), reader func(io.Reader) (io.Reader, error)) error {
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(func() error {
			w, err := writer(pw)
			if err != nil {
				return err
			}
			if _, err := io.Copy(w, content); err != nil {
				return err
			}
			return w.Close()
		}())
	}()
	defer pr.Close()
	r, err := reader(pr)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r)
	if err == nil && n != bigSize {
		err = io.ErrUnexpectedEOF
	}
	if v, ok := r.(*Verifier); ok && err == nil {
		s, err := v.Signed()
		if err != nil {
			return err
		}
		return s.Signers[0].Err
	}
	return err
}

// TestNoOutput holds that nothing is printed, which a library for this did.
func TestNoOutput(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"fmt.Print", "log.", "os.Std"} {
			if !strings.HasSuffix(name, "_test.go") && bytes.Contains(data, []byte(word)) {
				t.Errorf("%s in %s", word, name)
			}
		}
	}
}
