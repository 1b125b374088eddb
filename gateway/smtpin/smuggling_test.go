package smtpin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// What some server somewhere has taken for the end of DATA, or for a line end before it, after the case tables
// that were published on SMTP smuggling. To this server none of it ends a message: RFC 5321, 4.1.1.4 knows
// CRLF.CRLF only, and 2.3.8 forbids CR and LF alone.
var almostEnds = []string{
	"\n.\n", "\n.\r\n", "\r\n.\n", "\n.\r", "\r.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n\r.\r\n", "\n\n.\n\n", "\n\n.\r\n",
	"\r\r\n.\r\n", "\r\n.\r\r\n", "\r\r.\r\r", "\r\n\r.\r\n", "\r\n.\r\rX\r\n", "\n\r\n.\r\n", "\r\n\n.\r\n",
	"\x00\r\n.\r\n", "\r\x00\n.\r\n", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\n.\x00\n", "\n\x00.\r\n",
	"\n.\x00\n", "\r.\x00\r", "\r\n..\n.\n", "\r\n.\n.\r\n", ".\n", ".\r", "\n.", "\r.",
}

const smuggled = "MAIL FROM:<ceo@firma.example>\r\nRCPT TO:<alice@firma.example>\r\nDATA\r\nFrom: ceo@firma.example\r\n\r\nsmuggled\r\n.\r\n"

func TestSmuggling(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil))
	o.Limits.Connections, o.Limits.PerClient = 1000, 1000
	s := serve(t, o)
	for _, seq := range almostEnds {
		content := "From: eve@partner.example\r\n\r\nx" + seq + smuggled
		t.Run(fmt.Sprintf("data %q", seq), func(t *testing.T) {
			p := dial(t, s, "external")
			p.begin()
			p.say("DATA", "354 ")
			p.send(content)
			p.say("", "554 5.5.2 ", "", "") // the connection ends: its two ends may differ on where they are
		})
		t.Run(fmt.Sprintf("bdat %q", seq), func(t *testing.T) {
			p := dial(t, s, "external")
			p.begin()
			p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(content), content))
			p.say("", "554 5.5.2 ", "QUIT", "221 ", "", "")
		})
	}
	if got := h.messages(); len(got) != 0 {
		t.Errorf("accepted %d messages, the first: %+v", len(got), got[0])
	}
}

// What is well-formed arrives as it is, whatever it looks like, and is one message.
func TestNoSmuggling(t *testing.T) {
	for wire, want := range map[string]string{
		"\r\n..\r\n" + smuggled[:len(smuggled)-3]: "\r\n.\r\n" + smuggled[:len(smuggled)-3],
		"\r\n.. \r\n":                            "\r\n. \r\n",
		"\r\n.x\r\n":                             "\r\nx\r\n", // RFC 5321, 4.5.2: the first dot goes
		"\r\n...\r\n":                            "\r\n..\r\n",
		" .\r\n":                                 " .\r\n",
		".\r\n":                                  ".\r\n", // not at the start of a line
		"\r\n\r\n\r\n..\r\n..\r\n":               "\r\n\r\n\r\n.\r\n.\r\n",
		strings.Repeat("y", 5000) + "\r\n":       strings.Repeat("y", 5000) + "\r\n",
		strings.Repeat("y", 4087) + "\r\n..\r\n": strings.Repeat("y", 4087) + "\r\n.\r\n",
	} {
		h := &sink{}
		p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
		p.begin()
		p.say("DATA", "354 ")
		p.send("\r\nx" + wire + ".\r\n")
		p.say("", "250 2.0.0 queued as ", "NOOP", "250 ")
		if got := body(t, h.messages()[0].content); got != "x"+want {
			t.Errorf("%.40q: got %.60q, want %.60q", wire, got, "x"+want)
		}
	}
}

// The buffer of the door ends anywhere in a line end or around a dot.
func TestLineEndsAcrossBuffers(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
	p.say("", "220 ", "EHLO c", "250 ")
	for n := 4080; n < 4110; n++ {
		p.envelope()
		p.say("DATA", "354 ")
		line := strings.Repeat("z", n)
		p.send("\r\n" + line + "\r\n..\r\n" + line + line + "\r\n.\r\n")
		p.say("", "250 2.0.0 queued as ")
		got := h.messages()
		if b := body(t, got[len(got)-1].content); b != line+"\r\n.\r\n"+line+line+"\r\n" {
			t.Fatalf("%d: %d octets", n, len(b))
		}
	}
	for n := 4090; n < 4100; n++ { // and a stray CR is found there too
		p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
		p.begin()
		p.say("DATA", "354 ")
		p.send("\r\n" + strings.Repeat("z", n) + "\rz\r\n.\r\n")
		p.say("", "554 5.5.2 ")
	}
}
