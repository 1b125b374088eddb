package policy_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
)

// Every field by which a program asks, with every value; they are removed whatever they hold.
func TestReadFlagsFields(t *testing.T) {
	for _, c := range []struct{ in, flags, words string }{
		{"X-Siegel-Sign: yes", "sign", "X-Siegel-Sign"},
		{"X-Siegel-Sign: Require", "sign", "X-Siegel-Sign"},
		{"X-Siegel-Sign: required", "sign", "X-Siegel-Sign"},
		{"X-Siegel-Sign: if possible", "trysign", "X-Siegel-Sign if-possible"},
		{"X-Siegel-Sign: never", "nosign", "X-Siegel-Sign never"},
		{"X-Siegel-Sign: no", "", ""},
		{"X-Siegel-Encrypt: TRUE", "encrypt", "X-Siegel-Encrypt"},
		{"X-Siegel-Encrypt: 1", "encrypt", "X-Siegel-Encrypt"},
		{"X-Siegel-Encrypt: if-possible", "tryencrypt", "X-Siegel-Encrypt if-possible"},
		{"X-Siegel-Encrypt: NEVER", "noencrypt", "X-Siegel-Encrypt never"},
		{"X-Siegel-Encrypt: planted secret", "encrypt", "X-Siegel-Encrypt (not understood, so it counts as yes)"},
		{"X-Siegel-Encrypt:", "", ""},
		{"X-Siegel-Plain: yes", "plain", "X-Siegel-Plain"},
		{"X-Siegel-Plain: no", "", ""},
		{"X-Siegel-Plain: planted secret", "", "X-Siegel-Plain (not understood, so it counts for nothing)"},
		{"X-Siegel-TLS: yes", "verified", "X-Siegel-TLS"},
		{"X-Siegel-TLS: required", "required", "X-Siegel-TLS required"},
		{"X-Siegel-TLS: planted secret", "verified", "X-Siegel-TLS (not understood, so it counts as yes)"},
		{"X-Siegel-DeMail: yes", "", "X-Siegel-DeMail"},
		{"X-Siegel-DeMail: no", "", ""},
		{"X-Siegel-Sign: never\r\nX-Siegel-Sign: yes", "sign", "X-Siegel-Sign never; X-Siegel-Sign; a signature was asked for and against: asked for"},
		{"X-Siegel-Encrypt: if-possible\r\nX-Siegel-Encrypt: yes", "encrypt", "X-Siegel-Encrypt if-possible; X-Siegel-Encrypt"},
		{"X-Siegel-Plain: yes\r\nX-Siegel-Encrypt: yes", "encrypt+nosign", "X-Siegel-Plain; X-Siegel-Encrypt; encryption was asked for and against: asked for"},
		{"X-Siegel-Plain: yes\r\nX-Siegel-Sign: if-possible", "trysign+noencrypt", "X-Siegel-Plain; X-Siegel-Sign if-possible; a signature was asked for and against: asked for"},
		{"X-Siegel-Plain: yes\r\nX-Siegel-TLS: yes", "verified+plain", "X-Siegel-Plain; X-Siegel-TLS"},
		{"Subject: [plain] x\r\nX-Siegel-Encrypt: yes\r\nX-Siegel-Sign: yes", "sign+encrypt", "tag [plain]; X-Siegel-Encrypt; X-Siegel-Sign; a signature was asked for and against: asked for; encryption was asked for and against: asked for"},
	} {
		h := header(t, c.in+"\r\nX-Siegel-Planted: x\r\n")
		f := policy.ReadFlags(&h, policy.DefaultVocabulary())
		if got := strings.Join(f.Words, "; "); flagsOf(f) != c.flags || got != c.words || strings.Contains(string(h.Bytes()), "X-Siegel") {
			t.Errorf("%q: %s, words %q, left %q; want %s, %q", c.in, flagsOf(f), got, h.Bytes(), c.flags, c.words)
		}
	}
}

