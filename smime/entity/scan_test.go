package entity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func scan(t testing.TB, s string) *Node {
	t.Helper()
	n, err := Scan(strings.NewReader(s), Limits{})
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	return n
}

// outline writes a tree as text: the bytes of each leaf, quoted, in the order they stand.
func outline(s string, n *Node) string {
	if n.Parts == nil {
		return fmt.Sprintf("%s%q", n.Type.Type, s[n.Start:n.End])
	}
	var parts []string
	for _, p := range n.Parts {
		parts = append(parts, outline(s, p))
	}
	closed := ""
	if !n.Closed {
		closed = "?"
	}
	return n.Type.Type + closed + "(" + strings.Join(parts, " ") + ")"
}

const crlfMixed = "Content-Type: multipart/mixed; boundary=b\n\n"

func TestScanRanges(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"leaf", "Content-Type: text/html\n\nx\n", `text/html"Content-Type: text/html\n\nx\n"`},
		{"two parts", crlfMixed + "--b\n\none\n--b\nA: b\n\ntwo\n\n--b--\n", `multipart/mixed(text/plain"\none" text/plain"A: b\n\ntwo\n")`},
		{"preamble and epilogue", crlfMixed + "pre\n--b\n\n1\n--b--\npost\n", `multipart/mixed(text/plain"\n1")`},
		{"no closing boundary", crlfMixed + "--b\n\none\n--b\n\ntwo\n", `multipart/mixed?(text/plain"\none" text/plain"\ntwo\n")`},
		{"no boundary at all", crlfMixed + "text\n", `multipart/mixed"` + strings.ReplaceAll(crlfMixed, "\n", `\n`) + `text\n"`},
		{"no parameter", "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", `multipart/mixed"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n"`},
		{"blanks after boundaries", crlfMixed + "--b \t\n\none\n--b-- \n", `multipart/mixed(text/plain"\none")`},
		{"what only begins like a boundary", crlfMixed + "--b\n\n--bc\n--b-\n --b\n--b--\n", `multipart/mixed(text/plain"\n--bc\n--b-\n --b")`},
		{"no blank line in a part", crlfMixed + "--b\nA: b\n--b\n--b\n\n--b\nA: b\n\n--b--\n", `multipart/mixed(text/plain"A: b" text/plain"" text/plain"" text/plain"A: b\n")`},
		{"a boundary like a field", "Content-Type: multipart/mixed; boundary=\"x:y\"\n\n--x:y\nA: b\n--x:y\n\n1\n--x:y--\n", `multipart/mixed(text/plain"A: b" text/plain"\n1")`},
		{"nested", crlfMixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--c\n\n2\n--c--\nx\n--b\n\n3\n--b--\n", `multipart/mixed(multipart/alternative(text/plain"\n1" text/plain"\n2") text/plain"\n3")`},
		{"inner one not closed", crlfMixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--b\n\n3\n--b--\n", `multipart/mixed(multipart/alternative?(text/plain"\n1") text/plain"\n3")`},
		{"inner boundary begins with the outer", crlfMixed + "--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n\n1\n--bb--\n--b\n\n3\n--b--\n", `multipart/mixed(multipart/alternative(text/plain"\n1") text/plain"\n3")`},
		{"boundary after boundary", crlfMixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n--b--\n", `multipart/mixed(multipart/alternative?(text/plain""))`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b--\n", `multipart/digest(message/rfc822"\nA: b\n\nx")`},
		{"message is not looked into", crlfMixed + "--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--c--\n--b--\n", `multipart/mixed(message/rfc822"Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--c--")`},
		{"encoded multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n", `multipart/mixed"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n"`},
		{"cut within a boundary", crlfMixed + "--b\n\none\n--b", `multipart/mixed?(text/plain"\none" text/plain"")`},
		{"empty", "", `text/plain""`},
	}
	for _, c := range cases {
		for _, eol := range []string{"\n", "\r\n"} {
			in := strings.ReplaceAll(c.in, "\n", eol)
			want := strings.ReplaceAll(c.want, `\n`, strings.Trim(fmt.Sprintf("%q", eol), `"`))
			checkTree(t, int64(len(in)), scan(t, in))
			if got := outline(in, scan(t, in)); got != want {
				t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
			}
			slow, err := Scan(iotest.OneByteReader(strings.NewReader(in)), Limits{})
			if err != nil || outline(in, slow) != want {
				t.Errorf("%s, byte by byte: %v", c.name, err)
			}
		}
	}
}

