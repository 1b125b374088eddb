package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

func header(t testing.TB, text string) entity.Header {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text+"\r\n"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func withDeMail() Vocabulary {
	v := DefaultVocabulary()
	v.DeMail = DefaultDeMail()
	return v
}

func TestDeMailField(t *testing.T) {
	for _, c := range []struct{ value, want, unknown string }{
		{"dispatch", "dispatch", ""},
		{"Dispatch, RECEIPT", "dispatch receipt", ""},
		{"dispatch;receipt retrieve,authoritative\t; private", "dispatch receipt retrieve authoritative private", ""},
		{"dispatch=yes; receipt=no", "dispatch", ""},
		{"dispatch=TRUE,receipt=0,private=1", "dispatch private", ""},
		{"yes", "", ""},
		{"dispatch, registered", "dispatch", "registered"},
		{"dispatch=perhaps", "", "dispatch=perhaps"},
		{"dispatch=", "", "dispatch="},
		{"Versandbestätigung", "", "Versandbestätigung"},
		{"=yes", "", "=yes"},
		{"yes=yes", "", "yes=yes"},
		{"no", "-", ""},
		{"false", "-", ""},
		{"0", "-", ""},
		{"", "-", ""},
		{" ,; ", "-", ""},
		{"receipt=no", "-", ""},
	} {
		h := header(t, "x-siegel-demail: "+c.value+"\r\nSubject: x\r\n")
		f := ReadFlags(&h, DefaultVocabulary()).DeMail
		if got := strings.Join(f.Options.Names(), " "); got != strings.Trim(c.want, "-") || f.Demanded != (c.want != "-") || f.Unknown != c.unknown {
			t.Errorf("%q: %+v", c.value, f)
		}
		if got := string(h.Bytes()); got != "Subject: x\r\n" {
			t.Errorf("%q: left is %q", c.value, got)
		}
	}
	h := header(t, "X-Siegel-DeMail: dispatch\r\nX-Siegel-DeMail: receipt\r\nX-Siegel-DeMail: no\r\n")
	if f := ReadFlags(&h, Vocabulary{}).DeMail; f.Options != (demail.Options{Dispatch: true, Receipt: true}) || !f.Demanded {
		t.Errorf("of three fields: %+v", f)
	}
}

func TestDeMailTags(t *testing.T) {
	for _, c := range []struct{ subject, want, left string }{
		{"[Versandbestätigung] Antrag", "dispatch", "Antrag"},
		{"Antrag [Versandbestätigung]", "dispatch", "Antrag"},
		{"[EINGANGSBESTÄTIGUNG][ versand bestätigung ] Antrag", "dispatch receipt", "Antrag"},
		{"[Versandbestätigung, Eingangsbestätigung,Persönlich] Antrag", "dispatch receipt private", "Antrag"},
		{"[Versandbestaetigung] Antrag [Absenderbestaetigt]", "dispatch authoritative", "Antrag"},
		{"[Delivery confirmation] [receiptconfirmation] offer [Confirmed by sender, personal]", "dispatch receipt authoritative private", "offer"},
		{"[Collection confirmation]", "retrieve", ""},
		{"[Abholbestätigung] [encrypt] Antrag [sign]", "retrieve encrypt sign", "Antrag"},
		{"[Perso\u0308nlich] decomposed", "private", "decomposed"},
		{"=?utf-8?q?[Pers=C3=B6nlich]_Antrag?=", "private", "=?utf-8?Q?Antrag?="},
		{"=?iso-8859-1?q?[Pers=F6nlich,?= =?utf-8?b?VmVyc2FuZGJlc3TDpHRpZ3VuZ10=?= Antrag", "dispatch private", "Antrag"},
		{"[Versandbestätigung, Einschreiben] Antrag", "dispatch !Einschreiben", "Antrag"},
		{"[Versandbestätigung,] Antrag", "dispatch", "Antrag"},
		{"Re: [Versandbestätigung] Antrag", "", "Re: [Versandbestätigung] Antrag"},
		{"[Einschreiben] Antrag", "", "[Einschreiben] Antrag"},
		{"[[Personal]] x", "", "[[Personal]] x"},
		{"[] x", "", "[] x"},
		{"[,] x", "", "[,] x"},
		{"[Personal x", "", "[Personal x"},
		{"Personal] x", "", "Personal] x"},
		{"(Personal) x", "", "(Personal) x"},
		{"[" + strings.Repeat(" ", 300) + "Personal] x", "", "[" + strings.Repeat(" ", 300) + "Personal] x"},
	} {
		h := header(t, "Subject: "+c.subject+"\r\nThread-Topic: "+c.subject+"\r\n")
		f := ReadFlags(&h, withDeMail())
		got := f.DeMail.Options.Names()
		if f.Encrypt {
			got = append(got, "encrypt")
		}
		if f.Sign {
			got = append(got, "sign")
		}
		if f.DeMail.Unknown != "" {
			got = append(got, "!"+f.DeMail.Unknown)
		}
		left, _ := h.Get("Subject")
		topic, _ := h.Get("Thread-Topic")
		if strings.Join(got, " ") != c.want || left != c.left || topic != c.left || f.DeMail.Demanded {
			t.Errorf("%q: %v, left %q and %q", c.subject, got, left, topic)
		}
	}
}

// Without words for De-Mail a subject stays what it is: [Personal] is an ordinary word elsewhere.
func TestNoDeMailTags(t *testing.T) {
	const subject = "[Personal] your pay [Versandbestätigung]"
	h := header(t, "Subject: "+subject+"\r\n")
	if f := ReadFlags(&h, DefaultVocabulary()); !f.IsZero() {
		t.Errorf("%+v", f)
	}
	if left, _ := h.Get("Subject"); left != subject {
		t.Error(left)
	}
}

// Whatever is asked for is taken out once: what is left asks for nothing of the kind that stood at its ends.
func FuzzDeMail(f *testing.F) {
	f.Add("[Versandbestätigung, Personal] Antrag", "dispatch; receipt=no")
	f.Add("=?utf-8?q?[Pers=C3=B6nlich]_Antrag?= [x]", "yes,=,dispatch=")
	f.Fuzz(func(t *testing.T, subject, value string) {
		clean := strings.NewReplacer("\r", "", "\n", "")
		h, _, err := entity.Read(strings.NewReader("Subject: "+clean.Replace(subject)+"\r\nX-Siegel-DeMail: "+clean.Replace(value)+"\r\n\r\n"), 1<<20)
		if err != nil {
			return
		}
		ReadFlags(&h, withDeMail())
		if _, ok := h.Get("X-Siegel-DeMail"); ok {
			t.Error("the field stays")
		}
		if again := ReadFlags(&h, withDeMail()); !again.IsZero() {
			t.Errorf("%q asks again: %+v", subject, again)
		}
	})
}

// The usual rules leave De-Mail alone; what names its recipients, what a user asks for and what must be encrypted anywhere does not.
func TestRulesForDeMail(t *testing.T) {
	parse := func(texts ...string) mail.Patterns {
		p, err := mail.ParsePatterns(texts...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	everybody := Rule{Name: "everybody", Settings: Settings{Sign: Require, Encrypt: IfPossible, TLS: mail.TLSVerified}}
	secret := Rule{Name: "secret", Settings: Settings{Encrypt: Require}}
	city := Rule{Name: "city", To: parse("@stadt.de-mail.de"), Settings: Settings{Sign: IfPossible, Encrypt: Never}}
	never := Rule{Name: "never", To: parse("@*.de-mail.de"), Settings: Settings{Encrypt: Never}}
	star := Rule{Name: "star", To: parse("*"), Settings: Settings{Sign: Require}}
	for _, c := range []struct {
		name    string
		rules   []Rule
		flags   Flags
		want    string
		encrypt Level // by default
	}{
		{"no rules", nil, Flags{}, "sign never by default, encrypt never by default", IfPossible},
		{"a rule for everybody", []Rule{everybody}, Flags{}, "sign never by default, encrypt never by everybody", IfPossible},
		{"encryption of everything", []Rule{secret}, Flags{}, "sign never by default, encrypt require by secret", IfPossible},
		{"a rule before it", []Rule{everybody, secret}, Flags{}, "sign never by default, encrypt never by everybody", IfPossible},
		{"a rule that names it", []Rule{city, secret}, Flags{}, "sign if-possible by city, encrypt never by city", IfPossible},
		{"a rule that names all", []Rule{star}, Flags{}, "sign require by star, encrypt never by default", IfPossible},
		{"flags", []Rule{everybody}, Flags{Sign: true, Encrypt: true, TLS: mail.TLSVerified}, "sign require by flag, encrypt require by flag", IfPossible},
		{"a default that demands it", nil, Flags{}, "sign never by default, encrypt require by default", Require},
		{"a default that demands it, and a rule for all", []Rule{star}, Flags{}, "sign require by star, encrypt require by default", Require},
		{"a default that demands it, and a rule that does not", []Rule{never}, Flags{}, "sign never by default, encrypt never by never", Require},
	} {
		p, err := New(Config{Rules: c.rules, Company: Settings{Sign: Require, Encrypt: c.encrypt}})
		if err != nil {
			t.Fatal(err)
		}
		in := Input{Internal: true, From: mail.Address{Local: "a", Domain: "firma.example"}, Flags: c.flags, CanSign: true, Recipients: []Recipient{
			{Address: mail.Address{Local: "amt", Domain: "stadt.de-mail.de"}, DeMail: true, CanEncrypt: true},
		}}
		d := p.Decide(in)[0]
		if got := fmt.Sprintf("sign %s by %s, encrypt %s by %s", d.Levels.Sign, d.SignRule, d.Levels.Encrypt, d.EncRule); got != c.want || d.TLS != mail.TLSAsRouted || d.Refusal != nil {
			t.Errorf("%s: %s, TLS %q, %s", c.name, got, d.TLS, d.Refusal.ID)
		}
		if least := p.Least(in)[0]; least.Sign != d.Levels.Sign || least.Encrypt != d.Levels.Encrypt {
			t.Errorf("%s: at least %+v", c.name, least)
		}
	}
}
