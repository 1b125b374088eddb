package smtpin_test

import (
	"context"
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// directory knows some addresses; an error stands for one that is away.
type directory struct {
	known mail.Patterns
	err   error
}

func (d directory) Known(_ context.Context, to mail.Address) (bool, error) {
	return d.known.Match(to), d.err
}

// Mail for addresses that nobody has is refused at RCPT, where its sender is still there to hear it.
func TestUnknownRecipients(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil), listener(smtpin.Internal, nil))
	o.Recipients = directory{known: patterns("alice@firma.example", "bob@elsewhere.example")}
	s := serve(t, o)
	p := dial(t, s, "external")
	p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<eve@partner.example>", "250 ",
		"RCPT TO:<alice@firma.example>", "250 ",
		"RCPT TO:<nobody@firma.example>", "550 5.1.1 nobody@firma.example is not an address here",
		"RCPT TO:<Postmaster>", "250 ",
		"RCPT TO:<bob@elsewhere.example>", "550 5.7.1 Relaying denied", // known, but not ours
		"DATA", "354 ", "x\r\n.", "250 ")
	if got := h.messages()[0].env.Recipients; len(got) != 2 {
		t.Errorf("%+v", got)
	}
	p = dial(t, s, "internal") // to inside and outside alike
	p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<alice@firma.example>", "250 ", "RCPT TO:<nobody@firma.example>", "250 ", "RCPT TO:<x@y.example>", "250 ")
}

// A directory that is away puts mail off; it neither lets in nor turns away.
func TestRecipientsAway(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Recipients = directory{err: errors.New("ldap://secret.corp: connection refused")}
	p := dial(t, serve(t, o), "external")
	p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<>", "250 ",
		"RCPT TO:<alice@firma.example>", "451 4.4.3 The recipient cannot be looked up at the moment. Try again later; mail servers do so by themselves.")
}

// Who tries one address after the other is sent away, and does not get far by coming again.
func TestHarvest(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Recipients = directory{known: patterns("alice@firma.example")}
	o.Limits = smtpin.Limits{Errors: 5, ErrorsPerHour: 10}
	s := serve(t, o)
	tries := 0
	for {
		p := dial(t, s, "external")
		if p.reply()[:3] == "421" {
			break
		}
		p.say("EHLO c", "250 ", "MAIL FROM:<>", "250 ")
		for range 6 {
			p.say("RCPT TO:<name"+itoa(tries)+"@firma.example>", "550 5.1.1 ")
			tries++
		}
		p.say("NOOP", "421 4.7.0 too many errors")
	}
	if tries > 12 {
		t.Errorf("%d addresses were tried", tries)
	}
}
