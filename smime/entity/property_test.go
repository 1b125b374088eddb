package entity

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// scraps are what entities are thrown together from: whole ones come up as often as broken ones.
var scraps = []string{
	"Content-Type: multipart/mixed; boundary=a\r\n", "Content-Type: multipart/alternative;\r\n boundary=\"b\"\r\n", "Content-Type: text/plain; charset=utf-8\r\n",
	"Content-Type: message/rfc822\r\n", "Content-Type: application/pdf\r\n", "Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n",
	"Content-Transfer-Encoding: 8bit\r\n", "X: y\r\n folded\r\n", "no field\r\n", "\r\n", "\n", "\r\n--a\r\n", "\r\n--a--\r\n", "\r\n--b\r\n", "\r\n--b--\r\n", "--a \t\r\n", "--a-- x\r\n",
	"text\r\n", "text", " \r\n", "From x\r\n", "=3D\r\n", "QUJD\r\n", "\u00fc\r\n", "\x00", "\r", strings.Repeat("x", 1200), "Content-Type: multipart/signed; boundary=a\r\n",
}

// thrown draws entities.
func thrown() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(scraps), 0, 30).Draw(t, "scraps"), "")
	})
}

func scanAndConvert(t *rapid.T, in string, mode Mode) (*Node, string) {
	root, err := Scan(strings.NewReader(in), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := root.Convert(&out, strings.NewReader(in), mode); err != nil {
		t.Fatal(err)
	}
	return root, out.String()
}

// What conforms is written as it was read, but for its line ends; what does not conforms afterwards, and is written
// the same the next time.
func TestScanThenConvertIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := thrown().Draw(t, "entity")
		mode := rapid.SampledFrom([]Mode{SevenBit, Transport}).Draw(t, "mode")
		root, out := scanAndConvert(t, in, mode)
		if root.Conforms(mode) && !root.BareLF() && out != in && root.Header.Complete() {
			t.Fatalf("%q conforms and became %q", in, out)
		}
		again, twice := scanAndConvert(t, out, mode)
		if twice != out {
			t.Fatalf("%q became %q, then %q", in, out, twice)
		}
		if !again.Conforms(mode) {
			t.Fatalf("%q became %q, which does not conform", in, out)
		}
	})
}

// The parts of an entity lie within it, one behind the other, each with its header in front of its body; and each, scanned
// alone, is what it was in its place.
func TestPartsAreEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := thrown().Draw(t, "entity")
		root, err := Scan(strings.NewReader(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if root.Start != 0 || root.End != int64(len(in)) {
			t.Fatalf("the root is [%d, %d) of %d", root.Start, root.End, len(in))
		}
		root.All(func(n *Node) bool {
			at := n.Body
			for _, p := range n.Parts {
				if p.Start < at || p.Body < p.Start || p.End < p.Body || p.End > n.End {
					t.Fatalf("a part [%d, %d, %d) in [%d, %d, %d): %q", p.Start, p.Body, p.End, n.Start, n.Body, n.End, in)
				}
				at = p.End
			}
			alone, err := Scan(strings.NewReader(in[n.Start:n.End]), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(alone.Header.Ended().Bytes(), n.Header.Ended().Bytes()) || alone.Body != n.Body-n.Start {
				t.Fatalf("alone, the header of %q is %q, not %q", in[n.Start:n.End], alone.Header.Bytes(), n.Header.Bytes())
			}
			have, want := n.Traits, alone.Traits
			have.Bytes, want.Bytes = 0, 0 // the line end before a boundary counts in place
			if n.Parts == nil && alone.Parts == nil && have != want {
				t.Fatalf("alone, %q is %+v, not %+v", in[n.Start:n.End], alone.Traits, n.Traits)
			}
			return true
		})
	})
}
