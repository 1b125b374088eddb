package protect

import (
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// What waits is noted in English for operators, and told its sender in both languages: the same.
func TestWaits(t *testing.T) {
	sign := policy.Rule{Name: "sign", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}
	encrypt := policy.Rule{Name: "encrypt", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Require}}
	const alice, bob = "alice@firma.example", "bob@partner.example"
	for name, c := range map[string]struct {
		rule   policy.Rule
		away   string
		en, de string
	}{
		"a key":         {sign, alice, "the signing key of alice@firma.example is not available", "der Signaturschlüssel von alice@firma.example ist nicht verfügbar"},
		"a certificate": {encrypt, bob, "the certificate of bob@partner.example is not available", "das Zertifikat von bob@partner.example ist nicht verfügbar"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := absentBench(t, []string{c.away}, c.rule)
			adm, err := b.Admit(t.Context(), envelope(t, bob), message())
			if err != nil {
				t.Fatal(err)
			}
			defer adm.Release()
			wantWaits(t, adm.Entries[0], c.en, c.de)
		})
	}
}

// wantWaits holds that an entry waits for something, in the words of both languages.
func wantWaits(t *testing.T, e queue.New, en, de string) {
	t.Helper()
	if e.Note != "held for protection: "+en {
		t.Errorf("the note: %q", e.Note)
	}
	said := Waits(claim(e).Message)
	for l, want := range map[texts.Language]string{texts.English: en, texts.German: de} {
		if body := (*texts.Texts)(nil).Body(said.ID, said.Values, l); !strings.Contains(body, want) {
			t.Errorf("%s: it lacks %q:\n%s", l, want, body)
		}
	}
}

// Who was asked is named; of many some are.
func TestWaitsForWhoWasAsked(t *testing.T) {
	b := askBench(t)
	env := envelope(t, "dora@other.example", "emil@else.example")
	env.Received = time.Now()
	adm, err := b.Admit(t.Context(), env, message("To: dora@other.example, emil@else.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	wantWaits(t, adm.Entries[0], "no certificate of dora@other.example, emil@else.example is known", "es ist kein Zertifikat von dora@other.example, emil@else.example bekannt")
	many := envelope(t, "a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example", "f@x.example", "g@x.example").Recipients
	if got := names(many); got != "a@x.example, b@x.example, c@x.example, d@x.example, e@x.example (+2)" {
		t.Error(got)
	}
}

// What took too long is told as such.
func TestSlowInWords(t *testing.T) {
	from := envelope(t, "bob@partner.example").Recipients[0].Address
	for want, s := range map[string]step{
		"the signing key of bob@partner.example took too long":                     keyStep(from),
		"the certificate of bob@partner.example took too long":                     certStep(from),
		"the directory that knows the groups of bob@partner.example took too long": groupStep(from),
		"signing and encrypting the message took too long":                         workStep(),
	} {
		if got := s.slow().Reason.In(texts.English); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Nothing is made up of what was not noted, or is of another program.
func TestWaitsUnknown(t *testing.T) {
	for name, pending := range map[string]string{
		"nothing": "", "not ours": "x", "before it was noted": `{"may_use":null,"at_least":[]}`,
		"another reason": `{"may_use":null,"at_least":[],"waits":{"for":"reason-none"}}`,
		"no reason":      `{"may_use":null,"at_least":[],"waits":{"for":"{reason}","detail":"x"}}`,
	} {
		if said := Waits(queue.Message{Pending: []byte(pending)}); said.ID != "" {
			t.Errorf("%s: %+v", name, said)
		}
	}
}
