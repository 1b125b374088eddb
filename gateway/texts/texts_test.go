package texts

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile are values of strangers who would like to say more than a value.
var hostile = []string{
	"a\r\n250 ok@b.example", "{contact}{recipient}", "\u202egnp.exe\u2066", "<script>alert(1)</script>", "\x00\x1b[2J", "ä漢字\xff", strings.Repeat("ü", 5000), "", "}{", "a@b.example>\nBcc: c@d.example",
}

// everyway are the texts in each way that they can be said.
func everyway() map[string]*Texts {
	english, _ := New(Options{})
	german, _ := New(Options{Language: German, Outside: German, Contact: Pair{EN: "Help desk, phone 4711", DE: "Hotline für Rückfragen, Telefon 4711"}})
	return map[string]*Texts{"nil": nil, "english": english, "german": german}
}

// Whatever the values: an SMTP text is one line of ASCII that fits, with nothing left to fill in; a notice is printable.
func TestEveryText(t *testing.T) {
	for way, texts := range everyway() {
		for _, id := range IDs() {
			for _, v := range append(catalogue[id].extremes(), evil(id)...) {
				name := fmt.Sprintf("%s, %s, %s, %s", way, id, v.Because, v.Reason)
				if catalogue[id].smtp != (Pair{}) {
					checkSMTP(t, name, texts.SMTP(id, v), v)
				}
				de, en := texts.Both(id, v)
				subject, body := texts.Notice(id, v)
				for _, s := range []string{de, en, subject} {
					if unprintable(s, "") != "" || strings.ContainsAny(s, "<>") {
						t.Errorf("%s: %q", name, s)
					}
				}
				if unprintable(body, "\n") != "" || strings.ContainsAny(body, "<>") || !strings.HasSuffix(body, "\n") {
					t.Errorf("%s: %q", name, body)
				}
				if strings.Contains(de+en, "…") && !strings.Contains(fmt.Sprint(v), strings.Repeat("W", 300)) && !strings.Contains(fmt.Sprint(v), "üü") {
					t.Errorf("%s: cut: %q %q", name, de, en)
				}
			}
		}
	}
}

func checkSMTP(t *testing.T, name, s string, v Values) {
	t.Helper()
	if len(s) > MaxSMTP || s == "" {
		t.Errorf("%s: %d characters: %s", name, len(s), s)
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			t.Errorf("%s: %q", name, s)
		}
	}
	if strings.ContainsAny(strings.ReplaceAll(strings.ReplaceAll(s, "{contact}{recipient}", ""), "}{", ""), "{}") {
		t.Errorf("%s: a placeholder is left: %s", name, s)
	}
	if strings.HasSuffix(s, "...") {
		t.Errorf("%s: the end is cut off: %s", name, s)
	}
}

// evil are hostile values for a text, with each phrase.
func evil(id ID) (all []Values) {
	for _, v := range catalogue[id].extremes() {
		for _, h := range hostile {
			w := v
			w.Recipient, w.Sender, w.Address, w.Rule, w.Detail, w.Account, w.Host, w.Number, w.Lines = h, h, h, h, h, h, h, h, []string{h, h}
			all = append(all, w)
		}
	}
	return all
}

// Our own texts pass what an administrator's have to.
func TestOwnTextsPass(t *testing.T) {
	for _, id := range IDs() {
		e := catalogue[id]
		over := Override{ID: id, SMTP: e.smtp, Subject: e.subject, Notice: e.notice}
		contact := Pair{EN: strings.Repeat("W", maxContact), DE: strings.Repeat("W", maxContact)}
		for _, f := range Check(Options{Contact: contact, Overrides: []Override{over}}) {
			t.Error(&f)
		}
		for _, p := range []Pair{e.smtp, e.subject, e.notice} {
			if (p.EN == "") != (p.DE == "") {
				t.Errorf("%s: one language lacks it", id)
			}
			en, _ := placeholders(p.EN)
			de, _ := placeholders(p.DE)
			for _, name := range needed {
				if strings.Count(strings.Join(en, " "), name) > 0 != (strings.Count(strings.Join(de, " "), name) > 0) {
					t.Errorf("%s: {%s} is in one language only", id, name)
				}
			}
		}
		if e.about == "" || e.smtp == (Pair{}) && e.notice == (Pair{}) {
			t.Errorf("%s: nobody knows when it is said, or what", id)
		}
		for _, phrase := range append(append([]ID{}, e.because...), e.reasons...) {
			if _, ok := phrases[phrase]; !ok {
				t.Errorf("%s: no phrase %s", id, phrase)
			}
		}
	}
}

// What a message waits for is a phrase of its own, too, and never ends a line.
func TestReasonIn(t *testing.T) {
	for _, id := range Awaited() {
		for _, l := range []Language{English, German} {
			got := Reason{ID: id, Detail: "a@x.example\r\n<b>"}.In(l)
			if got == "" || strings.ContainsAny(got, "\r\n<>") || strings.Contains(phrases[id].say.In(l), "{detail}") != strings.Contains(got, "a@x.example") {
				t.Errorf("%s in %s: %q", id, l, got)
			}
		}
	}
	if got := (Reason{}).In(German); got != "" {
		t.Errorf("no reason: %q", got)
	}
}