func TestScanAmbiguous(t *testing.T) {
	for _, in := range []string{
		"Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		crlfMixed + "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\nmore\r\n--b--\r\n",
		"Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
		crlfMixed + "--bx\r\n\r\npay\r\n--b\r\n\r\nx\r\n--b--\r\n",
		crlfMixed + "--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b x\r\n\r\npay\r\n--b--\r\n",
		crlfMixed + "--b\r\n\r\nx\r\n--b\r\n--b:x\r\n\r\npay\r\n--b--\r\n",
		crlfMixed + "--b" + strings.Repeat(" ", 10_000) + "\r\n\r\npay\r\n--b\r\n\r\nx\r\n--b--\r\n",
		crlfMixed + "--b" + strings.Repeat("x", 10_000) + "\r\n\r\npay\r\n--b\r\n\r\nx\r\n--b--\r\n",
	} {
		if n := scan(t, in); !n.Type.Ambiguous {
			t.Errorf("%q is not ambiguous", in)
		}
	}
	for _, in := range []string{
		crlfMixed + "--b\n\n--bx\n--b\n\nx\n--b--\n", // within the first part
		crlfMixed + "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b\n\nx\n--b--\n",
	} {
		if n := scan(t, in); n.Type.Ambiguous {
			t.Errorf("%q is ambiguous", in)
		}
	}
	n := scan(t, crlfMixed+"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n")
	if n.Type.Ambiguous || !n.Parts[0].Type.Ambiguous {
		t.Error("the same boundary within itself is not marked")
	}
}

func TestScanLimits(t *testing.T) {
	var deep, wide strings.Builder
	for i := range 40 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	wide.WriteString(crlfMixed + strings.Repeat("--b\r\n\r\nx\r\n", 2000))
	heavy := crlfMixed + strings.Repeat("--b\r\nX: "+strings.Repeat("y", 900)+"\r\n\r\n", 900)
	for name, in := range map[string]string{"deep": deep.String(), "wide": wide.String()} {
		if _, err := Scan(strings.NewReader(in), Limits{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
		if _, err := Scan(strings.NewReader(in), Limits{Depth: 50, Parts: 3000}); err != nil {
			t.Errorf("%s with room: %v", name, err)
		}
	}
	if _, err := Scan(strings.NewReader(heavy), Limits{Header: 64 << 10}); !errors.Is(err, ErrLimit) {
		t.Errorf("headers without end: %v", err)
	}
	broken := errors.New("disk")
	if _, err := Scan(io.MultiReader(strings.NewReader(crlfMixed+"--b\n"), failing{broken}), Limits{}); !errors.Is(err, broken) {
		t.Errorf("reader's error: %v", err)
	}
}

func TestTraits(t *testing.T) {
	cases := []struct {
		in   string
		want Traits
	}{
		{"plain\r\n", Traits{}},
		{"12345678\xfc12345678\xe4\r\n", Traits{EightBit: 2}},
		{"1234567\x00\r\n", Traits{NUL: true}},
		{"x\x00", Traits{NUL: true}},
		{"a\rb\r\n", Traits{BareCR: true}},
		{"12345678\r12345678\r\n", Traits{BareCR: true}},
		{"a\r\r\n", Traits{BareCR: true}},
		{"a\r", Traits{BareCR: true}},
		{"a\nb\r\n", Traits{BareLF: true}},
		{"\n", Traits{BareLF: true}},
		{"From x\r\n", Traits{FromLine: true}},
		{"x\r\nFrom x", Traits{FromLine: true}},
		{" From x\r\nfrom\r\n", Traits{}},
		{"x \r\n", Traits{TrailBlank: true}},
		{"x\t\n", Traits{TrailBlank: true, BareLF: true}},
		{"x ", Traits{TrailBlank: true}},
		{"\r\n\r\n", Traits{}},
		{strings.Repeat("x", 998) + "\r\n", Traits{}},
		{strings.Repeat("x", 999) + "\r\n", Traits{LongLine: true}},
		{strings.Repeat("x", 70_000) + "\xfc\r\n", Traits{LongLine: true, EightBit: 1}},
	}
	for _, c := range cases {
		c.want.Bytes = int64(len(c.in))
		if got := scan(t, "\r\n"+c.in).Traits; got != c.want {
			t.Errorf("%.30q: %+v, want %+v", c.in, got, c.want)
		}
	}
}

// However a line is cut, what is found of it is the same.
func TestTraitsOfPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "12345678", "\r", "\n", "\r\n", " ", "From ", "\x00", "\xfc"})).Draw(t, "text"), "")
		whole, cut := Traits{}, Traits{}
		var ws, cs lineState
		for line := range bytes.Lines([]byte(text)) {
			whole.add(line, &ws, !bytes.HasSuffix(line, []byte("\n")))
			at := rapid.IntRange(0, len(line)).Draw(t, "cut")
			if at > 0 && at < len(line) {
				cut.add(line[:at], &cs, false)
				line = line[at:]
			}
			cut.add(line, &cs, !bytes.HasSuffix(line, []byte("\n")))
		}
		cut.FromLine, cut.TrailBlank = whole.FromLine, whole.TrailBlank // a piece is 32 KB, these need whole lines
		if whole != cut {
			t.Fatalf("%q: %+v in one, %+v cut", text, whole, cut)
		}
	})
}