// What was read is never what a sender wrote.
func TestWordsTellNothing(t *testing.T) {
	h := header(t, "Subject: [sms:planted] [ Encrypt , sign ] planted subject [Persoenlich,planted]\r\nX-Siegel-Encrypt: planted\r\nX-Siegel-TLS: planted\r\n"+
		"X-Siegel-DeMail: planted\r\nX-SMPlain: planted\r\nSensitivity: planted\r\nX-Microsoft-Classification: planted\r\nmsip_labels: MSIP_Label_planted_Enabled=true\r\n")
	v := policy.DefaultVocabulary()
	v.DeMail, v.Sets = policy.DefaultDeMail(), []policy.Set{policy.SetSEPPmail}
	v.Labels = []policy.Label{{Name: "any", Header: []string{"X-Microsoft-Classification: pla*"}}}
	f := policy.ReadFlags(&h, v)
	if words := strings.Join(f.Words, "; "); strings.Contains(words, "planted") || len(f.Words) != 9 {
		t.Errorf("%d words: %s", len(f.Words), words)
	}
}

// An answer repeats what stood in the subject: what lowers protection counts for nothing at its end, and what raises it does.
func TestAnswers(t *testing.T) {
	for _, prefix := range []string{"Re:", "RE: ", "AW: ", "Antw: ", "WG: ", "Fwd: ", "FW: ", "Re[2]: ", "SV : ", "Antwort: ", "AW: WG: "} {
		for _, c := range []struct{ in, out, flags string }{
			{prefix + "[encrypt] Offer", prefix + "[encrypt] Offer", ""},
			{prefix + "[plain] Offer", prefix + "[plain] Offer", ""},
			{prefix + "Offer [encrypt]", prefix + "Offer", "encrypt"},
			{prefix + "Offer [plain]", prefix + "Offer", ""},
			{prefix + "Offer [plain][encrypt] [nosign]", prefix + "Offer", "encrypt"},
			{prefix + "Offer [noencrypt, sign]", prefix + "Offer", "sign"},
			{"[plain] " + prefix + "Offer", prefix + "Offer", "plain"},
			{"[plain] " + prefix + "[sign] Offer [noencrypt]", prefix + "[sign] Offer", "plain"},
		} {
			h := header(t, "Subject: "+c.in+"\r\n")
			f := policy.ReadFlags(&h, policy.DefaultVocabulary())
			if got := string(h.Bytes()); got != "Subject: "+c.out+"\r\n" || flagsOf(f) != c.flags {
				t.Errorf("%q: %q %s, want %q %s", c.in, got, flagsOf(f), c.out, c.flags)
			}
			if strings.Contains(c.in, "[plain][") && f.Words[len(f.Words)-1] != "tag [plain]" {
				t.Errorf("%q", f.Words)
			}
		}
	}
	for _, ordinary := range []string{"Report: Offer [plain]", "Release Offer [plain]", "Offer re: x [plain]"} {
		h := header(t, "Subject: "+ordinary+"\r\n")
		if f := policy.ReadFlags(&h, policy.DefaultVocabulary()); flagsOf(f) != "plain" {
			t.Errorf("%q: %s", ordinary, flagsOf(f))
		}
	}
}

