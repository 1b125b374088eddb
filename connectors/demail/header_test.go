package demail

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func read(s string) (Header, string, error) {
	r := bufio.NewReader(strings.NewReader(s))
	h, err := ReadHeader(r)
	rest, _ := io.ReadAll(r)
	return h, string(rest), err
}

func TestReadHeader(t *testing.T) {
	const text = "Subject: one\r\n two\r\nX-de-mail-SENDER : a@b.de\r\nEmpty:\r\nSubject:\tthree \r\n"
	h, body, err := read(text + "\r\nbody\n")
	if err != nil || body != "body\n" || string(h.Bytes()) != text {
		t.Fatalf("%q, %q, %v", h.Bytes(), body, err)
	}
	f, ok := h.First("subject")
	if !ok || f.Value() != "one two" || string(f.Raw) != "Subject: one\r\n two\r\n" {
		t.Errorf("the topmost counts: %q", f)
	}
	if f, ok := h.First(FieldSender); !ok || f.Value() != "a@b.de" || f.Name != "X-de-mail-SENDER" {
		t.Errorf("%q", f)
	}
	if f, ok := h.First("empty"); !ok || f.Value() != "" {
		t.Errorf("%q", f)
	}
	if _, ok := h.First("X-None"); ok {
		t.Error("a field that is not there")
	}
	if len(h.Fields()) != 4 || len(h.Without("SUBJECT").Fields()) != 2 || len(h.Fields()) != 4 {
		t.Error("a change is made to a copy")
	}
	if got := string(h.Settled().Bytes()); got != "Subject: one\r\n two\r\nX-de-mail-SENDER : a@b.de\r\nEmpty:\r\n" {
		t.Errorf("settled: %q", got)
	}
	if h, _, err := read("\r\n"); err != nil || len(h.Fields()) != 0 {
		t.Error("an empty header", err)
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	long := "X: " + strings.Repeat("a", MaxHeader) + "\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"line ends":      {"A: b\n\n", ErrHeader},
		"bare CR":        {"A: b\rC: d\r\n\r\n", ErrHeader},
		"NUL":            {"A: b\x00\r\n\r\n", ErrHeader},
		"no blank line":  {"A: b\r\n", ErrHeader},
		"nothing":        {"", ErrHeader},
		"half a line":    {"A: b", ErrHeader},
		"not a field":    {"A: b\r\nhello\r\n\r\n", ErrHeader},
		"no name":        {": b\r\n\r\n", ErrHeader},
		"blank in name":  {"A b: c\r\n\r\n", ErrHeader},
		"folded at once": {" A: b\r\n\r\n", ErrHeader},
		"umlaut in name": {"Ä: b\r\n\r\n", ErrHeader},
		"too long":       {long, ErrLimit},
		"many fields":    {strings.Repeat("A: b\r\n", MaxFields+1) + "\r\n", ErrLimit},
		"too much":       {strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 300) + "\r\n", ErrLimit},
	} {
		if h, _, err := read(c.text); !errors.Is(err, c.want) || len(h.Fields()) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadHeader(bufio.NewReader(iotest.ErrReader(io.ErrClosedPipe))); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestNewField(t *testing.T) {
	for name, value := range map[string]string{
		"":         "x",
		"a b":      "x",
		"a:":       "x",
		"newline":  "a\r\nBcc: b",
		"nul":      "a\x00",
		"umlaut":   "ä",
		"longword": strings.Repeat("x", 1000),
	} {
		if f, err := NewField(name, value); err == nil {
			t.Errorf("%q: %q", name, f.Raw)
		} else if fe := (*FieldError)(nil); !errors.As(err, &fe) || !errors.Is(err, ErrField) {
			t.Error(err)
		}
	}
	if f := field(t, "Subject", ""); string(f.Raw) != "Subject:\r\n" {
		t.Errorf("%q", f.Raw)
	}
}

// What is folded is the same when it is unfolded, and no line is too long where words are not.
func TestNewFieldFolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[!-~]{1,90}( {1,3}[!-~]{1,70}){0,9}( [!-~]{1,9}){0,9}`).Draw(t, "value")
		f, err := NewField("x-de-mail-private-id", value)
		if err != nil {
			t.Fatal(err)
		}
		if f.Value() != value {
			t.Fatalf("%q became %q", value, f.Value())
		}
		for line := range bytes.SplitSeq(f.Raw, []byte("\r\n")) {
			if len(line) > 998 {
				t.Fatalf("%q", line)
			}
			if len(line) > 0 && len(bytes.TrimSpace(line)) == 0 {
				t.Fatalf("a line of blanks in %q", f.Raw) // RFC 2822, 3.2.3
			}
		}
		h, _, err := read(string(f.Raw) + "\r\n")
		if err != nil || len(h.Fields()) != 1 || h.Fields()[0].Value() != value {
			t.Fatal(h, err)
		}
	})
}

func TestErrorsAreShort(t *testing.T) {
	const secret = "geheim-4711"
	for _, f := range []string{FieldDispatch + ": " + secret, FieldSender + ": " + strings.Repeat(secret, 40), "hello " + secret} {
		h, _, err := read(f + "\r\n\r\n")
		if err == nil {
			_, err = ParseMetadata(h)
		}
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("%v", err)
		}
	}
	if s := fmt.Sprint(fieldError("X", "y")); s != "demail: X: y" {
		t.Error(s)
	}
}
