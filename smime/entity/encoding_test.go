package entity

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func readAll(t fataler, r io.Reader) string {
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(b)
}

func TestBase64WriterAgreesWithStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "data")
		var out bytes.Buffer
		w := NewBase64Writer(&out)
		for rest := data; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			w.Write(rest[:n])
			rest = rest[n:]
		}
		w.Close()
		w.Close()
		if int64(out.Len()) != EncodedSize(int64(len(data))) {
			t.Fatalf("%d bytes, EncodedSize says %d", out.Len(), EncodedSize(int64(len(data))))
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 78 || !strings.HasSuffix(line, "\r\n") {
				t.Fatalf("line %q", line)
			}
		}
		plain, err := base64.StdEncoding.DecodeString(out.String())
		if err != nil || !bytes.Equal(plain, data) {
			t.Fatalf("the standard library reads %x as %x (%v)", data, plain, err)
		}
		if got := readAll(t, NewBase64Reader(&out)); got != string(data) {
			t.Fatalf("%x came back as %x", data, got)
		}
	})
}

func TestBase64ReaderTakesRealMail(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"clean", "aGVsbG8gd29ybGQ=\r\n", "hello world"},
		{"LF, blanks, odd lines", " aGVs\nbG8gd2 9y\n\nbGQ=", "hello world"},
		{"no padding", "aGVsbG8gd29ybGQ", "hello world"},
		{"two runs", "aGVsbG8=\r\nd29ybGQ=\r\n", "helloworld"},
		{"two runs in one line", "aGVsbG8=d29ybGQ=", "helloworld"},
		{"foreign characters", "aGVs!bG8gd*29ybGQ=\r\n-- \r\n", "hello world"},
		{"one character too many", "aGVsbG8gd29ybGQ=a", "hello world"},
		{"bits left over", "aGVsbG9=", "hello"},
		{"padding only", "====", ""},
		{"bare CR", "aGVs\rbG8=", "hello"},
		{"empty", "", ""},
	}
	for _, c := range cases {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			if got := readAll(t, NewBase64Reader(r)); got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	}
	long := strings.Repeat("QUJD", 100_000)
	if got := readAll(t, NewBase64Reader(strings.NewReader(long))); got != strings.Repeat("ABC", 100_000) {
		t.Error("one long line is not decoded")
	}
	if _, err := io.ReadAll(NewBase64Reader(iotest.ErrReader(io.ErrClosedPipe))); err != io.ErrClosedPipe {
		t.Errorf("the reader's error became %v", err)
	}
}

func TestQuotedPrintable(t *testing.T) {
	cases := []struct{ in, want string }{
		{"plain\r\n", "plain\r\n"},
		{"From me\r\nx From\r\n", "=46rom me\r\nx From\r\n"},
		{"blank \r\ntab\t\r\n", "blank=20\r\ntab=09\r\n"},
		{"gr\u00fc\u00dfe = \x00", "gr=C3=BC=C3=9Fe =3D =00"},
		{"bare\nline\rends\r\r\n", "bare=0Aline=0Dends=0D\r\n"},
		{strings.Repeat("x", 75) + "From y", strings.Repeat("x", 75) + "=\r\n=46rom y"},
		{strings.Repeat("x", 75) + "--b", strings.Repeat("x", 75) + "=\r\n=2D-b"},
		{"--b", "--b"},
		{"", ""},
	}
	for _, c := range cases {
		var out bytes.Buffer
		if err := EncodeQuotedPrintable(&out, strings.NewReader(c.in)); err != nil || out.String() != c.want {
			t.Errorf("%q: %q, %v, want %q", c.in, out.String(), err, c.want)
		}
	}
	if err := EncodeQuotedPrintable(io.Discard, iotest.ErrReader(io.ErrClosedPipe)); err != io.ErrClosedPipe {
		t.Errorf("the reader's error became %v", err)
	}
}

func TestQuotedPrintableAgreesWithStandardLibrary(t *testing.T) {
	check := func(t fataler, data string) {
		var out bytes.Buffer
		EncodeQuotedPrintable(&out, strings.NewReader(data))
		n, err := Scan(strings.NewReader("\r\n"+out.String()), Limits{})
		if err != nil {
			t.Fatalf("%v", err)
		}
		if tr := n.Traits; !tr.clean() || tr.BareLF {
			t.Fatalf("%q became %q: %+v", data, out.String(), tr)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 78 {
				t.Fatalf("line of %d", len(line))
			}
		}
		if std := readAll(t, quotedprintable.NewReader(strings.NewReader(out.String()))); std != data {
			t.Fatalf("the standard library reads %q as %q", data, std)
		}
		if got := readAll(t, NewQuotedPrintableReader(&out)); got != data {
			t.Fatalf("%q came back as %q", data, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "\r", "\n", "\r\n", " ", "\t", "From ", "--", "=", "\xfc", "\u00fc", strings.Repeat("x", 74)})).Draw(t, "text"), ""))
	})
	check(t, strings.Repeat("x", 4095)+"\r\nFrom y \r\n"+strings.Repeat(" ", 9000)+"\r\n")
}

func TestQuotedPrintableReaderTakesRealMail(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"soft break with blanks", "a= \t\r\nb", "ab"},
		{"LF", "a=\nb\nc", "ab\r\nc"},
		{"lower case", "=c3=bc", "\u00fc"},
		{"no digits", "a=ZZ=4", "a=ZZ=4"},
		{"= at the end", "a=", "a"},
		{"eight bit", "gr\xfcn", "gr\xfcn"},
		{"blanks at the ends", "a  \r\nb \t", "a\r\nb"},
		{"long line", strings.Repeat("x", 4094) + "=41" + strings.Repeat("y", 4000), strings.Repeat("x", 4094) + "A" + strings.Repeat("y", 4000)},
		{"blanks across a piece", strings.Repeat("x", 4090) + strings.Repeat(" ", 20) + "y", strings.Repeat("x", 4090) + strings.Repeat(" ", 20) + "y"},
	}
	for _, c := range cases {
		if got := readAll(t, NewQuotedPrintableReader(strings.NewReader(c.in))); got != c.want {
			t.Errorf("%s: %.50q, want %.50q", c.name, got, c.want)
		}
	}
}

func TestCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "bc", "\r", "\n", "\r\n"})).Draw(t, "text"), "")
		lf := strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
		var got bytes.Buffer
		w := NewCanonicalWriter(&got)
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			io.WriteString(w, rest[:n])
			rest = rest[n:]
		}
		if got.String() != lf {
			t.Fatalf("%q became %q, want %q", text, got.String(), lf)
		}
		if r := readAll(t, NewCanonicalReader(iotest.HalfReader(strings.NewReader(text)))); r != lf {
			t.Fatalf("%q was read as %q, want %q", text, r, lf)
		}
		cr := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n", "\r\n")
		got.Reset()
		c := &canonicalWriter{w: &got, bareCR: true}
		for i := range len(text) {
			c.Write([]byte{text[i]})
		}
		c.finish()
		whole := bytes.Buffer{}
		d := &canonicalWriter{w: &whole, bareCR: true}
		io.WriteString(d, text)
		d.finish()
		if got.String() != cr || whole.String() != cr {
			t.Fatalf("%q became %q and %q, want %q", text, got.String(), whole.String(), cr)
		}
	})
}

func TestDecode(t *testing.T) {
	for encoding, in := range map[string]string{"base64": "eA==", "quoted-printable": "=78", "7bit": "x", "x-odd": "x"} {
		if got := readAll(t, Decode(strings.NewReader(in), encoding)); got != "x" {
			t.Errorf("%s: %q", encoding, got)
		}
	}
}
