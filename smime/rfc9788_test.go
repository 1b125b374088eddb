package smime_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// TestRFC9788 opens messages of every kind that Appendix C of RFC 9788 has, written by hand to its text and with the
// keys of RFC 9216: simple and complex, signed in both forms, encrypted around that, without header protection, with
// it, with legacy display, and in the form of RFC 8551.
func TestRFC9788(t *testing.T) {
	alice, bob := pemPerson(t, "alice.sign"), pemPerson(t, "bob.encrypt")
	alice.address = "alice@smime.example"
	w := &world{root: parsePEM(t, vector(t, "rfc9216/ca.rsa.crt")), bob: bob}
	options := smime.OpenOptions{Keys: keys(bob), Judge: w.judge, Scratch: scratch, Now: now}

	fields := "Subject: Dinner plans\r\nMessage-ID: <1@smime.example>\r\nFrom: Alice <alice@smime.example>\r\nTo: Bob <bob@smime.example>\r\n" +
		"Date: Mon, 04 May 2026 11:58:02 +0000\r\nUser-Agent: Sample MUA Version 1.0\r\n"
	hidden := strings.Replace(fields, "Dinner plans", "[...]", 1)
	outerCopies := "HP-Outer: " + strings.TrimSuffix(strings.ReplaceAll(hidden, "\r\n", "\r\nHP-Outer: "), "HP-Outer: ")
	simple := func(params, display string) string {
		return "Content-Type: text/plain; charset=\"utf-8\"" + params + "\r\n\r\n" + display + "See you at eight.\r\n"
	}
	complexOne := func(params, display string) string {
		mark, element := "", ""
		if display != "" {
			mark, element = "; hp-legacy-display=\"1\"", "<div class=\"header-protection-legacy-display\">\r\n<pre>Subject: Dinner plans</pre>\r\n</div>"
		}
		params = strings.TrimPrefix(params, mark)
		return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"e08\"" + params + "\r\n\r\n--e08\r\nContent-Type: multipart/alternative; boundary=\"32c\"\r\n\r\n" +
			"--32c\r\nContent-Type: text/plain; charset=\"us-ascii\"" + mark + "\r\n\r\n" + display + "See you at eight.\r\n" +
			"--32c\r\nContent-Type: text/html; charset=\"us-ascii\"" + mark + "\r\n\r\n<html><head><title></title></head><body>" + element + "<p>See you at eight.</p></body></html>\r\n--32c--\r\n\r\n" +
			"--e08\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\niVBORw0KGgo=\r\n--e08--\r\n"
	}
	for shape, body := range map[string]func(params, display string) string{"simple": simple, "complex": complexOne} {
		legacy := "Subject: Dinner plans\r\n\r\n"
		for kind, c := range map[string]struct {
			payload, outside string
			encrypted        bool
			headers          string
		}{
			"none":            {body("", ""), fields, false, ""},
			"clear":           {fields + body("; hp=\"clear\"", ""), fields, false, "clear applied"},
			"none, encrypted": {body("", ""), fields, true, ""},
			"baseline":        {fields + outerCopies + body("; hp=\"cipher\"", ""), hidden, true, "cipher applied Subject:obscured"},
			"legacy display":  {fields + outerCopies + body("; hp-legacy-display=\"1\"; hp=\"cipher\"", legacy), hidden, true, "cipher applied Subject:obscured"},
			"8551":            {"Content-Type: message/rfc822\r\n\r\n" + fields + body("", ""), fields, false, "message applied"},
			"8551, encrypted": {"Content-Type: message/rfc822\r\n\r\n" + fields + body("", ""), hidden, true, "message applied Subject:altered"},
		} {
			for form, entity := range map[string]string{"clear": signed(t, alice, "s", c.payload), "opaque": opaque(t, alice, c.payload)} {
				layer := "signed:" + form + ":valid"
				if c.encrypted {
					entity, layer = enveloped(t, w, entity, cms.AES256CBC), "enveloped:open "+layer
				}
				o := open(t, c.outside+"MIME-Version: 1.0\r\n"+entity, options)
				h := o.Header()
				subject, _ := h.Get("Subject")
				if o.Verdict != smime.Valid || layers(o.Report) != layer || headersOf(o) != c.headers || subject != "Dinner plans" {
					t.Errorf("%s, %s, %s: %s %q, headers %q, Subject %q", shape, kind, form, o.Verdict, layers(o.Report), headersOf(o), subject)
				}
			}
			if !c.encrypted || c.headers == "" {
				continue
			}
			o := open(t, c.outside+"MIME-Version: 1.0\r\n"+enveloped(t, w, c.payload, cms.AES256GCM), options) // not signed
			got := delivered(t, o)
			if o.Verdict != smime.Unsigned || headersOf(o) != c.headers || !strings.HasPrefix(got, fields) || strings.Count(got, "Dinner plans") != 1 || strings.Count(got, "hp") != 0 || !strings.Contains(got, "See you") {
				t.Errorf("%s, %s, not signed: %s, headers %q, delivered %q", shape, kind, o.Verdict, headersOf(o), got)
			}
		}
	}
}
