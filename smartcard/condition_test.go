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
