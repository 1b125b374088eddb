package mail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		{"user@example.org", "user@example.org USER@Example.ORG", "user2@example.org user@sub.example.org"},
		{"@example.org", "a@example.org B@EXAMPLE.ORG", "a@sub.example.org a@example.com a@xexample.org"},
		{"@*.example.org", "a@sub.example.org a@x.y.example.org", "a@example.org a@xexample.org a@.example.com"},
		{"info@*.example.org", "info@sub.example.org", "info@example.org other@sub.example.org"},
		{"@bücher.example", "a@xn--bcher-kva.example a@BÜCHER.example", "a@bucher.example"},
		{`"a b"@example.org`, `"A B"@example.org`, "ab@example.org"},
		{"@[192.0.2.1]", "a@[192.0.2.1]", "a@[192.0.2.2]"},
		{"kate@example.org", "KATE@example.org", "\u212aate@example.org"},
		{"*", "a@example.org b@[192.0.2.1]", ""},
		{"<>", "", "a@example.org"},
	} {
		p, err := mail.ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, a := range addresses(t, c.yes) {
			if !p.Match(a) {
				t.Errorf("%s does not match %s", c.pattern, a)
			}
		}
		for _, a := range addresses(t, c.no) {
			if p.Match(a) {
				t.Errorf("%s matches %s", c.pattern, a)
			}
		}
		if isNull := c.pattern == "<>"; p.Match(mail.Address{}) != isNull {
			t.Errorf("%s and the null reverse-path", c.pattern)
		}
	}
}

// addresses splits at blanks outside quotes, as far as the table above needs it.
func addresses(t *testing.T, s string) (as []mail.Address) {
	if strings.HasPrefix(s, `"`) {
		return []mail.Address{must(t, s)}
	}
	for _, f := range strings.Fields(s) {
		if f != "a@.example.com" {
			as = append(as, must(t, f))
		}
	}
	return as
}

func TestParsePatternRefuses(t *testing.T) {
	for in, hint := range map[string]string{
		"example.org":      "write @example.org",
		"":                 "write @example.org",
		"**":               "write @example.org",
		"*@example.org":    "for a whole domain write @example.org",
		"a*@example.org":   "for a whole domain",
		"@":                "not a host name",
		"@*":               "not a host name",
		"@*.":              "not a host name",
		"@ex*mple.org":     "not a host name",
		"@*.[192.0.2.1]":   "no subdomains",
		"a b@example.org":  "must be quoted",
		"<a@example.org>":  "angle bracket",
		"a@example.org\n*": "control character",
		strings.Repeat("Ⱥ", 32) + "@example.org": "too long in lower case",
	} {
		_, err := mail.ParsePattern(in)
		if !errors.Is(err, mail.ErrPattern) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: error %v, want %q in it", in, err, hint)
		}
	}
}

func TestPatterns(t *testing.T) {
	a := must(t, "a@firma.example")
	if mail.Patterns(nil).Match(a) || (mail.Patterns{}).Match(mail.Address{}) {
		t.Error("the empty set matches")
	}
	ps, err := mail.ParsePatterns("@partner.example", "a@firma.example")
	if err != nil || !ps.Match(a) || ps.Match(must(t, "b@firma.example")) {
		t.Errorf("%v, %v", ps, err)
	}
	if _, err := mail.ParsePatterns("*", "nonsense"); !errors.Is(err, mail.ErrPattern) {
		t.Errorf("error %v", err)
	}
	for in, want := range map[string]string{"@x.example": "x.example", "a@x.example": "x.example", "@*.x.example": "", "*": "", "<>": ""} {
		if p, _ := mail.ParsePattern(in); p.Domain() != want {
			t.Errorf("%s: domain %q", in, p.Domain())
		}
	}
}

func TestPatternText(t *testing.T) {
	in := `["a@x.example","@x.example","@*.x.example","*","\u003c\u003e"]`
	var ps mail.Patterns
	if err := json.Unmarshal([]byte(in), &ps); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(ps); err != nil || string(out) != in {
		t.Errorf("%s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`["x.example"]`), &ps); !errors.Is(err, mail.ErrPattern) {
		t.Errorf("error %v", err)
	}
}

// A pattern reads back as itself, and matches the address it was made of.
func FuzzParsePattern(f *testing.F) {
	for _, s := range []string{"a@x.example", "@x.example", "@*.x.example", "a@*.x.example", "*", "<>", `"a b"@x`, "Ⱥ@x", "İ@ß.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := mail.ParsePattern(s)
		if err != nil {
			return
		}
		if again, err := mail.ParsePattern(p.String()); err != nil || again != p {
			t.Errorf("%q -> %q -> %#v, %v", s, p.String(), again, err)
		}
		if a, err := mail.ParseAddress(s); err == nil && !p.Match(a) {
			t.Errorf("%q does not match itself", s)
		}
	})
}

func ExamplePatterns_Match() {
	ours, _ := mail.ParsePatterns("@firma.example", "@*.firma.example")
	for _, s := range []string{"alice@firma.example", "bob@lab.firma.example", "eve@partner.example"} {
		a, _ := mail.ParseAddress(s)
		fmt.Println(s, ours.Match(a))
	}
	// Output:
	// alice@firma.example true
	// bob@lab.firma.example true
	// eve@partner.example false
}
