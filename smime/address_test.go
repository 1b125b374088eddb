package smime

import (
	"reflect"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime/entity"
)

func TestAuthor(t *testing.T) {
	cases := map[string]string{ // "" means that there is none without doubt
		"alice@firma.example":                             "alice@firma.example",
		"<alice@firma.example>":                           "alice@firma.example",
		" Alice  <alice@firma.example> ":                  "alice@firma.example",
		"\"Alice, \\\"A\\\"\" <alice@firma.example>":      "alice@firma.example",
		"J\u00fcrgen <alice@firma.example>":               "alice@firma.example",
		"J\xfcrgen <alice@firma.example>":                 "alice@firma.example",
		"alice@firma.example (Alice (A.) \\) here)":       "alice@firma.example",
		"(x) alice@firma.example":                         "alice@firma.example",
		"Alice (at home) <alice@firma.example>":           "alice@firma.example",
		"alice@firma.example <alice@firma.example>":       "alice@firma.example",
		"=?utf-8?q?Alice?= <alice@firma.example>":         "alice@firma.example",
		"\"a b\"@firma.example":                           "\"a b\"@firma.example",
		"<\"a>b\"@firma.example>":                         "\"a>b\"@firma.example",
		", alice@firma.example ,":                         "alice@firma.example",
		"Alice @ home <alice@firma.example>":              "alice@firma.example",
		"":                                                "",
		"Alice":                                           "",
		"M\u00fcller, Alice <alice@firma.example>":        "",
		"alice@firma.example, bob@x.example":              "",
		"<alice@firma.example> <bob@x.example>":           "",
		"<alice@firma.example> bob@x.example":             "",
		"bob@x.example <alice@firma.example>":             "",
		"\"bob@x.example\" <alice@firma.example>":         "",
		"\"bob\uff20x.example\" <alice@firma.example>":    "",
		"=?utf-8?b?Ym9iQHguZXhhbXBsZQ==?= <a@b.example>":  "",
		"\"<bob@x.example>\" <alice@firma.example>":       "",
		"alice@firma.example (bob@x.example)":             "",
		"staff: alice@firma.example;":                     "",
		"undisclosed:;":                                   "",
		"<@relay.example:alice@firma.example>":            "",
		"alice@firma.example@x.example":                   "",
		"alice @firma.example":                            "",
		"<alice@firma.example":                            "",
		"<<alice@firma.example>>":                         "",
		"\"Alice <alice@firma.example>":                   "",
		"(Alice <alice@firma.example>":                    "",
		"alice@firma.example)":                            "",
		"@firma.example":                                  "",
		"alice@":                                          "",
		"<>":                                              "",
		"alice@firma.example\x00.evil.example":            "",
		"\"alice@firma.example\"@evil.example":            "", // the quoted part shows an address
		"ali\tce@firma.example":                           "",
		"Alice <alice@firma.example>, ":                   "alice@firma.example",
		"\"alice@firma.example\" <alice@firma.example>":   "alice@firma.example",
		"Alice via List <list@x.example>":                 "list@x.example",
		"'bob@x.example' via List <list@x.example>":       "",
		"=?x-unknown?q?bob?= <alice@firma.example>":       "alice@firma.example",
		"<alice@firma.example>;":                          "",
		"Alice:<alice@firma.example>":                     "",
		strings.Repeat("(", 1000) + "alice@firma.example": "",
	}
	for in, want := range cases {
		var h entity.Header
		h.Append(entity.Field{Name: "From", Raw: []byte("From: " + in + "\r\n")})
		got, problem := author(h)
		if got != want || (problem == "") != (want != "") {
			t.Errorf("%q: %q (%s), want %q", in, got, problem, want)
		}
	}
}

func TestSameAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a@b.example", "A@B.Example", true},
		{"\"a\"@b.example", "a@b.example", true},
		{"\"a\\b\"@b.example", "ab@b.example", true},
		{"a@b.example.", "a@b.example", false},
		{"a@b.example", "a@b.example\x00", false},
		{"a", "a", false},
		{"a@m\u00dcller.example", "a@xn--mller-kva.example", true},
		{"\u00e4@b.example", "\u00c4@b.example", false},
		{"a@" + strings.Repeat("m\u00fcller.", 40), "a@" + strings.Repeat("xn--mller-kva.", 40), false}, // no domain is as long
	} {
		if got := sameAddress(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

func TestLayerOf(t *testing.T) {
	for in, want := range map[string]string{
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02":                     TypeSigned,
		"\x30\x82\x01\x02\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03":             TypeEnveloped,
		"\x30\x0b\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17":             TypeAuthEnveloped,
		"\x30\x83\x01\x02\x03\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09": TypeCompressed,
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01":                     "", // data
		"\x30\xff": "", "\x30": "", "": "", "\x31\x80": "",
	} {
		if got := layerOf([]byte(in)); got != want {
			t.Errorf("%x: %q, want %q", in, got, want)
		}
	}
}

func FuzzMailboxes(f *testing.F) {
	f.Add("\"Alice, \\\"A\\\"\" <alice@firma.example> (x (y)), bob@x.example")
	f.Fuzz(func(t *testing.T, v string) {
		list, ok := mailboxes(v)
		for _, m := range list {
			if local, domain := split(m.addr); ok && (local == "" || domain == "") {
				t.Fatalf("%q: %+v", v, m)
			}
		}
		if again, _ := mailboxes(v); !reflect.DeepEqual(list, again) {
			t.Fatalf("%q is read in two ways", v)
		}
	})
}
