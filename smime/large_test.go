package smime_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// huge is a message with an attachment that is made up while it is read.
type huge struct {
	size int64
	peak *atomic.Uint64 // the largest heap that was seen while reading; nil: not looked at
}

const bigHead = outside + "Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed\r\n\r\nf\u00fcr Sie und alle\r\n" +
	"--mixed\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
const bigTail = "--mixed--\r\n"

var bigLine = strings.Repeat("QUJD", 19) + "\r\n"

func (b huge) Size() int64 {
	n := b.size - int64(len(bigHead)+len(bigTail))
	return b.size - n%int64(len(bigLine))
}

func (b huge) Open() (io.ReadCloser, error) {
	n := b.Size() - int64(len(bigHead)+len(bigTail))
	r := io.MultiReader(strings.NewReader(bigHead), io.LimitReader(&cycle{s: strings.Repeat(bigLine, 100)}, n), strings.NewReader(bigTail))
	if b.peak == nil {
		return io.NopCloser(r), nil
	}
	return io.NopCloser(&watched{r: r, peak: b.peak}), nil
}

// cycle gives a text again and again.
type cycle struct {
	s  string
	at int
}

func (c *cycle) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], c.s[c.at:])
		n += m
		c.at = (c.at + m) % len(c.s)
	}
	return n, nil
}

// watched looks at the heap each time that some megabytes were read.
type watched struct {
	r    io.Reader
	peak *atomic.Uint64
	n    int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.n += n; w.n > 16<<20 {
		w.n = 0
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak.Store(max(w.peak.Load(), m.HeapInuse))
	}
	return n, err
}

// file is scratch in a file, as far as a test needs it.
type file struct {
	*os.File
	size int64
	peak *atomic.Uint64
}

func (f *file) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.size += int64(n)
	return n, err
}
func (f *file) Size() int64  { return f.size }
func (f *file) Close() error { return f.File.Close() }
func (f *file) Open() (io.ReadCloser, error) {
	return io.NopCloser(&watched{r: io.NewSectionReader(f.File, 0, f.size), peak: f.peak}), nil
}

func newFile(t testing.TB, peak *atomic.Uint64) *file {
	return &file{File: must(os.Create(fmt.Sprintf("%s/%d", t.TempDir(), peak.Load()))), peak: peak}
}

// The heap does not grow with the message: a gigabyte is signed, encrypted, decrypted and verified within 16 MB of it.
func TestMemoryDoesNotGrowWithTheMessage(t *testing.T) {
	w := theWorld()
	for _, a := range []cms.Algorithm{cms.AES256CBC, cms.AES256GCM} {
		runtime.GC()
		peak := new(atomic.Uint64)
		sent := newFile(t, peak)
		err := smime.Protect(sent, huge{largeSize, peak}, smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob), Algorithm: a, Time: now, Headers: baseline})
		if err != nil {
			t.Fatal(err)
		}
		o := w.options()
		o.Scratch = func() smime.Buffer { return newFile(t, peak) }
		opened, err := smime.Open(t.Context(), sent, o)
		if err != nil {
			t.Fatal(err)
		}
		if opened.Verdict != smime.Valid || opened.Body().Size() < largeSize {
			t.Errorf("%s: %s, %d bytes", a, opened.Verdict, opened.Body().Size())
		}
		if n, err := opened.WriteTo(io.Discard); err != nil || n < largeSize {
			t.Errorf("%s: delivered %d bytes, %v", a, n, err)
		}
		opened.Close()
		sent.Close()
		t.Logf("%s: the heap was %d MB at most", a, peak.Load()>>20)
		if peak.Load() == 0 || peak.Load() > 16<<20 {
			t.Errorf("%s: the heap was %d MB", a, peak.Load()>>20)
		}
	}
}
