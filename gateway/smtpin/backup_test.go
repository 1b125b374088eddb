package smtpin_test

import (
	"context"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
)

// shelter keeps mail for partner.example, messages of up to 1000 octets.
type shelter struct{}

func (shelter) Takes(to mail.Address) bool { return to.Domain == "partner.example" }

func (shelter) Room(_ context.Context, to mail.Address, size int64) error {
	switch {
	case to.Domain != "partner.example":
		panic("asked for an address that is not kept")
	case to.Local == "trouble":
		return context.DeadlineExceeded
	case size > 1000:
		return status.Refuse(452, "4.2.2", "no room for "+to.Domain)
	}
	return nil
}

// An external listener takes recipients of the backup, where there is room, and of no other domain; others listeners
// are not concerned (invariant 4).
func TestBackup(t *testing.T) {
	sink := &sink{}
	o := options(t, sink, listener(smtpin.External, nil), listener(smtpin.Internal, nil))
	o.Backup = shelter{}
	s := serve(t, o)
	for _, c := range []struct{ listener, from, to, size, want string }{
		{"external", "x@else.example", "bob@partner.example", "", "250 "},
		{"external", "x@else.example", "bob@PARTNER.example", " SIZE=1000", "250 "},
		{"external", "x@else.example", "bob@partner.example", " SIZE=1001", "452 4.2.2 no room for partner.example"},
		{"external", "x@else.example", "alice@firma.example", " SIZE=1001", "250 "},
		{"external", "x@else.example", "trouble@partner.example", "", "451 4.3.2"},
		{"external", "x@else.example", "bob@sub.partner.example", "", "550 5.7.1 Relaying denied"},
		{"external", "x@else.example", "bob@partner.example.else.example", "", "550 5.7.1 Relaying denied"},
		{"external", "x@else.example", "bob%else.example@partner.example", "", "550 5.7.1 Relaying denied"},
		{"external", "x@else.example", "else.example!bob@partner.example", "", "550 5.7.1 Relaying denied"},
		{"external", "x@else.example", `"bob@else.example"@partner.example`, "", "550 5.7.1 Relaying denied"},
		{"internal", "alice@firma.example", "bob@partner.example", " SIZE=1001", "250 "},
	} {
		p := dial(t, s, c.listener)
		p.reply()
		p.send("EHLO client.example\r\n")
		p.reply()
		p.send("MAIL FROM:<" + c.from + ">" + c.size + "\r\n")
		if got := p.reply(); !strings.HasPrefix(got, "250 ") {
			t.Fatal(got)
		}
		p.send("RCPT TO:<" + c.to + ">\r\n")
		if got := p.reply(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
		p.Close()
	}
}

// What the backup takes comes in like all mail from outside.
func TestBackupMessage(t *testing.T) {
	sink := &sink{}
	o := options(t, sink, listener(smtpin.External, nil))
	o.Backup = shelter{}
	p := dial(t, serve(t, o), "external")
	p.reply()
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<x@else.example>", "RCPT TO:<bob@partner.example>", "DATA"} {
		p.send(line + "\r\n")
		p.reply()
	}
	p.send("From: x@else.example\r\nX-Siegel-Verdict: valid\r\nSubject: kept\r\n\r\nas it came\r\n.\r\n")
	if got := p.reply(); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	got := sink.messages()
	if len(got) != 1 || got[0].env.Internal || strings.Contains(got[0].content, "X-Siegel-") || !strings.HasSuffix(got[0].content, "Subject: kept\r\n\r\nas it came\r\n") {
		t.Errorf("%+v", got)
	}
}
