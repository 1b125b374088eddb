package protect

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/smime"
)

// levelled is a bench whose recipients inside have settings of their own.
func levelled(t *testing.T, entries map[string]policy.Settings, rules ...policy.Rule) *bench {
	t.Helper()
	c := policy.Config{Rules: rules}
	for who, s := range entries {
		c.Recipients = append(c.Recipients, policy.Entry{For: patterns(t, who), Settings: s})
	}
	return newBench(t, func(o *Options) {
		pol, err := policy.New(c)
		if err != nil {
			t.Fatal(err)
		}
		o.Policy = pol
		o.Marks = Marks{Invalid: "[bad]", Unsigned: "[unsigned]", Encrypted: "[enc]"}
	})
}

// outcome is what becomes of each recipient: the subject of what is delivered, or the cause of the quarantine.
func outcomes(t *testing.T, parts []Part, c queue.Claim) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, part := range parts {
		for _, row := range part.Rows {
			who := c.Message.Recipients[row].Address.Local
			if _, twice := out[who]; twice {
				t.Errorf("%s gets it twice", who)
			}
			if part.Aside != nil {
				d, err := quarantine.Decode(part.Aside.Details)
				if err != nil || part.Content != nil || part.Aside.Why != d.Reply() {
					t.Errorf("%+v: %v", part, err)
				}
				out[who] = "quarantine " + string(d.Cause)
				continue
			}
			h, _, err := readHeaderWithin(part.Content, incomingHeader)
			if err != nil {
				t.Fatal(err)
			}
			subject, _ := h.Get("Subject")
			layer, _ := h.Get("X-Siegel-Layer-1")
			out[who] = strings.TrimSpace(subject + " " + layer)
			if part.Silent {
				out[who] += " (silent)"
			}
		}
	}
	return out
}

func unsignedLetter(to string) string {
	return "From: bob@partner.example\r\nTo: " + to + "\r\nSubject: offer\r\n\r\nwe accept\r\n"
}

// Recipients of one message get what their policy has for it, each once: also those of whom it was in quarantine and is released.
func TestReceiveByPolicy(t *testing.T) {
	b := levelled(t, map[string]policy.Settings{
		"strict@firma.example": {OnUnsigned: policy.Quarantine, OnInvalid: policy.Quarantine, OnUnopened: policy.Quarantine, Notify: []string{"recipient"}},
		"marked@firma.example": {OnUnsigned: policy.Mark},
		"plain@firma.example":  {MarkSubject: smime.No, OnInvalid: policy.Accept},
		"closed@firma.example": {Decrypt: smime.No, OnUnsigned: policy.Quarantine, OnUnopened: policy.Quarantine},
	})
	who := []string{"strict@firma.example", "marked@firma.example", "plain@firma.example", "closed@firma.example", "alice@firma.example"}
	encryptedLetter := b.from(t, "bob@partner.example", true)
	broken := strings.Replace(b.from(t, "bob@partner.example", false), "we accept", "we refuse", 1)
	stranger := benchOf(t, others, nil).from(t, "bob@partner.example", true) // to a key that is not ours
	for name, c := range map[string]struct {
		message string
		want    map[string]string
	}{
		"unsigned": {unsignedLetter("alice@firma.example"), map[string]string{
			"strict": "quarantine unsigned", "marked": "[unsigned] offer", "plain": "offer", "closed": "quarantine unsigned", "alice": "offer",
		}},
		"a broken signature": {broken, map[string]string{
			"strict": "quarantine invalid", "marked": "[bad]", "plain": "", "closed": "[bad]", "alice": "[bad]",
		}},
		"encrypted and signed": {encryptedLetter, map[string]string{
			"strict": "[enc] enveloped; aes256-cbc; decrypted; unauthenticated (silent)", "marked": "[enc] enveloped; aes256-cbc; decrypted; unauthenticated",
			"plain": "enveloped; aes256-cbc; decrypted; unauthenticated", "closed": "enveloped; aes256-cbc; not decrypted (silent)", "alice": "[enc] enveloped; aes256-cbc; decrypted; unauthenticated",
		}},
		"to a key of others": {stranger, map[string]string{
			"strict": "quarantine unopened", "marked": "enveloped; aes256-cbc; not decrypted", "plain": "enveloped; aes256-cbc; not decrypted",
			"closed": "enveloped; aes256-cbc; not decrypted (silent)", "alice": "enveloped; aes256-cbc; not decrypted",
		}},
	} {
		env := envelope(t, who...)
		env.Internal = false
		claim := claimOf(env, c.message)
		parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(c.message)}, claim)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := outcomes(t, parts, claim)
		for who, want := range c.want {
			if g := got[who]; !strings.HasPrefix(g, want) || strings.HasSuffix(g, "(silent)") != strings.HasSuffix(want, "(silent)") {
				t.Errorf("%s: %s gets %q, want %q", name, who, g, want)
			}
		}
		if len(got) != len(who) {
			t.Errorf("%s: %d of %d recipients", name, len(got), len(who))
		}
		for _, part := range parts {
			if part.Aside == nil {
				continue
			}
			d, _ := quarantine.Decode(part.Aside.Details)
			row := part.Rows[0]
			claim.Message.Recipients[row].Quarantine, err = d.Release("anna", time.Now()).Encode()
			if err != nil || len(d.Sources) == 0 || d.Verdict == "" {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		release()
		parts, release, err = b.Prepare(t.Context(), oneMessage{content: letter(c.message)}, claim)
		if err != nil {
			t.Fatal(err)
		}
		for who, got := range outcomes(t, parts, claim) {
			if strings.HasPrefix(got, "quarantine") {
				t.Errorf("%s: of what was released to %s: %s", name, who, got)
			}
		}
		release()
	}
}