// Several tags may share a bracket, with blanks and commas; one that is none spoils it.
func TestBrackets(t *testing.T) {
	decomposed := "[verschlu\u0308sseln]" // as some programs write it
	for _, c := range []struct{ in, out, flags string }{
		{"[ encrypt ] Offer", "Offer", "encrypt"},
		{"[sign, encrypt] Offer", "Offer", "sign+encrypt"},
		{"Offer [SIGN,TLS , ]", "Offer", "sign+verified"},
		{"[sign, urgent] Offer", "[sign, urgent] Offer", ""},
		{"[] Offer", "[] Offer", ""},
		{"[ , ] Offer", "[ , ] Offer", ""},
		{"[...]", "[...]", ""},
		{"[verschl\xfcsseln] Gr\xfc\xdfe", "Gr\xfc\xdfe", "encrypt"}, // not even encoded
		{"Gr\xfc\xdfe [unverschl\xfcsselt]", "Gr\xfc\xdfe", "plain"},
		{"[" + strings.Repeat(",", 15) + "sign] Offer", "Offer", "sign"},
		{"[" + strings.Repeat(",", 16) + "sign] Offer", "[" + strings.Repeat(",", 16) + "sign] Offer", ""},
		{"[[sign]] Offer", "[[sign]] Offer", ""},
		{decomposed + " Angebot", "Angebot", "encrypt"},
		{"Angebot " + decomposed, "Angebot", "encrypt"},
		{"[e ncrypt] Offer", "[e ncrypt] Offer", ""},
		{"[" + strings.Repeat(" ", 300) + "encrypt] Offer", "[" + strings.Repeat(" ", 300) + "encrypt] Offer", ""},
	} {
		h := header(t, "Subject: "+c.in+"\r\n")
		f := policy.ReadFlags(&h, policy.DefaultVocabulary())
		if got := string(h.Bytes()); got != "Subject: "+c.out+"\r\n" || flagsOf(f) != c.flags {
			t.Errorf("%q: %q %s, want %q %s", c.in, got, flagsOf(f), c.out, c.flags)
		}
	}
}

// Outlook repeats the subject in Thread-Topic, which loses the tag too; Thread-Index holds numbers and stays.
func TestThread(t *testing.T) {
	h := header(t, "Thread-Topic: =?utf-8?B?W2VuY3J5cHRdIEdyw7zDn2U=?=\r\nThread-Index: AQHYXiPNuhMxYMMi+USnjQGOHaoDOA==\r\nSubject: =?utf-8?B?W2VuY3J5cHRdIEdyw7zDn2U=?=\r\n")
	f := policy.ReadFlags(&h, policy.DefaultVocabulary())
	want := "Thread-Topic: =?utf-8?B?R3LDvMOfZQ==?=\r\nThread-Index: AQHYXiPNuhMxYMMi+USnjQGOHaoDOA==\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"
	if got := string(h.Bytes()); got != want || flagsOf(f) != "encrypt" || len(f.Words) != 1 {
		t.Errorf("%q %+v", got, f)
	}
}

// A subject as long as a header may be, of nothing but tags, is read in no time.
func TestManyTags(t *testing.T) {
	bracket := "[" + strings.Repeat("nosign,", 15) + "x]"
	for _, subject := range []string{strings.Repeat("[sign]", 40_000), strings.Repeat("[plain] ", 30_000), strings.Repeat(bracket, 2000), "Re: " + strings.Repeat("[plain]", 36_000)} {
		h := header(t, "Subject: "+subject+"\r\n")
		v := policy.DefaultVocabulary()
		v.Sets = []policy.Set{policy.SetSEPPmail, policy.SetHornetsecurity, policy.SetCipherMail}
		if f := policy.ReadFlags(&h, v); len(f.Words) > 4 {
			t.Errorf("%.20s: %d words", subject, len(f.Words))
		}
	}
}

func BenchmarkReadFlagsSets(b *testing.B) {
	whole := header(b, "From: a@firma.example\r\nTo: b@x.example\r\nSubject: =?utf-8?Q?[encrypt]_Gr=C3=BC=C3=9Fe?= an alle\r\nSensitivity: Private\r\nX-Siegel-Sign: yes\r\n")
	v := policy.DefaultVocabulary()
	v.Sets, v.Labels = []policy.Set{policy.SetSEPPmail, policy.SetHornetsecurity, policy.SetCipherMail}, labels()
	for b.Loop() {
		h := whole
		policy.ReadFlags(&h, v)
	}
}
