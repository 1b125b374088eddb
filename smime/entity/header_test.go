package entity

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustRead(t testing.TB, s string) (Header, string) {
	t.Helper()
	h, body, err := Read(strings.NewReader(s), 0)
	if err != nil {
		t.Fatalf("Read(%q): %v", s, err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return h, string(b)
}

func TestReadKeepsEveryByte(t *testing.T) {
	cases := []struct{ name, head, blank, body string }{
		{"plain", "From: a@b\r\nTo: c@d\r\n", "\r\n", "body\r\n"},
		{"folded, odd case, duplicates", "RECEIVED: x\r\n\tby y ;\r\n  z\r\nreceived: 2\r\nsubject:  two  blanks \r\n", "\r\n", ""},
		{"blank before the colon", "From : a@b\r\n", "\r\n", "x"},
		{"eight bit", "Subject: Gr\xfc\xdfe\r\nX-\u00fc: no", "", ""},
		{"LF only", "A: b\n c\nD: e\n", "\n", "x\ny\n"},
		{"line of blanks continues", "A: b\r\n \r\nC: d\r\n", "\r\n", "x"},
		{"empty value", "A:\r\nB:b\r\n", "\r\n", ""},
		{"no header", "", "\r\n", "x"},
	}
	for _, c := range cases {
		if c.name == "eight bit" { // the second line is no field, its name is not ASCII
			c.head, c.body = "Subject: Gr\xfc\xdfe\r\n", "X-\u00fc: no"
		}
		h, body := mustRead(t, c.head+c.blank+c.body)
		if got := string(h.Bytes()); got != c.head || body != c.body {
			t.Errorf("%s: header %q body %q, want %q and %q", c.name, got, body, c.head, c.body)
		}
		if h.Complete() != (c.blank != "") {
			t.Errorf("%s: Complete() = %v", c.name, h.Complete())
		}
	}
}

func TestReadEndsAtALineThatIsNoField(t *testing.T) {
	for _, s := range []string{"no field\r\nX: y\r\n\r\n", " leading blank\r\n", "\rX: y\r\n", ": none\r\n", "From mbox Thu Jan 1\r\n", strings.Repeat("n", 300) + ": x\r\n"} {
		h, body := mustRead(t, "A: b\r\n"+s)
		want := s
		if s[0] == ' ' {
			want = "" // a continuation of A
		}
		if body != want || h.Complete() {
			t.Errorf("after %q: body %q, complete %v", s, body, h.Complete())
		}
		h, body = mustRead(t, s)
		if body != s || h.Len() != 0 {
			t.Errorf("%q at the top: body %q, %d fields", s, body, h.Len())
		}
	}
}

func TestReadLimit(t *testing.T) {
	in := "A: " + strings.Repeat("x", 5000) + "\r\n\r\n"
	if _, _, err := Read(strings.NewReader(in), 4999); !errors.Is(err, ErrLimit) {
		t.Fatalf("err = %v, want ErrLimit", err)
	}
	if _, _, err := Read(strings.NewReader(in), 6000); err != nil {
		t.Fatal(err)
	}
	endless := io.MultiReader(strings.NewReader("A: "), repeat{'x'})
	if _, _, err := Read(endless, 0); !errors.Is(err, ErrLimit) {
		t.Fatalf("endless line: %v, want ErrLimit", err)
	}
}

type repeat struct{ b byte }

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.b
	}
	return len(p), nil
}

func TestReadErrorOfTheInput(t *testing.T) {
	broken := errors.New("disk")
	for _, before := range []string{"", "A", "A: b", "A: b\r\n"} {
		_, _, err := Read(io.MultiReader(strings.NewReader(before), failing{broken}), 0)
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v", before, err)
		}
	}
}

// An error that a reader gives only once is not lost, wherever it comes.
func TestErrorGivenOnce(t *testing.T) {
	broken := errors.New("disk")
	const message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n--b: c\r\n\r\ntext\r\n--b--\r\n"
	for i := range message {
		r := io.MultiReader(strings.NewReader(message[:i]), &once{broken}, strings.NewReader(message[i:]))
		if _, err := Scan(r, Limits{}); !errors.Is(err, broken) {
			t.Errorf("after %q: %v", message[:i], err)
		}
	}
}

