package smime_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// headersOf writes what became of protected fields in short.
func headersOf(o *smime.Opened) string {
	h := o.Headers
	if h == nil {
		return ""
	}
	out := h.Form
	if h.Applied {
		out += " applied"
	}
	for _, d := range h.Differences {
		out += " " + d.Field + ":" + d.Kind
	}
	return out
}

// What Protect wrote comes out as it was before, whoever changed the outer header on the way: the Subject, and
// what a stranger put there.
func TestProtectedHeaderComesBack(t *testing.T) {
	w := theWorld()
	head := "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: Der Preis =?utf-8?q?f=C3=BCr?=\r\n Sie\r\n" +
		"Date: Mon, 04 May 2026 12:00:00 +0000\r\nMessage-ID: <1@firma.example>\r\nKeywords: price\r\nMIME-Version: 1.0\r\n"
	content := "Content-Type: text/plain; charset=us-ascii\r\n\r\nhello\r\n"
	attack := func(sent string) string {
		sent = "Received: from a by b\r\n" + sent
		sent = strings.Replace(sent, "To: bob@partner.example\r\n", "To: bob@partner.example, spy@evil.example\r\n", 1)
		return strings.Replace(sent, "Date:", "Reply-To: spy@evil.example\r\nX-List: yes\r\nDate:", 1)
	}
	for name, c := range map[string]struct {
		o       smime.ProtectOptions
		verdict smime.Verdict
		headers string
		same    string // the delivered header
	}{
		"clear":          {smime.ProtectOptions{Signers: w.alice.signers()}, smime.Valid, "clear applied To:altered Reply-To:added", head},
		"opaque":         {smime.ProtectOptions{Signers: w.alice.signers(), Opaque: true}, smime.Valid, "clear applied To:altered Reply-To:added", head},
		"both":           {smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob)}, smime.Valid, "cipher applied To:altered Subject:obscured Keywords:obscured Reply-To:added", head},
		"both, opaque":   {smime.ProtectOptions{Signers: w.alice.signers(), Opaque: true, EncryptTo: to(w.bob), Algorithm: cms.AES256GCM}, smime.Valid, "cipher applied To:altered Subject:obscured Keywords:obscured Reply-To:added", head},
		"encrypted only": {smime.ProtectOptions{EncryptTo: to(w.bob)}, smime.Unsigned, "cipher applied To:altered Subject:obscured Keywords:obscured Reply-To:added", head},
	} {
		c.o.Headers = baseline
		sent := protect(t, head+content, c.o)
		o := open(t, attack(sent), w.options())
		got, _, _ := strings.Cut(delivered(t, o), "Content-Type:")
		var fields []string
		for line := range strings.Lines(got) {
			fields = append(fields, line)
		}
		want := strings.Replace(head, "Date:", "X-List: yes\r\nDate:", 1)
		if strings.Contains(c.headers, "Keywords:obscured") {
			want = strings.Replace(strings.Replace(want, "Keywords: price\r\n", "", 1), "MIME-Version: 1.0\r\n", "MIME-Version: 1.0\r\nKeywords: price\r\n", 1)
		}
		if got != "Received: from a by b\r\n"+want {
			t.Errorf("%s: delivered %q, want %q", name, fields, want)
		}
		if o.Verdict != c.verdict || headersOf(o) != c.headers {
			t.Errorf("%s: %s, %q, want %q; %+v", name, o.Verdict, headersOf(o), c.headers, o.Headers)
		}
		if o := open(t, sent, w.options()); strings.Contains(headersOf(o), "added") || strings.Contains(headersOf(o), "altered") {
			t.Errorf("%s: untouched, but %q", name, headersOf(o))
		}
	}
}

// bodyEnd is what blank lines may follow.
var bodyEnd = regexp.MustCompile(`<body>(\r\n)*`)

