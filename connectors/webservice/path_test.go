package webservice

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

var testSpaces = map[string]string{"a": "urn:a", "b": "urn:b", soapPrefix: soap12}

// tree reads a document that must be good.
func tree(tb testing.TB, text string) *node {
	tb.Helper()
	root, l, err := parseTree(strings.NewReader(text), nil)
	if err != nil {
		tb.Fatal(err)
	}
	l.close()
	return root
}

// Names are namespaces and local names, whatever prefixes the answer uses; what has no prefix in an expression has no namespace.
func TestPaths(t *testing.T) {
	root := tree(t, `<x:r xmlns:x="urn:a" xmlns="urn:b"><v>default</v><x:v k="1" x:k="2">one<y xmlns="">plain</y></x:v><x:v k="3">two</x:v><w xmlns="urn:c" xmlns:a="urn:d"><a:v>other</a:v></w></x:r>`)
	for text, want := range map[string]string{
		"a:r/a:v":                           "oneplain",
		"a:r/a:v[2]":                        "two",
		"a:r/a:v[@k='3']":                   "two",
		"a:r/b:v":                           "default",
		"a:r/v":                             "",
		"//y":                               "plain",
		"//a:y":                             "",
		"a:r/a:v/@k":                        "1",
		"a:r/a:v/@a:k":                      "2",
		"a:r/a:v/text()":                    "one",
		"count(//a:v)":                      "2",
		"count(//*)":                        "7",
		"string(a:r/b:v)":                   "default",
		"a:r/b:v = 'default'":               "true",
		"a:r/b:v = 'x'":                     "",
		"a:r/a:v[last()]":                   "two",
		"a:r/*[local-name()='w']/*":         "other",
		"a:r/a:none":                        "",
		"concat(a:r/b:v, '-', a:r/a:v/@k)":  "default-1",
		"/a:r/b:v":                          "default",
		"a:r/a:v[2]/preceding-sibling::b:v": "default",
		"a:r/a:v/y/../@k":                   "1",
	} {
		p, err := compilePath(text, testSpaces)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := p.string(root); err != nil || got != want {
			t.Errorf("%s: %q, %v, not %q", text, got, err, want)
		}
	}
}

func TestPathsRefused(t *testing.T) {
	for _, text := range []string{
		"", " ", "/ /", "a:r/[", "a:r[", "q:r", "$x/@y", "a:r/a:v[", "'x", "nofunction()", "a:r//", "concat(", "string-length()", "substring()", "a:r]", "::", "@", "a:r/@",
		strings.Repeat("(", 100), strings.Repeat("a:r/", 400) + "a:r", "position(1)", "matches('a','[')",
	} {
		if p, err := compilePath(text, testSpaces); err == nil {
			if _, err := p.evaluate(tree(t, "<x/>")); err == nil {
				t.Logf("%q is taken", text)
			}
		}
	}
	for _, text := range []string{"", "a:r/[", "q:r", "$x/@y", "nofunction()", strings.Repeat("(", 100), strings.Repeat("a:r/", 400) + "a:r"} {
		if _, err := compilePath(text, testSpaces); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	p, err := compilePath("count(//a:v)", testSpaces)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.nodes(tree(t, "<x/>")); err == nil {
		t.Error("a number was taken for nodes")
	}
}

// Work grows with the answer to a power, and ends.
func TestPathWork(t *testing.T) {
	root := tree(t, `<r xmlns="urn:a">`+strings.Repeat("<v><v>1</v></v>", 4000)+"</r>")
	for _, text := range []string{
		"//a:v[count(//a:v[. = '1']) > 5]", "count(//a:v/following::a:v/preceding::a:v)", "//a:v/ancestor::*//a:v//..",
		"count(//*[count(//*) > count(//*)])",
	} {
		p, err := compilePath(text, testSpaces)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := p.evaluate(root); !errors.Is(err, errWork) {
			t.Errorf("%s: %v", text, err)
		}
	}
	p, err := compilePath("//a:v", testSpaces)
	if err != nil {
		t.Fatal(err)
	}
	if nodes, err := p.nodes(root); err != nil || len(nodes) != 8000 {
		t.Errorf("%d, %v", len(nodes), err)
	}
}

// An expression may be used at once.
func TestPathsAtOnce(t *testing.T) {
	p, err := compilePath("a:r/a:v[@k='3']", testSpaces)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			root := tree(t, `<r xmlns="urn:a"><v k="1">one</v><v k="3">two</v></r>`)
			for range 100 {
				if got, err := p.string(root); err != nil || got != "two" {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// FuzzPath applies any expression to a document: a value or an error, and an end.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"a:r/a:v", "//a:v[@k='3']", "count(//*)", "true()", "0<1", "a:r|b:r", "(//a:v//b:v/ancestor::a:r[1])[starts-with(.,'x')]", "not(false())", "string-join(//a:v,',')", "replace('a','b','c')", "reverse(//*)", "1 div 0", "a:r/a:v[position()=last()]"} {
		f.Add(s)
	}
	root := tree(f, `<r xmlns="urn:a" xmlns:b="urn:b"><v k="1">one</v><v k="3">two<b:v/></v></r>`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := compilePath(text, testSpaces)
		if err != nil {
			return
		}
		_, _ = p.evaluate(root)
		_, _ = p.string(root)
	})
}
