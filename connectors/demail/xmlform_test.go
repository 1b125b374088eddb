package demail

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// growing makes XML of all that makes canonical forms hard: prefixes and default namespaces bound anew, attributes in any order, comments,
// CDATA, references to characters, blanks of all kinds. It does not take default namespaces back (xmlns=""): there goxmldsig writes one more
// than it should in the exclusive form. Every element of a confirmation is in a namespace, so none that is whole has it; one that has is refused.
type growing struct {
	r *rand.Rand
	b strings.Builder
}

func (g *growing) pick(s ...string) string { return s[g.r.IntN(len(s))] }

func (g *growing) element(depth int) {
	name := g.pick("a", "b", "p:a", "q:b")
	g.b.WriteString("<" + name + " xmlns:p='" + g.pick("urn:1", "urn:2", "urn:de-mail") + "' xmlns:q=\"" + g.pick("urn:1", "urn:3") + "\"")
	if g.r.IntN(3) == 0 {
		g.b.WriteString(" xmlns='" + g.pick("urn:1", "urn:d", "urn:de-mail") + "'")
	}
	for _, a := range []string{"z", "y", "q:x", "p:y", "Id"} {
		if g.r.IntN(2) == 0 && !(a == "p:y" || a == "q:x") || g.r.IntN(4) == 0 && (a == "q:x") {
			g.b.WriteString(g.pick(" ", "\n", "\t ") + a + "='" + g.pick("1", "a &lt; b", "&quot;", "ü", "a&#9;b&#13;c", ">", "") + "'")
		}
	}
	g.b.WriteString(">")
	for range g.r.IntN(4) {
		switch g.r.IntN(5) {
		case 0:
			g.b.WriteString(g.pick("text", " ", "\n\t", "&amp;&gt;", "&#13;\n", "&#xfc;", "]]&gt;", "'\""))
		case 1:
			g.b.WriteString("<!-- c " + g.pick("x", "<y>", "") + "-->")
		case 2:
			g.b.WriteString("<![CDATA[" + g.pick("<&>", "x", " ") + "]]>")
		default:
			if depth > 0 {
				g.element(depth - 1)
			}
		}
	}
	g.b.WriteString("</" + name + g.pick("", " ", "\n") + ">")
}

// The canonical forms are those that libxml2 makes.
func TestCanonicalForms(t *testing.T) {
	xmllint := peer(t, "xmllint")
	r := rand.New(rand.NewPCG(8, 1201))
	file := filepath.Join(t.TempDir(), "a.xml")
	for range 30 {
		g := &growing{r: r}
		g.element(4)
		if err := os.WriteFile(file, []byte(g.b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		for flag, algorithm := range map[string]string{
			"--exc-c14n": "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
			"--c14n":     "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
			"--c14n11":   "http://www.w3.org/2006/12/xml-c14n11#WithComments",
		} {
			theirs, err := exec.Command(xmllint, "--nonet", flag, file).Output()
			if err != nil {
				t.Fatal(err)
			}
			doc := etree.NewDocument()
			if err := doc.ReadFromString(g.b.String()); err != nil {
				t.Fatal(err)
			}
			ours, err := canonical{algorithm: algorithm}.bytes(doc.Root())
			if err != nil || !bytes.Equal(ours, bytes.TrimSuffix(theirs, []byte("\n"))) {
				t.Errorf("%s of\n%s\nis\n%s\nnot\n%s\n%v", flag, g.b.String(), ours, theirs, err)
			}
		}
	}
}

func TestWithoutComments(t *testing.T) {
	for in, want := range map[string]string{
		"http://www.w3.org/2001/10/xml-exc-c14n#WithComments":          "http://www.w3.org/2001/10/xml-exc-c14n#",
		"http://www.w3.org/2001/10/xml-exc-c14n#":                      "http://www.w3.org/2001/10/xml-exc-c14n#",
		"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
		"http://www.w3.org/TR/2001/REC-xml-c14n-20010315":              "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
		"http://www.w3.org/2006/12/xml-c14n11#WithComments":            "http://www.w3.org/2006/12/xml-c14n11",
	} {
		c := canonical{algorithm: in}
		if _, ok := c.canonicalizer(); !ok {
			t.Error(in)
		}
		if got := c.withoutComments(); got.algorithm != want {
			t.Errorf("%s: %s", in, got.algorithm)
		} else if _, ok := got.canonicalizer(); !ok {
			t.Error(want)
		}
	}
}