// once gives its error once, then the end.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	err := o.err
	if o.err = io.EOF; err == nil {
		err = io.EOF
	}
	return 0, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestHeaderLookups(t *testing.T) {
	h, _ := mustRead(t, "X-A: 1\r\nSubject: one\r\n two\r\nx-a:\t2 \r\nX-AB: 3\r\n\r\n")
	if v, ok := h.Get("SUBJECT"); !ok || v != "one two" {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if v := h.Values("x-A"); len(v) != 2 || v[0] != "1" || v[1] != "2" {
		t.Errorf("Values = %q", v)
	}
	if _, ok := h.Get("none"); ok {
		t.Error("found a field that is not there")
	}
	before := h
	if n := h.Del("X-a"); n != 2 || h.Len() != 2 {
		t.Errorf("Del = %d, %d left", n, h.Len())
	}
	if n := h.DelPrefix("x-"); n != 1 || h.Len() != 1 {
		t.Errorf("DelPrefix = %d, %d left", n, h.Len())
	}
	if before.Len() != 4 {
		t.Error("a copy changed with the original")
	}
}

func TestHeaderChanges(t *testing.T) {
	h, _ := mustRead(t, "A: 1\r\nB: 2\r\na: 3")
	if err := h.Replace("a", "new"); err != nil {
		t.Fatal(err)
	}
	if err := h.Add("C", "4"); err != nil {
		t.Fatal(err)
	}
	if err := h.InsertTop("Top", "0"); err != nil {
		t.Fatal(err)
	}
	if err := h.Replace("D", "5"); err != nil {
		t.Fatal(err)
	}
	want := "Top: 0\r\na: new\r\nB: 2\r\nC: 4\r\nD: 5\r\n"
	if got := string(h.Bytes()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h, _ = mustRead(t, "A: cut")
	h.Add("B", "x")
	if got := string(h.Bytes()); got != "A: cut\r\nB: x\r\n" {
		t.Errorf("after a field without line end: %q", got)
	}
}

func TestAddRefuses(t *testing.T) {
	var h Header
	for _, c := range [][2]string{{"A", "b\r\nBcc: x"}, {"A", "b\nc"}, {"A", "b\rc"}, {"A", "\x00"}, {"", "x"}, {"A B", "x"}, {"A:", "x"}, {"\u00c4", "x"}, {"A", strings.Repeat("x", 1000)}} {
		if err := h.Add(c[0], c[1]); !errors.Is(err, ErrField) {
			t.Errorf("Add(%.20q, %.20q) = %v, want ErrField", c[0], c[1], err)
		}
		if h.InsertTop(c[0], c[1]) == nil || h.Replace(c[0], c[1]) == nil {
			t.Errorf("InsertTop or Replace took %.20q", c)
		}
	}
	if h.Len() != 0 {
		t.Error("a refused field was added")
	}
}

func TestAddFolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(rapid.SliceOf(rapid.StringMatching(`[!-~]{1,40}`)).Draw(t, "words"), rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(t, "blank"))
		var h Header
		if err := h.Add("X-Test", value); err != nil {
			t.Fatal(err)
		}
		if got, _ := h.Get("x-test"); got != value {
			t.Fatalf("value %q came back as %q", value, got)
		}
		for line := range strings.Lines(string(h.Bytes())) {
			if strings.TrimSpace(line) == "" {
				t.Fatalf("a blank line in %q", h.Bytes())
			}
		}
	})
	var h Header
	h.Add("Subject", strings.Repeat("word ", 40))
	for line := range strings.Lines(string(h.Bytes())) {
		if len(line) > 78 {
			t.Errorf("line of %d bytes", len(line))
		}
	}
}

func TestAddEncodesWhatIsNotASCII(t *testing.T) {
	var h Header
	h.Add("X-Name", "J\u00fcrgen M\u00fcller")
	if got := string(h.Bytes()); got != "X-Name: =?utf-8?q?J=C3=BCrgen_M=C3=BCller?=\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestParseThenWriteIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOf(rapid.SampledFrom([]string{"A: b", "Content-Type: x/y;", "\r\n", "\n", " ", "\t", "x", ":", "\r", "\xfc", "From "})).Draw(t, "pieces")
		checkIdentity(t, strings.Join(in, ""))
	})
}

type fataler interface{ Fatalf(string, ...any) }

func checkIdentity(t fataler, in string) {
	br := bufio.NewReader(strings.NewReader(in))
	h, err := ReadHeader(br, 0)
	if err != nil {
		if !errors.Is(err, ErrLimit) {
			t.Fatalf("%q: %v", in, err)
		}
		return
	}
	body, _ := io.ReadAll(br)
	head := h.Bytes()
	if !strings.HasPrefix(in, string(head)) || !strings.HasSuffix(in, string(body)) {
		t.Fatalf("%q became header %q and body %q", in, head, body)
	}
	between := in[len(head) : len(in)-len(body)]
	if h.Complete() != (between == "\n" || between == "\r\n") || (!h.Complete() && between != "") {
		t.Fatalf("%q: between header and body stood %q", in, between)
	}
	for _, f := range h.Fields() {
		if !bytes.HasPrefix(f.Raw, []byte(f.Name)) || strings.ContainsAny(f.Value(), "\n") {
			t.Fatalf("%q: field %q with value %q", in, f.Name, f.Value())
		}
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{"A: b\r\n\r\nx", "A: b\n c\n\nx", "x", "", "\r\n", "A : b\r\n\r", strings.Repeat("a", 5000) + ": x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { checkIdentity(t, in) })
}