// Where nobody says anything of mail from outside, its recipients see what they do where something is said of others: what the factory has.
func TestReceiveByFactory(t *testing.T) {
	closed := benchOf(t, others, nil).from(t, "bob@partner.example", true)
	broken := strings.Replace(newBench(t, nil).from(t, "bob@partner.example", false), "we accept", "we refuse", 1)
	for name, entries := range map[string]map[string]policy.Settings{
		"nobody": nil, "another": {"eve@firma.example": {OnUnsigned: policy.Mark}},
	} {
		b := levelled(t, entries)
		b.o.Marks.Unopened = "[closed]"
		for message, want := range map[string]string{closed: "[closed]", broken: "[bad]", unsignedLetter("alice@firma.example"): "offer"} {
			env := envelope(t, "alice@firma.example")
			env.Internal = false
			claim := claimOf(env, message)
			parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(message)}, claim)
			if err != nil {
				t.Fatal(err)
			}
			if got := outcomes(t, parts, claim)["alice"]; !strings.HasPrefix(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			release()
		}
	}
}

// The door refuses what everybody can see, and nothing for what is encrypted: that goes to quarantine.
func TestRefusedAtTheDoor(t *testing.T) {
	b := levelled(t, map[string]policy.Settings{
		"strict@firma.example": {OnUnsigned: policy.RefuseIt, OnInvalid: policy.RefuseIt, OnUnopened: policy.RefuseIt},
	})
	stranger := benchOf(t, others, nil)
	signed := b.from(t, "bob@partner.example", false)
	for name, c := range map[string]struct {
		message, to, refused string
		then                 string
	}{
		"unsigned":                    {unsignedLetter("strict@firma.example"), "strict@firma.example", "it is not signed", ""},
		"unsigned, to another":        {unsignedLetter("alice@firma.example"), "alice@firma.example", "", ""},
		"signed":                      {signed, "strict@firma.example", "", ""},
		"a broken signature":          {strings.Replace(signed, "we accept", "we refuse", 1), "strict@firma.example", "signature is not valid", ""},
		"of a stranger":               {stranger.from(t, "bob@partner.example", false), "strict@firma.example", "signature is not valid", ""},
		"encrypted":                   {b.from(t, "bob@partner.example", true), "strict@firma.example", "", ""},
		"encrypted for somebody else": {stranger.from(t, "bob@partner.example", true), "strict@firma.example", "", "quarantine unopened"},
	} {
		env := envelope(t, c.to)
		env.Internal = false
		adm, err := b.Admit(t.Context(), env, letter(c.message))
		var refused *Refused
		if c.refused != "" {
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "strict@firma.example") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(adm.Entries) != 1 || adm.Entries[0].Hold != "" {
			t.Errorf("%s: %+v, %v", name, adm, err)
			continue
		}
		claim := claimOf(env, c.message)
		parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(c.message)}, claim)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcomes(t, parts, claim)["strict"]; c.then != "" && !strings.HasPrefix(got, c.then) {
			t.Errorf("%s: then %q, want %q", name, got, c.then)
		}
		release()
	}
}

// toBoth is a message of alice to bob and carol.
const toBoth = letter("From: alice@firma.example\r\nTo: bob@partner.example, carol@partner.example\r\nSubject: offer\r\n\r\nGeheim\r\n")

// bankRule has mail to the bank wait for a person.
func bankRule(t *testing.T) policy.Rule {
	return policy.Rule{Name: "bank", To: patterns(t, "bob@partner.example"), Settings: policy.Settings{Quarantine: "an offer to a bank", Notify: []string{"security@firma.example"}, Encrypt: policy.Require}}
}

