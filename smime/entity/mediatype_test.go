package entity

import (
	"mime"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMediaType(t *testing.T) {
	type params = map[string]string
	cases := []struct {
		in        string
		kind      string
		params    params
		ambiguous bool
	}{
		{"text/plain", "text/plain", params{}, false},
		{"Text/HTML; Charset=UTF-8", "text/html", params{"charset": "UTF-8"}, false},
		{"multipart/signed; protocol=\"application/pkcs7-signature\";\r\n micalg=sha-256; boundary=\"a b\\\"c\"", "multipart/signed", params{"protocol": "application/pkcs7-signature", "micalg": "sha-256", "boundary": `a b"c`}, false},
		{"multipart/mixed; boundary=----=_Part:1/2?=x", "multipart/mixed", params{"boundary": "----=_Part:1/2?=x"}, false},
		{"text/plain (a (nested) comment) ; (x) charset = (y) us-ascii (z)", "text/plain", params{"charset": "us-ascii"}, false},
		{"text/plain charset=x", "text/plain", params{"charset": "x"}, false},
		{"text/plain;; charset=x;", "text/plain", params{"charset": "x"}, false},
		{"text / plain; a=", "text/plain", params{"a": ""}, false},
		{"multipart/mixed; boundary=a; boundary=b", "multipart/mixed", params{"boundary": "a"}, true},
		{"multipart/mixed; boundary=\"a", "multipart/mixed", params{}, true},
		{"text/plain; name; charset=x", "text/plain", params{"charset": "x"}, true},
		{"a/b; name*=utf-8'de'%C3%BCber.pdf", "a/b", params{"name": "\u00fcber.pdf"}, false},
		{"a/b; name*0=\"long \"; name*1*=%61bc; name*2=d", "a/b", params{"name": "long abcd"}, false},
		{"a/b; name*0*=utf-8''%C3; name*1*=%BC", "a/b", params{"name": "\u00fc"}, false},
		{"a/b; name*1=x", "a/b", params{}, true},
		{"a/b; name=x; name*=utf-8''y", "a/b", params{"name": "y"}, true},
		{"a/b; name*=utf-8''100%", "a/b", params{"name": "100%"}, false},
		{"", "", params{}, false},
		{"; x=y", "", params{"x": "y"}, false},
		{"text", "text", params{}, false},
		{"a/b; *=x", "a/b", params{}, true},
	}
	for _, c := range cases {
		m := ParseMediaType(strings.ReplaceAll(c.in, "\r\n", ""))
		if m.Type != c.kind || !reflect.DeepEqual(m.Params, c.params) || m.Ambiguous != c.ambiguous {
			t.Errorf("%q: %q %q %v", c.in, m.Type, m.Params, m.Ambiguous)
		}
	}
}

func TestParseMediaTypeIsBounded(t *testing.T) {
	m := ParseMediaType("a/b" + strings.Repeat("; x", 100_000))
	if !m.Ambiguous || len(m.Params) > maxParams {
		t.Errorf("%d parameters, ambiguous %v", len(m.Params), m.Ambiguous)
	}
	var many strings.Builder
	for i := range 1000 {
		many.WriteString("; p" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + "=1")
	}
	if m := ParseMediaType("a/b" + many.String()); len(m.Params) > maxParams {
		t.Errorf("%d parameters", len(m.Params))
	}
}

// What Go's mime package reads without complaint is read the same way here.
func TestParseMediaTypeAgreesWithStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}`), rapid.StringMatching(`[ -~]{0,30}`), 0, 5).Draw(t, "params")
		v := mime.FormatMediaType("application/x-test", params)
		if v == "" {
			t.Skip("not expressible")
		}
		if m := ParseMediaType(v); m.Type != "application/x-test" || !reflect.DeepEqual(m.Params, params) || m.Ambiguous {
			t.Fatalf("%q: %+v, want %q", v, m, params)
		}
	})
}

func TestMediaTypeStringComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}`), rapid.String(), 0, 4).Draw(t, "params")
		in := MediaType{Type: "a/b", Params: params}
		s := in.String()
		if !isASCII(s) {
			t.Fatalf("%q is not ASCII", s)
		}
		for _, v := range params {
			if strings.ContainsAny(v, "\r\n\x00") || len(v) > 500 {
				t.Skip("no field has these")
			}
		}
		if got := ParseMediaType(s); !reflect.DeepEqual(got.Params, params) {
			t.Fatalf("%q became %q and %q", params, s, got.Params)
		}
		_, std, err := mime.ParseMediaType(s)
		if err != nil || !reflect.DeepEqual(std, params) {
			t.Fatalf("the standard library reads %q as %q (%v)", s, std, err)
		}
	})
}

func TestHeaderMediaTypeHelpers(t *testing.T) {
	h, _ := mustRead(t, "Content-Type: application/octet-stream; name=a.bin\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\nContent-Transfer-Encoding: (odd) BASE64 \r\n\r\n")
	if m, ok := h.ContentType(); !ok || !m.Is("x", "application/octet-stream") || m.IsMultipart() {
		t.Errorf("ContentType = %+v, %v", m, ok)
	}
	if h.FileName() != "smime.p7m" || h.TransferEncoding() != "base64" {
		t.Errorf("file %q, encoding %q", h.FileName(), h.TransferEncoding())
	}
	h.Del("content-disposition")
	if h.FileName() != "a.bin" {
		t.Errorf("file %q", h.FileName())
	}
	h, _ = mustRead(t, "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n")
	if m, _ := h.ContentType(); m.Type != "text/plain" || !m.Ambiguous {
		t.Errorf("two fields: %+v", m)
	}
	var none Header
	if m, ok := none.ContentType(); ok || m.Type != "text/plain" || none.TransferEncoding() != "7bit" || none.FileName() != "" {
		t.Errorf("no field: %+v, %v", m, ok)
	}
}

func FuzzMediaType(f *testing.F) {
	f.Add("multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=\"x\"")
	f.Add("a/b; name*0*=utf-8''%C3; name*1*=%BC; name=((;\"\\")
	f.Fuzz(func(t *testing.T, v string) {
		m := ParseMediaType(v)
		if len(m.Params) > maxParams || strings.ToLower(m.Type) != m.Type && isASCII(m.Type) {
			t.Fatalf("%q: %+v", v, m)
		}
		if s := m.String(); !isASCII(s) {
			t.Fatalf("%q: %q is not ASCII", v, s)
		}
	})
}
