package survey_test

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// The certificate for client authentication comes first, what binds late, what cannot sign last.
func TestRank(t *testing.T) {
	all := newDesk(t, newTCOS(t, cardtest.TCOSOptions{})).take(t)[0].Card.Certificates
	ranked := survey.Rank(all, now)
	var got []string
	for _, c := range ranked {
		got = append(got, c.Key)
	}
	if want := "authentication (NetKey, key 82), signature (NetKey, key 80), encryption (NetKey, key 81)"; strings.Join(got, ", ") != want {
		t.Error(got)
	}
	if all[0].Key != "signature (NetKey, key 80)" {
		t.Error("the list that was given has changed")
	}
	if !survey.Suits(ranked[0], now) || survey.Suits(ranked[1], now) || survey.Suits(ranked[0], now.AddDate(2, 0, 0)) || survey.Suits(ranked[0], now.AddDate(-1, 0, 0)) {
		t.Error("what suits")
	}
}

func TestExpiry(t *testing.T) {
	c := &x509.Certificate{NotBefore: now, NotAfter: now.AddDate(0, 0, 2)}
	for at, want := range map[time.Time]string{
		now.Add(-time.Second):               "not valid before 2027-03-01, then until 2027-03-03",
		now:                                 "until 2027-03-03 (2 days)",
		now.AddDate(0, 0, 1):                "until 2027-03-03 (1 day)",
		now.Add(47*time.Hour + time.Minute): "until 2027-03-03 (less than a day)",
		now.AddDate(0, 0, 3):                "ENDED on 2027-03-03",
	} {
		if got := survey.Expiry(c, at); got != want {
			t.Errorf("%v: %s; want %s", at, got, want)
		}
	}
}

func TestUsages(t *testing.T) {
	c := &x509.Certificate{KeyUsage: x509.KeyUsageContentCommitment | x509.KeyUsageKeyAgreement, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageIPSECTunnel},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}, {2, 16, 840, 1, 101, 3, 6, 8}, {1, 2, 3}}}
	want := "signatures that bind (non-repudiation); key agreement; any purpose; purpose 6 of crypto/x509; smart card logon; PIV card authentication; 1.2.3"
	if got := strings.Join(survey.Usages(c), "; "); got != want {
		t.Error(got)
	}
	if got := survey.Usages(&x509.Certificate{}); got == nil || len(got) > 0 {
		t.Error(got)
	}
}

// Each state of a PIN has a name, and words that say what to do where something is.
func TestPINWords(t *testing.T) {
	for _, c := range []struct {
		state       smartcard.PINState
		name, words string
		tries       int // -1: not said
	}{
		{smartcard.PINState{Known: true, Tries: 3}, survey.PINReady, "3 tries left", 3},
		{smartcard.PINState{Known: true, Tries: 2}, survey.PINFewTries, "2 tries left, too few", 2},
		{smartcard.PINState{Known: true, Tries: 1}, survey.PINFewTries, "1 try left", 1},
		{smartcard.PINState{Known: true, Blocked: true}, survey.PINBlocked, "PUK", 0},
		{smartcard.PINState{Presented: true}, survey.PINPresented, "accepted", -1},
		{smartcard.PINState{Null: true}, survey.PINNull, "change-pin", -1},
		{smartcard.PINState{Transport: true}, survey.PINTransport, "change-pin", -1},
		{smartcard.PINState{Missing: true}, survey.PINMissing, "pin_reference", -1},
		{smartcard.PINState{Few: true}, survey.PINFewTries, "siegel smartcard unlock", -1},
		{smartcard.PINState{}, survey.PINReady, "none was refused", -1},
		{smartcard.PINState{Status: apdu.UnknownINS}, survey.PINNoCounter, "6D 00", -1},
	} {
		pins := map[smartcard.PIN]smartcard.PINState{{Ref: 0x80, Name: "the PIN"}: c.state}
		got := survey.Describe(smartcard.State{PINs: pins}, now).PINs[0]
		tries := -1
		if got.Tries != nil {
			tries = *got.Tries
		}
		if got.Ref != "80" || got.Name != "the PIN" || got.State != c.name || !strings.Contains(got.Words, c.words) || tries != c.tries {
			t.Errorf("%+v, %d tries; want %+v", got, tries, c)
		}
	}
}
