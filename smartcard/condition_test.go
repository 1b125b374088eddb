package smartcard_test

import (
	"regexp"
	"testing"

	"github.com/siegel-mail/siegel/smartcard"
)

// Each condition has a name that stays, and all but the good ones say what to do.
func TestConditions(t *testing.T) {
	seen := map[smartcard.Condition]bool{}
	for _, c := range smartcard.Conditions() {
		if seen[c] || !regexp.MustCompile(`^[a-z-]+$`).MatchString(string(c)) {
			t.Errorf("%q", c)
		}
		seen[c] = true
		if good := c == smartcard.Ready || c == smartcard.Asking; (c.Advice() == "") != good {
			t.Errorf("%s: %q", c, c.Advice())
		}
		if c.Usable() && c.Away() {
			t.Errorf("%s: usable and away", c)
		}
	}
	if len(seen) != 31 || !smartcard.CertificateEnded.Usable() || smartcard.PINIsBlocked.Away() || !smartcard.NoReader.Away() {
		t.Errorf("%d conditions", len(seen))
	}
	s := smartcard.Status{Name: "berlin\n", Condition: smartcard.NoCard, Text: "no card"}
	if got := s.String(); got != `card berlin\n: no-card: no card` {
		t.Errorf("%q", got)
	}
}

// What is said of tokens sends nobody to a card, a reader or a PUK, names no command that refuses tokens, and is said of each condition.
func TestAdviceForTokens(t *testing.T) {
	misleading := regexp.MustCompile(`\b[Cc]ards?\b|\breaders?\b|\bPUK\b|siegel smartcard change-pin|unlock --puk`)
	for _, c := range smartcard.Conditions() {
		switch c {
		case smartcard.Mute, smartcard.UnknownCard, smartcard.NonRepudiation, smartcard.PINHasNoCounter, smartcard.PINIsNotHere:
			continue // a token is never in it, or what is said is right for both
		}
		advice := smartcard.Status{Condition: c, Token: true}.Advice()
		if (advice == "") != (c.Advice() == "") || misleading.MatchString(advice) {
			t.Errorf("%s: %q", c, advice)
		}
	}
	for r := smartcard.PINMissing; r <= smartcard.PINUnreadable; r++ {
		if r == smartcard.PINNoCounter || r == smartcard.PINNotHere {
			continue // only cards give it
		}
		said := (&smartcard.PINError{Reason: r, Tries: -1, Token: true}).Error()
		if misleading.MatchString(said) || !regexp.MustCompile(` of token .*: .`).MatchString(said) {
			t.Errorf("%d: %s", r, said)
		}
	}
	for advice, s := range map[string]smartcard.Status{
		"Put the card into the reader.": {Condition: smartcard.NoCard},
		smartcard.Busy.Advice():         {Condition: smartcard.Busy},
	} {
		if got := s.Advice(); got != advice {
			t.Errorf("of a card: %q", got)
		}
	}
}
