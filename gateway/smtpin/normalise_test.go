package smtpin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/smtpin"
)

func mending() smtpin.Listener {
	l := listener(smtpin.Internal, nil)
	l.Normalise = true
	return l
}

func (p *peer) inside() {
	p.t.Helper()
	p.say("MAIL FROM:<alice@firma.example>", "250 ", "RCPT TO:<x@partner.example>", "250 ")
}

// On an internal listener that is told so, and by BDAT alone, line ends are mended after the message was framed.
func TestNormalise(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, mending()))
	p := dial(t, s, "internal")
	p.say("", "220 ", "EHLO c", "250 ")
	for _, c := range []struct{ chunks, want string }{
		{"Subject: a\n\nb\nc\r\nd\re", "Subject: a\r\n\r\nb\r\nc\r\nd\r\ne"},
		{"Subject: a\r\n\r\nb\r|\nc\r|d\n|\n\r", "Subject: a\r\n\r\nb\r\nc\r\nd\r\n\r\n\r\n"},
		{"Subject: a\nX-Siegel-Verdict: valid\n\n.\nMAIL FROM:<ceo@firma.example>\n", "Subject: a\r\n\r\n.\r\nMAIL FROM:<ceo@firma.example>\r\n"},
		{"Content-Type: multipart/signed\r\n\r\nnothing to mend", "Content-Type: multipart/signed\r\n\r\nnothing to mend"},
	} {
		before := len(h.messages())
		p.inside()
		chunks := strings.Split(c.chunks, "|")
		for i, chunk := range chunks {
			last := ""
			if i == len(chunks)-1 {
				last = " LAST"
			}
			p.send(fmt.Sprintf("BDAT %d%s\r\n%s", len(chunk), last, chunk))
			p.say("", "250 ")
		}
		got := h.messages()[before:]
		if len(got) != 1 || !strings.HasSuffix(got[0].content, "\r\n"+c.want) {
			t.Errorf("%q: %+v", c.chunks, got)
		}
	}
	p.say("NOOP", "250 ")
}

// What was signed is never changed: it is refused, as it is without the option, and so is a NUL.
func TestNormaliseLeavesSignedAlone(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, mending()))
	p := dial(t, s, "internal")
	p.say("", "220 ", "EHLO c", "250 ")
	for _, content := range []string{
		"Content-Type: Multipart/Signed; x=y\r\n\r\na\nb",
		"Content-Type: application/pkcs7-mime\r\n\r\na\nb",
		"Content-Type: application/x-pkcs7-mime\n\r\nab\r\n",
		"a: b\r\n\r\nfirst\nthen\r\nContent-Type: multipart/signed\r\n", // in a part
		"DKIM-Signature: v=1\r\n\r\na\n",
		"\r\n-----BEGIN PGP SIGNED MESSAGE-----\na\n",
		"a: b\r\n\r\na\n\x00b",
	} {
		p.inside()
		p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(content), content))
		p.say("", "554 5.5.2 ")
	}
	p.say("NOOP", "250 ")
	if n := len(h.messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// DATA stays strict, for there a line end decides where the message ends; so do all other listeners.
func TestNormaliseIsForChunksInside(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, mending())), "internal")
	p.say("", "220 ", "EHLO c", "250 ")
	p.inside()
	p.say("DATA", "354 ")
	p.send("a: b\r\n\r\nx\n.\n" + smuggled)
	p.say("", "554 5.5.2 ", "", "")
	if len(h.messages()) != 0 {
		t.Error("accepted")
	}
	for _, role := range []smtpin.Role{smtpin.External, smtpin.Submission} {
		l := listener(role, serverTLS())
		l.Normalise = true
		if _, err := smtpin.New(options(t, h, l)); err == nil || !strings.Contains(err.Error(), "mended on internal listeners only") {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// Mending makes a message larger, and the limit is of what it becomes.
func TestNormaliseKeepsTheSize(t *testing.T) {
	h := &sink{}
	l := mending()
	l.MaxSize = 1000
	p := dial(t, serve(t, options(t, h, l)), "internal")
	p.say("", "220 ", "EHLO c", "250 ")
	p.inside()
	content := "\r\n" + strings.Repeat("\n", 600)
	p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(content), content))
	p.say("", "552 5.3.4 ", "NOOP", "250 ")
}