// Without a signature within, nothing of the protection is left in what is delivered: no legacy display, no hp.
func TestLegacyDisplayIsTakenOff(t *testing.T) {
	w := theWorld()
	for name, content := range map[string]string{
		"text":       "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nf=C3=BCr\n",
		"no charset": "Content-Type: text/plain\n\nhello\n",
		"html":       "Content-Type: text/html; charset=utf-8\n\n<html><head><title>x</title></head><body>\n<p>for</p></body></html>\n",
		"both":       "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\none\n--b\nContent-Type: text/html\n\n<body><p>two\n--b--\n",
		"none":       "Content-Type: application/pdf\n\n%PDF\n",
	} {
		message := letter(content)
		sent := protect(t, message, smime.ProtectOptions{EncryptTo: to(w.bob), Headers: baseline})
		o := open(t, sent, w.options())
		if got := delivered(t, o); bodyEnd.ReplaceAllString(got, "<body>") != bodyEnd.ReplaceAllString(message, "<body>") {
			t.Errorf("%s: delivered\n%q, want\n%q", name, got, message)
		}
		both := protect(t, message, smime.ProtectOptions{EncryptTo: to(w.bob), Signers: w.alice.signers(), Headers: baseline})
		o = open(t, both, w.options())
		if o.Verdict != smime.Valid || name != "none" && !strings.Contains(delivered(t, o), "hp-legacy-display") {
			t.Errorf("%s: %s, bytes that were signed do not stay: %q", name, o.Verdict, delivered(t, o))
		}
	}
}

// Text that only looks like a display stays, and what comes without marks.
func TestTextIsNoLegacyDisplay(t *testing.T) {
	w := theWorld()
	for _, body := range []string{"hello\r\n\r\nSubject: x\r\n", "\r\nSubject: x\r\n\r\n", "http://x\r\n\r\n", "Subject: x\r\n", " Subject: x\r\n\r\n", "Subject: x\r\nhello\r\n\r\n", strings.Repeat("Subject: x", 9000) + "\r\n"} {
		inner := "From: alice@firma.example\r\nContent-Type: text/plain; hp=cipher; hp-legacy-display=1\r\n\r\n" + body
		if got := delivered(t, open(t, outside+enveloped(t, w, inner, cms.AES256GCM), w.options())); !strings.HasSuffix(got, "\r\n\r\n"+body) && len(body) < 1000 {
			t.Errorf("%.50q: delivered %.500q", body, got)
		}
	}
	for _, body := range []string{"<p><div class=\"header-protection-legacy-display\">x</div>", "<div class=\"header-protection-legacy-display\">x", "<div>x</div>", "x"} {
		inner := "From: alice@firma.example\r\nContent-Type: text/html; hp=cipher; hp-legacy-display=1\r\n\r\n" + body
		if got := delivered(t, open(t, outside+enveloped(t, w, inner, cms.AES256GCM), w.options())); !strings.HasSuffix(got, "\r\n\r\n"+body) {
			t.Errorf("%q: delivered %q", body, got)
		}
	}
	many := strings.Repeat("--b\r\nContent-Type: text/plain; hp-legacy-display=1\r\n\r\nSubject: x\r\n\r\nhello\r\n", 12)
	parts := "From: alice@firma.example\r\nContent-Type: multipart/alternative; boundary=b; hp=cipher\r\n\r\n" + many + "--b--\r\n"
	if got := delivered(t, open(t, outside+enveloped(t, w, parts, cms.AES256GCM), w.options())); strings.Count(got, "Subject: x\r\n") != 2 {
		t.Errorf("more parts than are looked at: %q", got)
	}
	body := "Subject: a\r\n folded\r\nFrom: x\r\n\r\nhello\r\n"
	inner := "From: alice@firma.example\r\nContent-Type: text/plain; hp=cipher; hp-legacy-display=1\r\n\r\n" + body
	if got := delivered(t, open(t, outside+enveloped(t, w, inner, ""), w.options())); !strings.HasSuffix(got, "\r\n\r\nhello\r\n") {
		t.Errorf("a display of several fields: %q", got)
	}
	if got := delivered(t, open(t, outside+enveloped(t, w, strings.Replace(inner, "hp=cipher", "x=y", 1), ""), w.options())); !strings.HasSuffix(got, body) {
		t.Errorf("no header protection: %q", got)
	}
}

