package smime

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// tagsOf are the tags of a document and how it ends.
func tagsOf(doc string) (names []string, err error) {
	s := newHTMLScanner(strings.NewReader(doc))
	for {
		t, err := s.next()
		if err != nil {
			return names, err
		}
		name := t.name
		if t.closing {
			name = "/" + name
		}
		names = append(names, name)
		if t.start < 0 || t.end > int64(len(doc)) || doc[t.start] != '<' || doc[t.end-1] != '>' || !strings.HasPrefix(doc[t.start:], string(t.text)) {
			return names, errors.New("a tag is not where it is said to be")
		}
	}
}

func TestHTMLScanner(t *testing.T) {
	for doc, want := range map[string]string{
		"": "", "text": "", "a < b > c": "", "<": "", "1 <2": "", "a<b>c</B >d<br/>": "b /b br",
		`<img src="a>b" alt='c>d' title=e">f`: "img", `<img src=a="b>c">`: "img", `<a =">">`: "a", `<a b = ">">`: "a", `<a b/=">">`: "a", `<a b/c>`: "a",
		"<!doctype html><html><!-- <p> --><?php <p> ?><!></><p>": "html p", "<!--><p><!---><p><!-- --!><p>": "p p p", "</ p><p>": "p",
		"<style><p></styles></style ><p>": "style /style p", "<TITLE><b></title/>x<textarea></textarea>": "title /title textarea /textarea",

		"<!--": "open", "<!-- a -- b >": "open", "<!-- --!": "open", "<p": "open", "<p a='": "open", "<p a=\">": "open", "</p": "open", "<p/": "open", "</": "open", "<!x": "open", "<?x": "open",
		"<style>": "style open", "<style></style": "style open", "<title></": "title open", "<plaintext></plaintext": "plaintext open", "<xmp><": "xmp open",
		`<img src="http://evil.example/`: "open", `<img src='http://evil.example/">`: "open", "<p " + strings.Repeat("x", 5000): "open", strings.Repeat("x", 5000) + "<p>": "p",
	} {
		names, err := tagsOf(doc)
		if errors.Is(err, errOpenHTML) {
			names = append(names, "open")
		} else if !errors.Is(err, io.EOF) {
			t.Errorf("%.40q: %v", doc, err)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%.40q: %q, want %q", doc, got, want)
		}
	}
}

// failOnce gives an error, and has ended when it is read again.
type failOnce struct{ failed bool }

// Read implements [io.Reader].
func (f *failOnce) Read([]byte) (int, error) {
	if f.failed {
		return 0, io.EOF
	}
	f.failed = true
	return 0, io.ErrClosedPipe
}

// An error of the reader is never taken for the end of a document.
func TestHTMLScannerReadErrors(t *testing.T) {
	doc := "text<!-- c --><p a=\"b\"></p></ x><style>b</style>"
	for n := range len(doc) {
		s := newHTMLScanner(io.MultiReader(strings.NewReader(doc[:n]), &failOnce{}))
		var err error
		for err == nil {
			_, err = s.next()
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %q: %v", doc[:n], err)
		}
	}
}

// The scanner finds the tags that the tokenizer of golang.org/x/net finds, and says that a document is complete
// where a tag behind it would be one there.
func TestHTMLScannerAgreesWithTokenizer(t *testing.T) {
	piece := rapid.SampledFrom([]string{"<", ">", "/", "p", "a=", "'", "\"", " ", "\n", "!", "--", "-", "?", "style", "</style>", "title", "<b>", "=", "x", "\u00fc"})
	rapid.Check(t, func(t *rapid.T) { agrees(t, strings.Join(rapid.SliceOfN(piece, 0, 14).Draw(t, "document"), "")) })
}

type fataler interface{ Fatalf(string, ...any) }

func agrees(t fataler, doc string) {
	got, err := tagsOf(doc)
	if err != io.EOF && err != errOpenHTML {
		t.Fatalf("%q: %v", doc, err)
	}
	complete := err == io.EOF
	var want []string
	z := html.NewTokenizer(strings.NewReader(doc + "<zz>"))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		name, _ := z.TagName()
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			want = append(want, string(name))
		case html.EndTagToken:
			want = append(want, "/"+string(name))
		}
	}
	last := len(want) - 1
	behind := last >= 0 && want[last] == "zz"
	if behind {
		want = want[:last]
	}
	for i := range want {
		want[i] = want[i][:min(len(want[i]), maxTag/2)] // ours are cut somewhere
	}
	for i := range got {
		got[i] = got[i][:min(len(got[i]), maxTag/2)]
	}
	if complete != behind || complete && !slices.Equal(got, want) {
		t.Fatalf("%q: tags %q, complete %v; the tokenizer has %q, %v", doc, got, complete, want, behind)
	}
}

// FuzzHTML reads any bytes as HTML.
func FuzzHTML(f *testing.F) {
	for _, s := range []string{"<html><body class=x>text</body></html>", "<img src=\"", "<!-- -- >-->", "<style></style>", "</ x></>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if lower := strings.ToLower(doc); strings.Contains(lower, "<script") || strings.Contains(lower, "<noscript") || strings.ContainsAny(doc, "\x00") {
			tagsOf(doc) // the tokenizer goes by other rules there: for programs that run scripts
			return
		}
		agrees(t, doc)
	})
}
