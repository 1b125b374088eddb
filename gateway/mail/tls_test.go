package mail_test

import (
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

func TestTLSLevel(t *testing.T) {
	order := []mail.TLSLevel{mail.TLSAsRouted, mail.TLSRequired, mail.TLSVerified}
	for i, a := range order {
		for k, b := range order {
			if got := a.Raise(b); got != order[max(i, k)] {
				t.Errorf("%q raised to %q is %q", a, b, got)
			}
		}
		if l, err := mail.ParseTLSLevel(" " + string(a) + " "); l != a || err != nil {
			t.Errorf("%q: %q, %v", a, l, err)
		}
	}
	if l, err := mail.ParseTLSLevel("Verified"); l != mail.TLSVerified || err != nil {
		t.Errorf("%q, %v", l, err)
	}
	for _, s := range []string{"none", "opportunistic", "yes", "verified required"} {
		var l mail.TLSLevel
		if err := l.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q is %q", s, l)
		}
	}
}
