package pickup

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a\r\n", "a\n": "a\r\n", "a\r\n": "a\r\n", "\n\n": "\r\n\r\n", "a\nb\r\nc": "a\r\nb\r\nc\r\n", "\r\n": "\r\n",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
			if got, err := io.ReadAll(iotest.OneByteReader(newLines(r))); err != nil || string(got) != want {
				t.Errorf("%q: %q, %v", in, got, err)
			}
		}
	}
	for _, in := range []string{"\r", "a\rb", "a\r\r\n", "\x00", "a\n\x00\n"} {
		if _, err := io.ReadAll(newLines(strings.NewReader(in))); !errors.Is(err, errBareCR) {
			t.Errorf("%q: %v", in, err)
		}
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(newLines(iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// Whatever a file holds, what comes out has CR and LF in pairs only, and reading it again changes nothing.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\nc"))
	f.Add([]byte("\r\x00\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := io.ReadAll(newLines(bytes.NewReader(in)))
		if err != nil {
			return
		}
		if rest := bytes.ReplaceAll(once, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") {
			t.Errorf("%q: %q", in, once)
		}
		if twice, err := io.ReadAll(newLines(bytes.NewReader(once))); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q: %q, then %q, %v", in, once, twice, err)
		}
	})
}