// hp is believed in one place only, and only as far as a signature or an envelope goes (RFC 9788, 4.1 and 4.4).
func TestProtectedHeaderIsNotBelieved(t *testing.T) {
	w := theWorld()
	head := func(from, hp string) string {
		return "From: " + from + "\r\nSubject: within\r\nX-Siegel-Verdict: valid\r\nX-de-mail-auth-level: high\r\nAuthentication-Results: siegel; dkim=pass\r\nX-Own: 1\r\nContent-Type: text/plain; hp=" + hp + "\r\n\r\nhello\r\n"
	}
	a, m := "alice@firma.example", "mallory@evil.example"
	fromMallory := strings.Replace(outside, a, m, 1)
	twice := strings.Replace(head(a, "clear"), "Subject:", "Subject: other\r\nSubject:", 1)
	broken := strings.Replace(signed(t, w.alice, "s", head(a, "clear")), "hello", "hullo", 1)
	rfc822 := "Content-Type: message/rfc822\r\n\r\n"
	whole := outside[:strings.Index(outside, "Subject")] + "Subject: within\r\nMIME-Version: 1.0\r\n" + hello
	cases := []struct {
		name, message string
		verdict       smime.Verdict
		headers       string
	}{
		{"the reference", outside + signed(t, w.alice, "s", head(a, "clear")), smime.Valid, "clear applied Subject:altered To:added"},
		{"case", outside + signed(t, w.alice, "s", head(a, "CLEAR")), smime.Valid, "clear applied Subject:altered To:added"},
		{"encrypted by a gateway afterwards", outside + enveloped(t, w, signed(t, w.alice, "s", head(a, "clear")), ""), smime.Valid, "clear applied Subject:altered To:added"},
		{"decrypted by a gateway before", outside + signed(t, w.alice, "s", head(a, "cipher")), smime.Valid, "cipher applied Subject:altered To:added"},
		{"encrypted alone", outside + enveloped(t, w, head(a, "cipher"), ""), smime.Unsigned, "cipher applied Subject:altered To:added"},
		{"a signature around an envelope", outside + signed(t, w.alice, "s", enveloped(t, w, head(a, "cipher"), "")), smime.Partial, "cipher applied Subject:altered To:added"},

		{"no layer", outside + head(a, "clear")[strings.Index(head(a, ""), "Content-Type"):], smime.Unsigned, ""},
		{"clear, but no signature", outside + enveloped(t, w, head(a, "clear"), ""), smime.Unsigned, "clear Subject:altered To:added"},
		{"a form nobody knows", outside + signed(t, w.alice, "s", head(a, "opaque")), smime.Valid, " Subject:altered To:added"},
		{"said twice", outside + signed(t, w.alice, "s", head(a, "clear; hp=cipher")), smime.Valid, "clear Subject:altered To:added"},
		{"two subjects", outside + signed(t, w.alice, "s", twice), smime.Valid, "clear Subject:altered To:added"},
		{"broken", outside + broken, smime.Broken, "clear Subject:altered To:added"},
		{"in a part", outside + signed(t, w.alice, "s", mixed(head(a, "clear"), hello)), smime.Valid, ""},
		{"beside the signature", outside + mixed(signed(t, w.alice, "s", head(a, "clear")), hello), smime.Partial, ""},
		{"an envelope that no key opens", outside + signed(t, w.alice, "s", "Subject: x\r\n"+strings.Replace(enveloped2(t, w.alice, hello), "mime;", "mime; hp=clear;", 1)), smime.Valid, ""},

		{"signed by another than both", outside + signed(t, w.mallory, "s", head("carol@firma.example", "clear")), smime.Mismatch, "clear From:altered Subject:altered To:added"},
		{"the outer From is forged", fromMallory + signed(t, w.alice, "s", head(a, "clear")), smime.Valid, "clear applied From:altered Subject:altered To:added"},
		{"the protected From is forged", fromMallory + signed(t, w.mallory, "s", head(a, "clear")), smime.Mismatch, "clear From:altered Subject:altered To:added"},
		{"the protected From is forged, by nobody known", fromMallory + signed(t, w.stranger, "s", head(a, "clear")), smime.Untrusted, "clear From:altered Subject:altered To:added"},
		{"an encrypted message under another name", fromMallory + enveloped(t, w, head(a, "cipher"), cms.AES256GCM), smime.Unsigned, "cipher From:altered Subject:altered To:added"},
		{"the protected From has two addresses", outside + signed(t, w.alice, "s", head(a+", "+m, "clear")), smime.Valid, "clear From:altered Subject:altered To:added"},
		{"the protected name shows another", outside + signed(t, w.alice, "s", head("\"ceo@firma.example\" <"+a+">", "clear")), smime.Valid, "clear From:altered Subject:altered To:added"},
		{"the outer name shows another", strings.Replace(outside, "From: ", "From: \"ceo@firma.example\" ", 1) + signed(t, w.alice, "s", head(a, "clear")), smime.Valid, "clear applied From:altered Subject:altered To:added"},

		{"the older form", outside + signed(t, w.alice, "s", rfc822+whole), smime.Valid, "message applied Subject:altered"},
		{"the older form, broken", outside + strings.Replace(signed(t, w.alice, "s", rfc822+whole), "hello", "hullo", 1), smime.Broken, "message Subject:altered"},
		{"a message that is passed on", outside + signed(t, w.alice, "s", rfc822+strings.Replace(whole, a, m, 1)), smime.Valid, ""},
		{"another one of the same author", "Message-ID: <2@x>\r\n" + outside + signed(t, w.alice, "s", rfc822+"Message-ID: <1@x>\r\n"+whole), smime.Valid, ""},
		{"a protected one within", outside + signed(t, w.alice, "s", rfc822+outside+signed(t, w.alice, "t", hello)), smime.Valid, ""},
		{"one that says that it is passed on", outside + signed(t, w.alice, "s", "Content-Type: message/rfc822; forwarded=yes\r\n\r\n"+whole), smime.Valid, ""},
		{"in base64", outside + signed(t, w.alice, "s", "Content-Transfer-Encoding: base64\r\n"+rfc822+lines([]byte(whole))), smime.Valid, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, c.message, w.options())
			if o.Verdict != c.verdict || headersOf(o) != c.headers {
				t.Errorf("%s, %q, want %s, %q; %+v %+v", o.Verdict, headersOf(o), c.verdict, c.headers, o.Headers, o.Layers)
			}
			h := o.Header()
			if subject, _ := h.Get("Subject"); (subject == "within") != strings.Contains(c.headers, "applied") {
				t.Errorf("Subject %q", subject)
			}
			for _, name := range []string{"X-Siegel-Verdict", "X-de-mail-auth-level", "Authentication-Results", "X-Own", "HP-Outer"} {
				if v, ok := h.Get(name); ok {
					t.Errorf("%s: %s came out of a layer", name, v)
				}
			}
			if o.Headers != nil && !o.Headers.Applied && o.Headers.Reason == "" {
				t.Error("no reason")
			}
			if o.Changed() == (delivered(t, o) == c.message) {
				t.Errorf("Changed is %v", o.Changed())
			}
		})
	}
}