// On messages that Go's mime/multipart reads, the ranges hold the same parts.
func TestScanAgreesWithStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bodies := rapid.SliceOfN(rapid.StringMatching(`([ -~]{0,20}(\r\n)?){0,4}`), 1, 5).Draw(t, "bodies")
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, body := range bodies {
			p, _ := w.CreatePart(map[string][]string{"X-Test": {"1"}})
			io.WriteString(p, body)
		}
		w.Close()
		in := "Content-Type: multipart/mixed; boundary=" + w.Boundary() + "\r\n\r\n" + b.String()
		n, err := Scan(strings.NewReader(in), Limits{})
		if err != nil || len(n.Parts) != len(bodies) || !n.Closed {
			t.Fatalf("%q: %v", in, err)
		}
		for i, p := range n.Parts {
			if got := in[p.Body:p.End]; got != bodies[i] {
				t.Fatalf("part %d is %q, want %q", i, got, bodies[i])
			}
		}
	})
}

func TestScanMemory(t *testing.T) {
	line := strings.Repeat("x", 76) + "\r\n"
	in := io.LimitReader(&cycle{s: line}, 64<<20)
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := Scan(io.MultiReader(strings.NewReader(crlfMixed+"--b\n\n"), in), Limits{}); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 200 {
		t.Errorf("%v allocations", allocated)
	}
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

// checkTree holds what must be true of every tree: ranges in order and within their parents.
func checkTree(t fataler, size int64, n *Node) {
	if n.Start < 0 || n.Body < n.Start || n.End < n.Body || n.End > size {
		t.Fatalf("range %d %d %d of %d", n.Start, n.Body, n.End, size)
	}
	at := n.Body
	for _, p := range n.Parts {
		if p.Start < at || p.End > n.End {
			t.Fatalf("part [%d,%d) after %d in [%d,%d)", p.Start, p.End, at, n.Start, n.End)
		}
		checkTree(t, size, p)
		at = p.End
	}
}

func FuzzScan(f *testing.F) {
	f.Add(crlfMixed + "--b\nContent-Type: multipart/signed; boundary=c\n\n--c\n\n1\r\n--c--\nx\n--b--\n")
	f.Add("Content-Type: multipart/digest; boundary=\"x:y\"\n\n--x:y\nA: b\n--x:y--")
	f.Fuzz(func(t *testing.T, in string) {
		n, err := Scan(strings.NewReader(in), Limits{})
		if err != nil {
			if !errors.Is(err, ErrLimit) {
				t.Fatalf("%v", err)
			}
			return
		}
		checkTree(t, int64(len(in)), n)
		for _, mode := range []Mode{SevenBit, Transport} {
			checkConvert(t, in, n, mode)
		}
	})
}
