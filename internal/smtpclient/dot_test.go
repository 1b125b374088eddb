package smtpclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"
	"testing"
)

// stuffReference does what lineWriter does, byte by byte.
func stuffReference(p string) (string, bool) {
	var out strings.Builder
	last := byte('\n')
	for i := range len(p) {
		c := p[i]
		if c == 0 || (c == '\n') != (i > 0 && p[i-1] == '\r') {
			return "", false
		}
		if c == '.' && last == '\n' {
			out.WriteByte('.')
		}
		out.WriteByte(c)
		last = c
	}
	if last == '\r' {
		return "", false
	}
	if last != '\n' {
		out.WriteString("\r\n")
	}
	return out.String() + ".\r\n", true
}

// stuff sends p through a lineWriter in pieces of n bytes.
func stuff(p []byte, n int) (string, error) {
	var out bytes.Buffer
	w := lineWriter{w: &out, stuff: true}
	for len(p) > 0 {
		k := min(n, len(p))
		if _, err := w.Write(p[:k]); err != nil {
			return "", err
		}
		p = p[k:]
	}
	err := w.end()
	return out.String(), err
}

// What goes over the wire equals the reference however it was cut into pieces, and net/textproto reads
// the message back from it.
func FuzzStuff(f *testing.F) {
	for _, s := range []string{"", ".", "..\r\n", "a\r\n.\r\nb", "\r\n.\r\n\r\n..x\r\n", "a\nb", "a\rb", "a\r", "\n.\r\n", "\r\r\n", "a\r\n.b\r\n."} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, n int) {
		want, ok := stuffReference(string(p))
		for _, size := range []int{1, max(1, n), len(p) + 1} {
			got, err := stuff(p, size)
			if ok != (err == nil) || ok && got != want {
				t.Fatalf("%q in pieces of %d: %q %v, want %q %v", p, size, got, err, want, ok)
			}
			if err != nil && !errors.Is(err, errBare) {
				t.Fatal(err)
			}
		}
		if !ok {
			return
		}
		back, err := io.ReadAll(textproto.NewReader(bufio.NewReader(strings.NewReader(want))).DotReader())
		if plain := strings.ReplaceAll(string(p), "\r\n", "\n"); err != nil || strings.TrimSuffix(string(back), "\n") != strings.TrimSuffix(plain, "\n") {
			t.Fatalf("%q is read back as %q, %v", p, back, err)
		}
	})
}

func TestLineWriterStops(t *testing.T) {
	w := lineWriter{w: io.Discard, stuff: true}
	w.Write([]byte("a\nb"))
	if n, err := w.Write([]byte("more\r\n")); n != 0 || !errors.Is(err, errBare) {
		t.Errorf("after the error: %d %v", n, err)
	}
	if err := w.end(); !errors.Is(err, errBare) {
		t.Errorf("end: %v", err)
	}
	for _, text := range []string{"a\r\n", ".\r\n", "a"} {
		full := lineWriter{w: failing{}, stuff: true}
		if _, err := full.Write([]byte(text)); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func BenchmarkStuff(b *testing.B) {
	body := []byte(strings.Repeat(strings.Repeat("x", 76)+"\r\n", 1000))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		w := lineWriter{w: io.Discard, stuff: true}
		w.Write(body)
	}
}

// lenientEnd is where the most lenient of servers would end the message: it takes CR, LF and CRLF for line ends,
// drops NUL, and a dot alone on a line is the end.
func lenientEnd(wire string) int {
	start, line := 0, ""
	for i, c := range []byte(wire) {
		switch c {
		case 0:
		case '\r', '\n':
			if line == "." {
				return start
			}
			start, line = i+1, ""
		default:
			line += string(rune(c))
		}
	}
	return len(wire)
}

// Whatever a message holds, no server finds its end before the one that we wrote, however lenient it is: what could
// be read so is refused before it leaves. The cases are those that were published on SMTP smuggling.
func TestNobodyFindsAnEarlierEnd(t *testing.T) {
	ends := []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\n", "\r.\r", "\r.\n", "\r.\r\n", "\n.\r", "\r\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n",
		"\r\n.\x00\n", "\n\x00.\n", "\r\x00\n.\r\x00\n", "\r\r\n.\r\n", "\r\n.\r\r\n", "\r\n..\r\n", "\r\n...\r\n", "\r\n..\n.\r\n", "\n\n.\r\n",
		"\r\n\r.\r\n", "\r\n.\r\n.\r\n", "\n\r.\n\r", "\r\n. \r\n", "\r\n .\r\n", ".\r\n", "\x00.\r\n", "\r\n.",
	}
	sent := 0
	for _, end := range ends {
		for _, body := range []string{"Subject: x\r\n\r\nbefore" + end + "MAIL FROM:<eve@x.example>\r\n", end, "a\r\n" + end + end} {
			for pieces := 1; pieces <= len(body); pieces++ {
				wire, err := stuff([]byte(body), pieces)
				if err != nil {
					if !errors.Is(err, errBare) {
						t.Fatal(err)
					}
					continue
				}
				sent++
				if at := lenientEnd(wire); at != len(wire)-len(".\r\n") {
					t.Errorf("%q in pieces of %d goes out as %q, which ends at %d", body, pieces, wire, at)
				}
			}
		}
	}
	if sent == 0 {
		t.Error("nothing was sent")
	}
}