// What an administrator gets wrong is said with the place and what to do.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Language: "fr"}, "texts: language: write en or de"},
		{Options{Contact: Pair{EN: "a\nb"}}, `texts: contact.en: '\n' cannot stand`},
		{Options{Contact: Pair{DE: strings.Repeat("ü", 31)}}, "texts: contact.de: it has 62 characters, where ä counts as ae; at most 60"},
		{Options{Overrides: []Override{{ID: "encrypt"}}}, "texts: encrypt: id: there is no text of this name; siegel texts list has them all; is it encrypt-impossible?"},
		{Options{Overrides: []Override{{ID: NoRoute}}}, "texts: no-route: id: it says nothing"},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{EN: "{recipient}"}}, {ID: NoRoute, SMTP: Pair{EN: "{recipient}"}}}}, "texts: no-route: id: this text was given already"},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{DE: "Kein Weg."}}}}, "texts: no-route: smtp.de: {recipient} is missing"},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{DE: "Kein Weg zu {empfaenger}."}}}}, `texts: no-route: smtp.de: "{empfaenger}" is no placeholder of this text; it has {contact}, {recipient}`},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{DE: "Kein Weg zu {recipient."}}}}, "texts: no-route: smtp.de: a brace has no partner"},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{DE: "Kein Weg} zu {recipient}."}}}}, "texts: no-route: smtp.de: a brace has no partner"},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{EN: "No way to {recipient}\nat all"}}}}, `texts: no-route: smtp.en: '\n' cannot stand in an SMTP reply`},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{EN: "No way to {recipient} 漢"}}}}, `texts: no-route: smtp.en: '漢' cannot stand in an SMTP reply`},
		{Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{EN: strings.Repeat("x", 350) + "{recipient}"}}}}, "texts: no-route: smtp.en: with the longest values it has 410 characters"},
		{Options{Overrides: []Override{{ID: NoRoute, Subject: Pair{EN: "No way"}}}}, "texts: no-route: subject.en: this text has none"},
		{Options{Overrides: []Override{{ID: NoRoute, Notice: Pair{EN: "No way to {recipient}.\u202e"}}}}, `texts: no-route: notice.en: '\u202e' cannot stand in a message`},
		{Options{Overrides: []Override{{ID: NoRoute, Notice: Pair{EN: "{recipient}" + strings.Repeat("x", maxNotice)}}}}, "texts: no-route: notice.en: it has more than 8000"},
		{Options{Overrides: []Override{{ID: NotRelayed, SMTP: Pair{EN: "{recipient}: ask {contact}"}}}}, `texts: not-relayed: smtp.en: "{contact}" is no placeholder of this text; it has {recipient}`},
	} {
		_, err := New(c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// What an administrator writes is said, in the language it was written in, and is said in reports as well.
func TestOverride(t *testing.T) {
	texts, err := New(Options{Language: German, Contact: Pair{EN: "the help desk"}, Overrides: []Override{{ID: NoRoute, SMTP: Pair{DE: "Kein Weg führt zu „{recipient}“. Fragen: {contact}."}}}})
	if err != nil {
		t.Fatal(err)
	}
	v := Values{Recipient: "b@c.example"}
	if got := texts.SMTP(NoRoute, v); got != `Kein Weg fuehrt zu "b@c.example". Fragen: the help desk.` {
		t.Error(got)
	}
	_, body := texts.Notice(NoRoute, v)
	if !strings.HasPrefix(body, "(English text below.)\n\nKein Weg führt zu „b@c.example“. Fragen: the help desk.\n") || !strings.Contains(body, "no way leads to this domain") {
		t.Error(body)
	}
	de, en := texts.Both(NoRoute, v)
	if de != "Kein Weg führt zu „b@c.example“. Fragen: the help desk." || !strings.HasPrefix(en, "The message to b@c.example was not sent") {
		t.Error(de, en)
	}
	if got := texts.SMTP("no-such", v); got != "No text is written for this (no-such)." {
		t.Error(got)
	}
}

// All texts as a user meets them, for somebody to read.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, id := range IDs() {
		e := catalogue[id]
		fmt.Fprintf(&b, "## %s\n%s\n\n", id, e.about)
		for _, v := range e.samples() {
			golden(&b, id, v)
		}
	}
	const name = "testdata/texts.golden"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the texts are not those of %s; look at them, and run the test with -update", name)
	}
}

// golden writes one text in each form.
func golden(b *strings.Builder, id ID, v Values) {
	ways := everyway()
	if catalogue[id].smtp != (Pair{}) {
		fmt.Fprintf(b, "SMTP en: %s\nSMTP de: %s\n", ways["english"].SMTP(id, v), ways["german"].SMTP(id, v))
	}
	if subject := ways["english"].Subject(id, v); subject != "" {
		fmt.Fprintf(b, "Subject: %s\n", subject)
	}
	for _, l := range []Language{English, German} {
		fmt.Fprintf(b, "%s: %s", l, ways["nil"].Body(id, v, l))
	}
	b.WriteString("\n")
}

// Every text tells about itself.
func TestAbout(t *testing.T) {
	changed, err := New(Options{Overrides: []Override{{ID: NoRoute, SMTP: Pair{EN: "No way to {recipient}."}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range IDs() {
		a, ok := changed.About(id)
		if !ok || a.When == "" || len(a.Samples) == 0 || a.Changed != (id == NoRoute) {
			t.Errorf("%s: %+v", id, a)
		}
		if s := changed.In(German, id, a.Samples[0]); (s != "") != a.SMTP {
			t.Errorf("%s: %q", id, s)
		}
	}
	if _, ok := changed.About("no-such"); ok {
		t.Error("a text that is not there")
	}
}
