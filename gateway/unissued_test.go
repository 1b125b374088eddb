package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Why a sender stays without a certificate is logged once in a day for an address, with what to do, and anew after a reload.
func TestStaysWithout(t *testing.T) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	g := &Gateway{o: Options{Log: log, Now: func() time.Time { return now }}}
	why := &enroll.RefusedError{Address: "a@firma.example", Why: "there is no CA yet;\nmake it with: siegel certs ca init"}
	lines := func(name string, want int) {
		t.Helper()
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d:\n%s", name, got, want, out.String())
		}
		out.Reset()
	}
	a, b := mail.Address{Local: "a", Domain: "firma.example"}, mail.Address{Local: "b", Domain: "firma.example"}
	for range 3 {
		g.staysWithout(a, why)
	}
	if text := out.String(); !strings.Contains(text, "address=a@firma.example") || !strings.Contains(text, "siegel certs ca init") || !strings.Contains(text, "level=warning") {
		t.Errorf("the log says %s", text)
	}
	lines("first", 1)
	g.staysWithout(b, errors.New("another reason"))
	g.staysWithout(b, errNoIssue)
	lines("another address", 1)
	now = now.Add(23 * time.Hour)
	g.staysWithout(a, why)
	lines("the same day", 0)
	now = now.Add(time.Hour)
	g.staysWithout(a, why)
	lines("the next day", 1)
	g.unissued.forget()
	g.staysWithout(a, why)
	lines("after a reload", 1)
	g.staysWithout(mail.Address{Local: "c", Domain: "firma.example"}, errNoIssue)
	lines("nobody issues", 0)
}

// However many addresses are invented, the log and the memory are bounded, and a day later there is room again.
func TestStaysWithoutIsBounded(t *testing.T) {
	var u unissued
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	tells, mores := 0, 0
	flood := func() {
		for i := range 2 * maxUnissued {
			tell, more := u.tell(fmt.Sprint(i, "@firma.example"), now)
			if tell {
				tells++
			}
			if more {
				mores++
			}
		}
	}
	flood()
	if tells != maxUnissued || mores != 1 || len(u.told) != maxUnissued {
		t.Errorf("%d told, %d times that there are more, %d kept", tells, mores, len(u.told))
	}
	now = now.Add(unissuedPeriod)
	flood()
	if tells != 2*maxUnissued || mores != 2 || len(u.told) != maxUnissued {
		t.Errorf("a day later: %d told, %d times that there are more, %d kept", tells, mores, len(u.told))
	}
}
