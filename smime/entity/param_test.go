package entity

import (
	"maps"
	"strings"
	"testing"
)

func TestTypeParams(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"appended", "Content-Type: text/plain; charset=UTF-8\r\n", "Content-Type: text/plain; charset=UTF-8;\r\n hp=\"clear\"\r\n"},
		{"folded, odd case", "content-TYPE : text/html;\r\n\tcharset=\"x\";  \r\n", "content-TYPE : text/html;\r\n\tcharset=\"x\";\r\n hp=\"clear\"\r\n"},
		{"the only field", "Content-Type: text/html", "Content-Type: text/html;\r\n hp=\"clear\"\r\n"},
		{"none", "Subject: x\r\n", "Subject: x\r\nContent-Type: text/plain; charset=\"us-ascii\"; hp=\"clear\"\r\n"},
		{"no type", "Content-Type: text\r\n", "Content-Type: text/plain; charset=\"us-ascii\"; hp=\"clear\"\r\n"},
		{"one of that name", "Content-Type: text/plain; hp=cipher\r\n", "Content-Type: text/plain; hp=\"clear\"\r\n"},
		{"a comment", "Content-Type: text/plain (;hp=no\r\n", "Content-Type: text/plain; hp=\"clear\"\r\n"},
		{"a quote without end", "Content-Type: text/plain; charset=\"x\r\n", "Content-Type: text/plain; hp=\"clear\"\r\n"},
		{"two fields", "Content-Type: text/plain\r\nA: b\r\nContent-Type: text/html\r\n", "Content-Type: text/plain; hp=\"clear\"\r\nA: b\r\n"},
		{"not ASCII", "Content-Type: text/plain; name=\u00fc\r\n", "Content-Type: text/plain; hp=\"clear\"; name*=utf-8''%C3%BC\r\n"},
		{"a slash at the end", "Content-Type: text/plain; name=x\\\r\n", "Content-Type: text/plain; name=x\\;\r\n hp=\"clear\"\r\n"},
	}
	for _, c := range cases {
		h, _ := mustRead(t, c.in)
		if err := h.SetTypeParams(Param{"hp", "clear"}); err != nil || string(h.Bytes()) != c.want {
			t.Errorf("%s:\n got %q, %v\nwant %q", c.name, h.Bytes(), err, c.want)
		}
		if err := h.DelTypeParams("hp"); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if m, _ := h.ContentType(); m.Params["hp"] != "" {
			t.Errorf("%s: still in %q", c.name, h.Bytes())
		}
		if strings.Contains(c.want, ";\r\n hp=") && string(h.Bytes()) != strings.TrimRight(c.in, "; \r\n")+"\r\n" {
			t.Errorf("%s: %q does not come back, %q does", c.name, c.in, h.Bytes())
		}
	}
	if err := new(Header).DelTypeParams("hp"); err != nil {
		t.Error(err)
	}
	h, _ := mustRead(t, "Content-Type: text/plain; name=\"a; hp=b\"; hp=c\r\n")
	if h.DelTypeParams("hp"); string(h.Bytes()) != "Content-Type: text/plain; name=\"a; hp=b\"\r\n" {
		t.Errorf("text in quotes was taken for a parameter: %q", h.Bytes())
	}
	h, _ = mustRead(t, "Content-Type: text/plain; x="+strings.Repeat("y/", 600)+"\r\n")
	if h.SetTypeParams(Param{"hp", "clear"}) != nil {
		t.Error("a long parameter is no error")
	}
}

// FuzzTypeParams holds that a parameter that is set is there, and gone when it is taken off, with all others as
// they were.
func FuzzTypeParams(f *testing.F) {
	for _, s := range []string{"text/plain; charset=utf-8", "a/b;hp=1;hp=2", "multipart/mixed; boundary=\"a;hp=x\"; name*0=a; name*1=b", "text/plain (x) ; a=b", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h, rest := mustRead(t, "Content-Type: "+value)
		if h.Len() != 1 || rest != "" {
			return
		}
		before, _ := h.ContentType()
		before = ParseMediaType(before.String()) // as far as it can be written
		if h.SetTypeParams(Param{"hp", "cipher"}) != nil {
			return
		}
		m, _ := h.ContentType()
		if m.Params["hp"] != "cipher" || m.Ambiguous {
			t.Fatalf("%q became %q: %+v", value, h.Bytes(), m)
		}
		if h.DelTypeParams("hp") != nil {
			return
		}
		after, _ := h.ContentType()
		delete(before.Params, "hp")
		if strings.Contains(before.Type, "/") && (after.Type != before.Type || !maps.Equal(after.Params, before.Params)) {
			t.Fatalf("%q: %+v became %+v", value, before, after)
		}
	})
}
