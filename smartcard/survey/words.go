package survey

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
)

// Usages says what a certificate is for, in words; nothing where it does not say.
func Usages(c *x509.Certificate) []string {
	all := []string{}
	for _, u := range []struct {
		bit  x509.KeyUsage
		text string
	}{
		{x509.KeyUsageDigitalSignature, "signatures"},
		{x509.KeyUsageContentCommitment, "signatures that bind (non-repudiation)"},
		{x509.KeyUsageKeyEncipherment, "encryption of keys"},
		{x509.KeyUsageDataEncipherment, "encryption of data"},
		{x509.KeyUsageKeyAgreement, "key agreement"},
		{x509.KeyUsageCertSign, "certificates"},
		{x509.KeyUsageCRLSign, "revocation lists"},
	} {
		if c.KeyUsage&u.bit != 0 {
			all = append(all, u.text)
		}
	}
	for _, u := range c.ExtKeyUsage {
		all = append(all, extended(u))
	}
	for _, oid := range c.UnknownExtKeyUsage {
		switch text := oid.String(); text {
		case "1.3.6.1.4.1.311.20.2.2":
			all = append(all, "smart card logon")
		case "2.16.840.1.101.3.6.8":
			all = append(all, "PIV card authentication")
		default:
			all = append(all, text)
		}
	}
	return all
}

func extended(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageAny:
		return "any purpose"
	case x509.ExtKeyUsageServerAuth:
		return "server authentication (TLS)"
	case x509.ExtKeyUsageClientAuth:
		return "client authentication (TLS)"
	case x509.ExtKeyUsageCodeSigning:
		return "programs"
	case x509.ExtKeyUsageEmailProtection:
		return "mail (S/MIME)"
	case x509.ExtKeyUsageTimeStamping:
		return "time stamps"
	case x509.ExtKeyUsageOCSPSigning:
		return "answers about revocation (OCSP)"
	}
	return fmt.Sprintf("purpose %d of crypto/x509", u)
}

// Expiry says until when a certificate is valid, and how far that is.
func Expiry(c *x509.Certificate, now time.Time) string {
	day := c.NotAfter.Format(time.DateOnly)
	switch left := c.NotAfter.Sub(now); {
	case now.Before(c.NotBefore):
		return fmt.Sprintf("not valid before %s, then until %s", c.NotBefore.Format(time.DateOnly), day)
	case left < 0:
		return fmt.Sprintf("ENDED on %s", day)
	default:
		return fmt.Sprintf("until %s (%s)", day, days(left))
	}
}

func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); n {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

// The states of a PIN, as JSON has them.
const (
	PINReady     = "ready"      // not presented; enough tries are left
	PINPresented = "presented"  // and accepted, since the last reset
	PINFewTries  = "few-tries"  // fewer than three are left
	PINBlocked   = "blocked"    // none is left
	PINNull      = "null"       // none was set yet
	PINTransport = "transport"  // the one that the card was sent with
	PINMissing   = "missing"    // the card has none of this number
	PINNoCounter = "no-counter" // the card does not say how many tries are left
)

// enough is how many tries must be left for the gateway to present a PIN.
const enough = 3

// DescribePIN says in words what a card says of a PIN.
func DescribePIN(p smartcard.PIN, s smartcard.PINState) PIN {
	d := PIN{Ref: reference(p), Name: p.Name}
	if s.Known {
		d.Tries = &s.Tries
	}
	d.State, d.Words = pinWords(s)
	return d
}

func pinWords(s smartcard.PINState) (state, words string) {
	switch {
	case s.Missing:
		return PINMissing, "the card has no PIN of this number; correct pin_reference of this card"
	case s.Blocked:
		return PINBlocked, `BLOCKED: no try is left; its holder unblocks it with the PUK by "siegel smartcard unlock --puk"`
	case s.Null:
		return PINNull, `none was set yet (NullPIN); its holder sets one by "siegel smartcard change-pin"`
	case s.Transport:
		return PINTransport, `still the transport PIN; its holder sets the real one by "siegel smartcard change-pin"`
	case s.Presented:
		return PINPresented, "presented and accepted since the card's last reset"
	case s.Few:
		return PINFewTries, `one was refused, and the token says that few tries are left; present the right one once by "siegel smartcard unlock"`
	case !s.Known && s.Status == 0: // a token behind a PKCS #11 module, which shows flags in place of a counter
		return PINReady, "none was refused since the last that was right"
	case !s.Known:
		return PINNoCounter, fmt.Sprintf("the card does not say how many tries are left (%v), so the gateway presents none", s.Status)
	case s.Tries < enough:
		return PINFewTries, fmt.Sprintf(`%s, too few for the gateway; present the right one once by "siegel smartcard unlock"`, triesLeft(s.Tries))
	}
	return PINReady, triesLeft(s.Tries)
}

func triesLeft(n int) string {
	if n == 1 {
		return "1 try left"
	}
	return fmt.Sprintf("%d tries left", n)
}
