package webservice

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
)

var testVocabulary = vocabulary{
	variables: map[string]kind{"a": textKind, "b": boolKind, "l": listKind, "content": contentKind, "p": textKind, "rows": recordsKind},
	fields:    map[string]string{"id": must, "size": may},
	prefixes:  map[string]string{"d": "urn:d"},
}

// rendered fills a template.
func rendered(tb testing.TB, text string, v Values) string {
	tb.Helper()
	t, err := parseTemplate(text, testVocabulary)
	if err != nil {
		tb.Fatal(err)
	}
	var out strings.Builder
	r := &renderer{out: &out, values: v, booleans: [2]string{"no", "yes"}, content: "content"}
	if err := r.nodes(t.nodes, nil); err != nil {
		tb.Fatal(err)
	}
	return r.head + out.String()
}

func TestTemplates(t *testing.T) {
	v := Values{"a": `<x a="1">&'` + "\t\r\n]]>", "b": true, "l": []string{"1<", "2"}, "p": secret.New("s&"), "rows": []Values{{"id": "i", "size": "3"}, {"id": "j"}}}
	for text, want := range map[string]string{
		`<d:x>${a}</d:x>`:                                                          "<d:x>&lt;x a=\"1\"&gt;&amp;'\t&#xD;\n]]&gt;</d:x>",
		`<d:x y="-${a}-"/>`:                                                        `<d:x y="-&lt;x a=&quot;1&quot;&gt;&amp;'&#x9;&#xD;&#xA;]]&gt;-"/>`,
		`<d:x>$${a} $ {a} $$ ${p}</d:x>`:                                           `<d:x>${a} $ {a} $$ s&amp;</d:x>`,
		`<d:x>${b}</d:x>`:                                                          `<d:x>yes</d:x>`,
		`<d:x siegel:if="b"/><d:y siegel:unless="b"/>`:                             `<d:x/>`,
		`<d:x siegel:if="l"/><d:y siegel:if="a"/>`:                                 `<d:x/><d:y/>`,
		`<d:x siegel:each="i in l" n="${i}">${i}</d:x>`:                            `<d:x n="1&lt;">1&lt;</d:x><d:x n="2">2</d:x>`,
		`<d:x siegel:each="r in rows" id="${r.id}">${r.size}</d:x>`:                `<d:x id="i">3</d:x><d:x id="j"></d:x>`,
		`<d:o><d:x siegel:each="i in l"><d:y siegel:if="b">${i}</d:y></d:x></d:o>`: `<d:o><d:x><d:y>1&lt;</d:y></d:x><d:x><d:y>2</d:y></d:x></d:o>`,
		`<x xmlns="urn:x" xmlns:e="urn:e" e:a="1"><e:y/></x>`:                      `<x xmlns="urn:x" xmlns:e="urn:e" e:a="1"><e:y/></x>`,
		`<!-- c --><d:x><![CDATA[<&]]></d:x>`:                                      `<d:x>&lt;&amp;</d:x>`,
	} {
		if got := rendered(t, text, v); got != want {
			t.Errorf("%s\n gives %s\n not   %s", text, got, want)
		}
	}
}

