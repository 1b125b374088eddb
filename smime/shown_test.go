package smime_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
)

// A CR alone ends a line for some programs, and does so in what is delivered where other line ends are mended: by one
// that spells a boundary, unsigned text would be shown under the signature of somebody else.
func TestBoundaryOfBareCR(t *testing.T) {
	w := theWorld()
	const forged = "\r--s\rContent-Type: text/plain\r\rforged\r"
	s := signed(t, w.alice, "s", hello)
	head, parts, _ := strings.Cut(s, "\r\n\r\n")
	end := strings.LastIndex(s, "application/pkcs7-signature")
	for name, c := range map[string]struct {
		message string
		verdict smime.Verdict
	}{
		"in the preamble":           {head + "\r\n\r\nx" + forged + "\r\n" + parts, smime.Partial},
		"and lines to be mended":    {head + "\r\n\r\nx\ny" + forged + "\r\n" + parts, smime.Partial},
		"in the epilogue":           {s + "\r\nx" + forged, smime.Partial},
		"in front of the signature": {s[:end] + "application/pkcs7-signature\r\nX: y" + forged + "\r\nContent-Description: x" + s[end+len("application/pkcs7-signature"):], smime.Partial},
		"signed":                    {signed(t, w.alice, "s", hello+forged), smime.Partial},
		"none":                      {s, smime.Valid},
	} {
		if o := open(t, outside+enveloped(t, w, c.message, ""), w.options()); o.Verdict != c.verdict {
			t.Errorf("%s: %s %q, delivered %q", name, o.Verdict, o.Reasons, delivered(t, o))
		}
	}
}

// What stands in the place of the signature must not be anything that programs show.
func TestSignatureThatIsShown(t *testing.T) {
	w := theWorld()
	s := signed(t, w.alice, "s", hello)
	const kind = "application/pkcs7-signature"
	end := strings.LastIndex(s, kind)
	for as, verdict := range map[string]smime.Verdict{
		kind: smime.Valid, "application/x-pkcs7-signature": smime.Valid, "application/octet-stream": smime.Valid,
		"text/html": smime.Partial, "multipart/mixed; boundary=t": smime.Partial, "text/html\r\nContent-Type: " + kind: smime.Partial, kind + "\r\nContent-Type: text/html": smime.Partial,
	} {
		if o := open(t, outside+s[:end]+as+s[end+len(kind):], w.options()); o.Verdict != verdict {
			t.Errorf("%s: %s, want %s", as, o.Verdict, verdict)
		}
	}
}

// Protected fields may be any bytes. Delivered they end no line but their own, and fit a line.
func TestProtectedFieldsFitTheHeader(t *testing.T) {
	w := theWorld()
	inner := "From: alice@firma.example\r\nSubject: x\rX-Siegel-Verdict: valid\nTo: a\x00b@x.example\r\nKeywords:" + strings.Repeat(" word", 400) + "\r\n"
	for _, content := range []string{
		inner + "Content-Type: text/plain; hp=cipher\r\n\r\nhello\r\n",
		"Content-Type: message/rfc822\r\n\r\n" + inner + "\r\nhello\r\n",
	} {
		o := open(t, outside+enveloped(t, w, content, ""), w.options())
		head, _, _ := strings.Cut(delivered(t, o), "\r\n\r\n")
		if !o.Headers.Applied || strings.ContainsAny(strings.ReplaceAll(head, "\r\n", ""), "\r\n\x00") {
			t.Errorf("%+v, %q", o.Headers, head)
		}
		for line := range strings.Lines(head) {
			if len(line) > 1000 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	}
}
