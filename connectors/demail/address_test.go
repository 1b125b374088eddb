package demail

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]string{
		"erika.mustermann@dmda-a.de-mail.de":            "erika.mustermann@dmda-a.de-mail.de",
		"Erika.Mustermann@DMDA-A.De-Mail.DE":            "erika.mustermann@dmda-a.de-mail.de",
		"wilhelm_joachim.von-berg.3@x.de-mail.de":       "wilhelm_joachim.von-berg.3@x.de-mail.de",
		"poststelle@standort_A.institution.de-mail.de":  "poststelle@standort_a.institution.de-mail.de", // 2.1, 2.1.2.1
		"pn_sonnenschein@dmda-a.de-mail.de":             "pn_sonnenschein@dmda-a.de-mail.de",
		"Versandbestaetigung@dmda-a.example":            "versandbestaetigung@dmda-a.example",
		strings.Repeat("a", 64) + "@x.de-mail.de":       strings.Repeat("a", 64) + "@x.de-mail.de",
		"x+y=z@a.de-mail.de":                            "x+y=z@a.de-mail.de",
		"a@" + strings.Repeat("a.", 89) + "de-mail.de":  "a@" + strings.Repeat("a.", 89) + "de-mail.de",
		"a@" + strings.Repeat("b", 63) + ".de-mail.de":  "a@" + strings.Repeat("b", 63) + ".de-mail.de",
		"a!#$%&'*+-/=?^_`{|}~@institution.dmda.example": "a!#$%&'*+-/=?^_`{|}~@institution.dmda.example",
	} {
		a, err := ParseAddress(in)
		if err != nil || a.String() != want {
			t.Errorf("%s: %q, %v", in, a, err)
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%s does not read back: %v, %v", a, again, err)
		}
	}
	for _, in := range []string{
		"", "@", "a", "a@", "@b.de", "a@b", "a@b..de", "a@.b.de", "a@b.de.", "a..b@c.de", ".a@c.de", "a.@c.de", "a b@c.de", "a@b c.de", `"a"@b.de`,
		"a@[127.0.0.1]", "a@1.2.3.4", "a(x)@b.de", "a@b.de\r\nX: y", "a\x00@b.de", "ä@b.de", "a@straße.de", "a@-b.de", "a@b-.de", "a@b@c.de", "<a@b.de>",
		strings.Repeat("a", 65) + "@b.de", "a@" + strings.Repeat("b", 64) + ".de", "a@" + strings.Repeat("a.", 94) + "de",
		strings.Repeat("a", 64) + "@" + strings.Repeat("a.", 94) + "de", "\u212a@b.de", // KELVIN SIGN is no k
	} {
		if a, err := ParseAddress(in); !errors.Is(err, ErrAddress) || !a.IsZero() {
			t.Errorf("%q: %v, %v", in, a, err)
		}
	}
}

func TestForm(t *testing.T) {
	for in, want := range map[string]Form{
		"erika.mustermann":    FormPerson,
		"e.mustermann.12":     FormPerson,
		"hans_peter.von-berg": FormPerson,
		"mustermann":          FormOther,
		"mustermann.2":        FormOther,
		"poststelle":          FormOther,
		"a.b.c":               FormOther,
		"1.2.3":               FormOther,
		"pn_sonne":            FormPseudonym,
		"pn_so.nne":           FormPerson, // a dot is not allowed in a pseudonym
		"pn_":                 FormOther,
		"Abholbestaetigung":   FormSystem,
		"meldung":             FormSystem,
	} {
		a, err := ParseAddress(in + "@x.de-mail.de")
		if err != nil || a.Form() != want {
			t.Errorf("%s: %v, %v", in, a.Form(), err)
		}
	}
	for f, want := range map[Form]string{FormOther: "other", FormPerson: "person", FormPseudonym: "pseudonym", FormSystem: "system", 9: "system"} {
		if f.String() != want {
			t.Error(f, want)
		}
	}
}

func TestAddressText(t *testing.T) {
	var v struct{ A, B Address }
	if err := json.Unmarshal([]byte(`{"A":"Erika.M@x.de-mail.de","B":""}`), &v); err != nil || v.A.Local() != "erika.m" || !v.B.IsZero() {
		t.Error(v, err)
	}
	if out, err := json.Marshal(v); err != nil || string(out) != `{"A":"erika.m@x.de-mail.de","B":""}` {
		t.Errorf("%s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"x"}`), &v); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

func TestDomains(t *testing.T) {
	d, err := NewDomains("dmda-a.example", "Firma.EXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]bool{
		"de-mail.de": true, "stadt.de-mail.de": true, "a.b.STADT.De-Mail.de": true, "stadt.de-mail.de.": true, "stadt.de-mail.de..": true,
		"stadt.de-mail。de": true, "stadt.ｄｅ-mail.de": true, " stadt.de-mail.de ": true, "x..de-mail.de": true, // whoever maps these would deliver there
		"dmda-a.example": true, "x.dmda-a.example": true, "firma.example": true,
		"xde-mail.de": false, "de-mail.de.evil.example": false, "example": false, "": false, "mail.de": false, "de-mail.example": false,
	} {
		if d.Has(in) != want {
			t.Errorf("%q: %v", in, !want)
		}
	}
	if (Domains{}).Has("dmda-a.example") || !(Domains{}).Has("x.de-mail.de") {
		t.Error("the zero Domains")
	}
	if _, err := NewDomains("ok.example", "not a domain"); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}