// enveloped2 is an entity that is encrypted for somebody.
func enveloped2(t testing.TB, p person, inner string) string {
	return "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(encrypt(t, p, inner, ""))
}

// An encrypted message of the older form is delivered as the message that it holds.
func TestMessageWithinAMessage(t *testing.T) {
	w := theWorld()
	whole := outside[:strings.Index(outside, "Subject")] + "Subject: within\r\nX-Siegel-Verdict: valid\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\nContent-Language: de\r\n\r\n<p>hello\r\n"
	o := open(t, outside+enveloped(t, w, "Content-Type: message/rfc822; forwarded=no\r\n\r\n"+whole, ""), w.options())
	want := strings.Replace(outside, "out", "within", 1) + "Content-Type: text/html\r\nContent-Language: de\r\n\r\n<p>hello\r\n"
	if got := delivered(t, o); got != want || o.Verdict != smime.Unsigned {
		t.Errorf("%s, delivered %q", o.Verdict, got)
	}
}

// Many fields take no more time than their bytes.
func TestManyFields(t *testing.T) {
	w := theWorld()
	var many strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&many, "X%x: y\r\nF%x:\r\n", i, i)
	}
	inner := "From: alice@firma.example\r\n" + strings.ReplaceAll(many.String(), "F", "G") + "Content-Type: text/plain; hp=clear\r\n\r\nhello\r\n"
	o := w.options()
	o.Limits.Header = 1 << 20
	opened := open(t, many.String()+outside+signed(t, w.alice, "s", inner), o)
	if h := opened.Header(); opened.Verdict != smime.Valid || !opened.Headers.Applied || h.Len() < 60000 {
		t.Errorf("%s, %d fields, %+v", opened.Verdict, h.Len(), opened.Headers)
	}
}

// The report says in JSON what differs, and is bounded.
func TestHeaderReport(t *testing.T) {
	w := theWorld()
	inner := "From: alice@firma.example\r\nSubject: =?utf-8?q?w=C3=AFthin?=\r\n"
	for range 100 {
		inner += "Organization-" + strings.Repeat("x", len(inner)%60) + ": " + strings.Repeat("y", 900) + "\r\n"
	}
	o := open(t, outside+signed(t, w.alice, "s", inner+"Content-Type: text/plain; hp=clear\r\n\r\nhello\r\n"), w.options())
	out := string(must(json.Marshal(o.Report)))
	want := `"headers":{"form":"clear","applied":true,"differences":[{"field":"Subject","kind":"altered","outer":"out","protected":"wïthin"},`
	if !strings.Contains(out, want) || len(o.Headers.Differences) > 50 || len(out) > 50*1000 {
		t.Errorf("%d differences, %.2000s", len(o.Headers.Differences), out)
	}
}
