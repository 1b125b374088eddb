package tlsrpt

import (
	"errors"
	"strings"
	"testing"
)

// Examples of RFC 8460, 3.1, and what else domains publish.
func TestFindRecord(t *testing.T) {
	for text, want := range map[string]string{
		"v=TLSRPTv1;rua=mailto:reports@example.com":                                                      "v=TLSRPTv1; rua=mailto:reports@example.com",
		"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt":                                        "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
		"v=TLSRPTv1 ; rua=mailto:a@example.com , https://example.com/x?y=1;":                             "v=TLSRPTv1; rua=mailto:a@example.com,https://example.com/x?y=1",
		"v=TLSRPTv1; ext=1; rua=mailto:a@example.com; x-y.z=abc":                                         "v=TLSRPTv1; rua=mailto:a@example.com",
		"v=TLSRPTv1; rua=mailto:a%2Cb@example.com":                                                       "", // a comma is not allowed in an address without quotes
		"v=TLSRPTv1; rua=mailto:a%21b@example.com":                                                       "v=TLSRPTv1; rua=mailto:a%21b@example.com",
		"v=TLSRPTv1; rua=mailto:a@example.com?subject=x&bcc=victim@example.net":                          "v=TLSRPTv1; rua=mailto:a@example.com",
		"v=TLSRPTv1; rua=MAILTO:a@example.com,HTTPS://example.com/":                                      "v=TLSRPTv1; rua=mailto:a@example.com,https://example.com/",
		"v=TLSRPTv1; rua=ftp://example.com/,mailto:a@example.com":                                        "v=TLSRPTv1; rua=mailto:a@example.com",
		"v=TLSRPTv1; rua=mailto:1@x.de,mailto:2@x.de,mailto:3@x.de,https://x.de/,mailto:victim@y.de":     "v=TLSRPTv1; rua=mailto:1@x.de,mailto:2@x.de,mailto:3@x.de,https://x.de/",
		"v=TLSRPTv1; rua=http://example.com/":                                                            "",
		"v=TLSRPTv1; rua=https://user:pw@example.com/":                                                   "",
		"v=TLSRPTv1; rua=https:///x":                                                                     "",
		"v=TLSRPTv1; rua=mailto:":                                                                        "",
		"v=TLSRPTv1; rua=mailto:a@example.com%0d%0aBcc:%20b@example.com":                                 "",
		"v=TLSRPTv1; rua=mailto:<a@example.com>":                                                         "",
		"v=TLSRPTv1; rua=mailto:a@example.com; rua=mailto:b@example.com":                                 "",
		"v=TLSRPTv1; ruf=mailto:a@example.com":                                                           "",
		"v=TLSRPTv1;":                                                                                    "",
		"v=TLSRPTv1; rua=mailto:a@example.com;" + strings.Repeat("x", maxRecord):                         "",
		"v=TLSRPTv1; rua=https://example.com/" + strings.Repeat("x", maxPostURL) + ",mailto:a@x.example": "v=TLSRPTv1; rua=mailto:a@x.example",
	} {
		r, err := FindRecord([]string{"v=spf1 -all", text, "v=TLSRPTv10; rua=mailto:x@example.com", "v=tlsrptv1; rua=mailto:x@example.com"})
		if want == "" {
			if !errors.Is(err, ErrRecord) {
				t.Errorf("%.80s: %v, %v", text, r, err)
			}
			continue
		}
		if err != nil || r.String() != want {
			t.Errorf("%.80s: %v, %v", text, r, err)
		}
	}
}

// Two records, or none, are none (RFC 8460, 3).
func TestNoRecord(t *testing.T) {
	one := "v=TLSRPTv1; rua=mailto:a@example.com"
	for _, texts := range [][]string{nil, {"v=spf1 -all"}, {one, one}, {one, "v=TLSRPTv1; rua=mailto:b@example.com"}, {"v=TLSRPTv1"}, {" " + one}} {
		if r, err := FindRecord(texts); !errors.Is(err, ErrNoRecord) {
			t.Errorf("%q: %v, %v", texts, r, err)
		}
	}
}

// What is understood is written in a form that is understood the same.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		"v=TLSRPTv1;rua=mailto:reports@example.com", "v=TLSRPTv1; rua=https://a.example/x%2Cy,mailto:\"a,b\"@x.example", "v=TLSRPTv1; rua=mailto:%22a%2Cb%22@x.example;", "v=TLSRPTv1;;=;rua=,,",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecord(text)
		if err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		if n := len(r.Mail) + len(r.Posts); n == 0 || n > maxTargets {
			t.Fatal(n)
		}
		again, err := ParseRecord(r.String())
		if err != nil || again.String() != r.String() {
			t.Fatalf("%q, %q, %v", r, again, err)
		}
	})
}