// What a rule has a person decide on waits as it came, while the others are served; released, it is protected by the code and the rules of then, and never weaker
// than when it was accepted.
func TestQuarantineFromInside(t *testing.T) {
	b := newBench(t, nil, bankRule(t))
	adm := b.admit(t, envelope(t, "bob@partner.example", "carol@partner.example"), toBoth)
	if len(adm.Entries) != 2 {
		t.Fatalf("%d entries", len(adm.Entries))
	}
	served, held := adm.Entries[0], adm.Entries[1]
	if served.Pending != nil || served.Hold != "" || served.Envelope.Recipients[0].Address.Local != "carol" || len(served.Envelope.Recipients) != 1 {
		t.Errorf("served: %+v", served)
	}
	if held.Pending == nil || held.Destinations[0] != queue.Quarantine || held.Hold != "quarantine: an offer to a bank" || held.Envelope.ID == served.Envelope.ID || held.Origin != served.Origin {
		t.Errorf("held: %+v", held)
	}
	d, err := quarantine.Decode(held.Quarantine[0])
	if err != nil || d.Cause != quarantine.Rule || d.Notify[0] != "security@firma.example" || len(d.Sources) == 0 || d.Sources[0].By != "rule bank" {
		t.Errorf("%+v, %v", d, err)
	}
	content := read(t, held.Content)
	claim := queue.Claim{Destination: ReleasedAt, Due: []int{0}, Message: queue.Message{
		Envelope: held.Envelope, Origin: held.Origin, Pending: held.Pending, Size: int64(len(content)),
		Recipients: []queue.Recipient{{Recipient: held.Envelope.Recipients[0], Quarantine: held.Quarantine[0]}},
	}}
	resume := func(b *bench) []queue.New {
		t.Helper()
		adm, err := b.Resume(t.Context(), oneMessage{content: letter(content)}, claim)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(adm.Release)
		return adm.Entries
	}
	if again := resume(b); len(again) != 1 || again[0].Destinations[0] != queue.Quarantine || again[0].Pending == nil {
		t.Errorf("tried though nobody released it: %+v", again)
	}
	if claim.Message.Recipients[0].Quarantine, err = d.Release("anna", time.Now()).Encode(); err != nil {
		t.Fatal(err)
	}
	lax := newBench(t, nil, policy.Rule{Name: "lax", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}})
	for name, b := range map[string]*bench{"by the same rules": b, "by weaker ones": lax} {
		out := resume(b)
		if len(out) != 1 || out[0].Pending != nil || out[0].Hold != "" || bytes.Contains(read(t, out[0].Content), []byte("Geheim")) || !isEnvelope(b.open(t, out[0], "bob@partner.example").Layers[0]) {
			t.Errorf("%s: %+v", name, out)
		}
	}
	claim.Message.Recipients[0].Quarantine = "not what was written"
	if _, err := b.Resume(t.Context(), oneMessage{content: letter(content)}, claim); !errors.Is(err, quarantine.ErrDetails) {
		t.Errorf("of what cannot be read back: %v", err)
	}
}

// What waits for a key when it is accepted still waits for a person then, though the rule is gone.
func TestQuarantineAfterAKey(t *testing.T) {
	b, source := absentBench(t, []string{"carol@partner.example"}, bankRule(t), policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}})
	adm := b.admit(t, envelope(t, "bob@partner.example", "carol@partner.example"), toBoth)
	if len(adm.Entries) != 1 || adm.Entries[0].Hold != "" || adm.Entries[0].Pending == nil {
		t.Fatalf("%+v", adm.Entries)
	}
	e := adm.Entries[0]
	content := read(t, e.Content)
	source.away["carol@partner.example"] = false
	after := newBench(t, nil)
	claim := claimOf(e.Envelope, string(content))
	claim.Message.Pending = e.Pending
	out, err := after.Resume(t.Context(), oneMessage{content: letter(content)}, claim)
	if err != nil || len(out.Entries) != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	defer out.Release()
	if held := out.Entries[1]; held.Destinations[0] != queue.Quarantine || held.Envelope.Recipients[0].Address.Local != "bob" || held.Pending == nil {
		t.Errorf("%+v", held)
	}
}

// What was taken, as a De-Mail is that its provider has given, and has more parts than are looked at, waits for a person where a rule for what may be in it says so:
// it does not wait for ever.
func TestTakenAndTooManyParts(t *testing.T) {
	b := newBench(t, nil, policy.Rule{
		Name: "pdf", Direction: mail.Incoming, ContentTypes: []string{"application/pdf"}, Settings: policy.Settings{Quarantine: "look at it"},
	})
	many := strings.Replace(withPDF, "--b\r\n", strings.Repeat("--b\r\n\r\nx\r\n", 2000)+"--b\r\n", 1)
	env := fromOutside(t)
	c := claimOf(env, many)
	parts, release, err := b.Prepare(t.Context(), memory{entry: queue.New{Content: letter(many)}}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got := outcomes(t, parts, c); got["alice"] != "quarantine rule" {
		t.Errorf("%+v", got)
	}
	if _, err := b.Admit(t.Context(), env, letter(many)); !errors.Is(err, ErrMessage) {
		t.Errorf("at the door: %v", err)
	}
	if a, err := b.Explain(t.Context(), env, letter(many), true); !errors.Is(err, ErrMessage) || len(a.Recipients) != 1 {
		t.Errorf("asked: %+v, %v", a, err)
	}
}