func TestTemplatesRefused(t *testing.T) {
	for text, want := range map[string]string{
		``:                            "no element",
		`text`:                        "text must stand in an element",
		`<d:x>`:                       "ends inside",
		`<d:x></d:y>`:                 "</d:y> stands where </d:x> must",
		`</d:x>`:                      "</d:x> stands where",
		`<d:x a="1" a="2"/>`:          "twice",
		`<q:x/>`:                      "prefix q of <q:x> is not declared",
		`<d:x q:a="1"/>`:              "prefix q of the attribute q:a is not declared",
		`<d:x>${q}</d:x>`:             "${q} is unknown here; known are a, b, content, l, p, rows",
		`<d:x>${a</d:x>`:              "not closed",
		`<d:x>${l}</d:x>`:             `siegel:each="item in l"`,
		`<d:x a="${content}"/>`:       "cannot stand in an attribute",
		`<d:x> ${content}</d:x>`:      "alone in its element",
		`<d:x>${content}<d:y/></d:x>`: "alone in its element",
		`<d:x><d:y>${content}</d:y><d:y>${content}</d:y></d:x>`: "must stand once",
		`<d:x siegel:each="i in l">${content}</d:x>`:            "must stand once",
		`<d:x siegel:each="l"/>`:                                `"NAME in LIST"`,
		`<d:x siegel:each="i in a"/>`:                           "one of the lists l",
		`<d:x siegel:each="a in l"/>`:                           "has a meaning already",
		`<d:x siegel:each="I-1 in l"/>`:                         `"NAME in LIST"`,
		`<d:x siegel:each="r in rows">${r}</d:x>`:               "${r} is unknown",
		`<d:x siegel:each="r in rows">${r.q}</d:x>`:             "${r.q} is unknown",
		`<d:x siegel:if="q"/>`:                                  "no such variable",
		`<d:x siegel:when="a"/>`:                                "siegel:when is unknown",
		`<d:x xmlns:e="${a}"/>`:                                 "cannot be a variable",
		`<d:x xmlns:siegel="x"/>`:                               "have a meaning already",
		`<d:x xmlns:soap="x"/>`:                                 "have a meaning already",
		`<?xml version="1.0"?><d:x/>`:                           "have no place",
		`<!DOCTYPE x><d:x/>`:                                    "have no place",
		`<d:x>&nbsp;</d:x>`:                                     "not XML",
		strings.Repeat("<d:x>", 70):                             "nested more than",
		`<d:x>` + strings.Repeat("a", maxTemplate) + `</d:x>`:   "longer than",
	} {
		_, err := parseTemplate(text, testVocabulary)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, not %q", text, err, want)
		}
	}
	_, err := parseTemplate("<d:x>\n <d:y>\n  ${q}\n </d:y>\n</d:x>", testVocabulary)
	if e, ok := errors.AsType[*templateError](err); !ok || e.line < 3 || e.line > 4 {
		t.Errorf("the line is %v", e)
	}
}

// breakout is a template with every place that a value can have.
const breakout = `<d:x a="${a}" b='p${a}s'><d:y>${a}</d:y><d:y siegel:each="i in l" n="${i}">${i}</d:y><d:z>t${a}${p}</d:z></d:x>`

// structure are the elements and attributes of a document in order, and the texts in it.
func structure(tb testing.TB, text string) (names, texts []string) {
	tb.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return names, texts
		}
		if err != nil {
			tb.Fatalf("%s: %v", text, err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			names = append(names, qualified(x.Name))
			for _, a := range x.Attr {
				names = append(names, "@"+qualified(a.Name))
				texts = append(texts, a.Value)
			}
		case xml.CharData:
			texts = append(texts, string(x))
		case xml.EndElement:
		default:
			tb.Fatalf("%s: holds %T", text, x)
		}
	}
}

// FuzzTemplateValues holds that no value changes the structure of a request, and that it comes out at the other end as it went in.
func FuzzTemplateValues(f *testing.F) {
	for _, s := range []string{"", "x", `"><d:y>`, "]]><!--", "&lt;", "${a}", "\r\n\t", "\u2028\u0085", "'/><?x", "\x00", "\xff\xfe", "\ufffe", "</d:x>", "$${"} {
		f.Add(s, "y")
	}
	names, _ := structure(f, rendered(f, breakout, Values{"a": "a", "l": []string{"b"}, "p": "c"}))
	parsed, err := parseTemplate(breakout, testVocabulary)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var out strings.Builder
		r := &renderer{out: &out, values: Values{"a": a, "l": []string{b}, "p": secret.New(b)}, booleans: [2]string{"no", "yes"}}
		if err := r.nodes(parsed.nodes, nil); err != nil {
			if xmlText(a) && xmlText(b) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		got, texts := structure(t, out.String())
		if strings.Join(got, " ") != strings.Join(names, " ") {
			t.Fatalf("%q and %q make %s", a, b, out.String())
		}
		want := []string{a, "p" + a + "s"}
		for i, w := range want {
			if texts[i] != w {
				t.Fatalf("%q came out as %q", w, texts[i])
			}
		}
	})
}

// FuzzTemplate holds that no template makes the parser fail otherwise than by an error, and that what loads renders as XML.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{breakout, `<d:x siegel:if="b" xmlns="u"><y/></d:x>`, `<d:x>${content}</d:x>`, `<d:x siegel:each="r in rows">${r.id}</d:x>`, `<d:x>`, `<!-- --><d:x/>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseTemplate(text, testVocabulary)
		if err != nil {
			return
		}
		var out strings.Builder
		r := &renderer{out: &out, values: Values{"a": `"<&>'`, "b": true, "l": []string{"<"}, "p": "]]>", "rows": []Values{{"id": "&"}}}, content: "content"}
		if err := r.nodes(parsed.nodes, nil); err != nil {
			return // literal text that XML cannot hold
		}
		structure(t, `<r xmlns:d="urn:d">`+r.head+out.String()+`</r>`)
	})
}
