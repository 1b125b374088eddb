package smartcard

import (
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// Condition is the named state of a bound card: how it is now, and what is to be done. The names are stable, for metrics and programs.
type Condition string

// The conditions. Of those that hold at once a card has the first that keeps it from work.
const (
	Asking           Condition = "asking" // before the first look has ended
	Ready            Condition = "ready"
	NoSupport        Condition = "no-support" // the program was built without the readers
	NoService        Condition = "no-service"
	NoReader         Condition = "no-reader"
	NoCard           Condition = "no-card"
	Mute             Condition = "mute"
	OtherCard        Condition = "other-card"
	Ambiguous        Condition = "ambiguous"
	UnknownCard      Condition = "unknown-card"
	Busy             Condition = "busy"    // another program holds it, or it does not answer in time
	Failing          Condition = "failing" // its answers make no sense
	NoCertificate    Condition = "no-certificate"
	NonRepudiation   Condition = "non-repudiation"
	PINIsMissing     Condition = "pin-missing"
	PINIsMalformed   Condition = "pin-form"
	PINIsRefused     Condition = "pin-refused"
	PINIsDoubtful    Condition = "pin-doubtful"
	PINHasFewTries   Condition = "pin-few-tries"
	PINIsBlocked     Condition = "pin-blocked"
	PINIsNull        Condition = "pin-null"
	PINIsTransport   Condition = "pin-transport"
	PINHasNoCounter  Condition = "pin-no-counter"
	PINHasNoMemory   Condition = "pin-memory"
	PINIsNotHere     Condition = "pin-not-here"
	NoModule         Condition = "no-module"    // that of a PKCS #11 token cannot be loaded or initialised
	ModuleHangs      Condition = "module-hangs" // it does not return from a call
	NoKey            Condition = "no-key"       // the token has the certificate, and no key of it
	CertificateEnded Condition = "certificate-expired"
	CertificateEarly Condition = "certificate-not-yet-valid"
	CertificateEnds  Condition = "certificate-expiring"
)

// Conditions lists all, as metrics want them.
func Conditions() []Condition {
	return []Condition{Asking, Ready, NoSupport, NoService, NoReader, NoCard, Mute, OtherCard, Ambiguous, UnknownCard, Busy, Failing, NoCertificate,
		NonRepudiation, PINIsMissing, PINIsMalformed, PINIsRefused, PINIsDoubtful, PINHasFewTries, PINIsBlocked, PINIsNull, PINIsTransport, PINHasNoCounter,
		PINHasNoMemory, PINIsNotHere, NoModule, ModuleHangs, NoKey, CertificateEnded, CertificateEarly, CertificateEnds}
}

// Usable tells whether the key can be used as things are. That others may refuse its certificate for its dates is not for the card to say.
func (c Condition) Usable() bool {
	return c == Ready || c == CertificateEnds || c == CertificateEnded || c == CertificateEarly
}

// Away tells whether the card may come back by itself, or by a hand at the machine; what else is in its way must be mended by who administers it.
func (c Condition) Away() bool {
	switch c {
	case Asking, NoService, NoReader, NoCard, Mute, OtherCard, Busy, Failing, NoModule, ModuleHangs:
		return true
	}
	return false
}

// Advice is what to do about a card, in a sentence or two; empty where there is nothing to be done. Status has that about tokens.
func (c Condition) Advice() string { return advice()[c] }

// advice is a map, since a switch of it would be longer.
func advice() map[Condition]string {
	return map[Condition]string{
		NoSupport:        "Take a program that was built with PC/SC.",
		NoService:        "Start pcscd (systemctl start pcscd), and see that the user of this program may use it (polkit).",
		NoReader:         "Look at the reader's cable. On a USB server: is it awake, and is the reader attached (usbip attach, or its own client program)? See what readers there are by \"siegel smartcard list\".",
		NoCard:           "Put the card into the reader.",
		Mute:             "The card lies the wrong way or has dirty contacts: pull it, look at it and put it in again. If that does not help, the card or the reader is broken.",
		OtherCard:        "Put the right card in; or, where this one replaces it, bind it by \"siegel smartcard bind\".",
		Ambiguous:        "Name the serial number of the card in the configuration, or its reader where two cards are alike.",
		UnknownCard:      "Use this card by its PKCS#11 module, and report its ATR and kind, so that support can be added.",
		Busy:             "Find the program that holds the card and end it (browsers, gpg and desktop agents do that); if there is none, pull the card and put it in again, and start pcscd anew where that does not help.",
		Failing:          "Pull the card and put it in again. If that does not help, try another reader; the card may be broken.",
		NoCertificate:    "See what the card holds by \"siegel smartcard list\". After a renewal, bind the new certificate by \"siegel smartcard bind\".",
		NonRepudiation:   "Who signs by this key wants to be bound. Bind another certificate; or, if that is meant, say so for this card (non_repudiation: true).",
		PINIsMissing:     "Name the PIN of this card in the configuration, and see that its file, variable or vault can be read.",
		PINIsMalformed:   "Correct the PIN in the configuration. A shorter one may be the transport PIN of the letter that came with the card: its holder sets the real one first.",
		PINIsRefused:     "Correct the PIN in the configuration; the refused one is not presented again. If it is right after all, say so by \"siegel smartcard unlock\".",
		PINIsDoubtful:    "See that the PIN in the configuration is right, and present it once by \"siegel smartcard unlock\".",
		PINHasFewTries:   "Present the right PIN once by \"siegel smartcard unlock\": below three tries this program presents none.",
		PINIsBlocked:     "The holder of the card unblocks the PIN with the PUK by \"siegel smartcard unlock --puk\".",
		PINIsNull:        "The holder of the card sets its PIN by \"siegel smartcard change-pin\".",
		PINIsTransport:   "The holder of the card replaces the transport PIN by \"siegel smartcard change-pin\".",
		PINHasNoCounter:  "The card does not say how many tries are left, so no PIN is presented. Pull it and put it in again; a card that never says it can be used by its PKCS#11 module.",
		PINHasNoMemory:   "See that what is remembered of refused PINs can be read and written; until then no PIN is presented.",
		PINIsNotHere:     "Correct pin_reference of this card.",
		NoModule:         "See that pkcs11.module names the module, that what it speaks to (pcscd, the client of an HSM) runs, and that its own configuration can be read by the user of this program.",
		ModuleHangs:      "Look at what the module speaks to (the HSM, the network, pcscd). Where it does not come back by itself, restart this program: a call of a module cannot be ended.",
		NoKey:            "See what the token holds by \"pkcs11-tool --login --list-objects\": the private key needs the CKA_ID of its certificate.",
		CertificateEnded: "Renew the card, and bind the new certificate by \"siegel smartcard bind\". What it opens stays readable.",
		CertificateEarly: "See that the clock of this machine is right; else wait.",
		CertificateEnds:  "Order the next card now; providers take weeks.",
	}
}

// ConditionOf is the condition that the failure of a look stands for.
func ConditionOf(err error) Condition {
	if refused, ok := errors.AsType[*PINError](err); ok {
		return refused.Reason.condition()
	}
	for _, c := range []struct {
		err  error
		says Condition
	}{
		{ErrNoCertificate, NoCertificate}, {ErrNonRepudiation, NonRepudiation}, {ErrAmbiguous, Ambiguous}, {ErrNotHere, OtherCard}, {ErrNoService, NoService},
		{ErrBusy, Busy}, {ErrUnknownCard, UnknownCard}, {ErrNoReader, NoReader}, {ErrNoCard, NoCard}, {ErrRemoved, NoCard}, {ErrReset, Busy},
	} {
		if errors.Is(err, c.err) {
			return c.says
		}
	}
	if Temporary(err) {
		return Busy
	}
	return Failing
}

func (r Reason) condition() Condition {
	switch r {
	case PINMissing, PINUnreadable:
		return PINIsMissing
	case PINForm:
		return PINIsMalformed
	case PINRefused, PINRefusedOnce:
		return PINIsRefused
	case PINDoubtful:
		return PINIsDoubtful
	case PINFewTries:
		return PINHasFewTries
	case PINBlocked:
		return PINIsBlocked
	case PINNull:
		return PINIsNull
	case PINTransport:
		return PINIsTransport
	case PINNoCounter:
		return PINHasNoCounter
	case PINMemory:
		return PINHasNoMemory
	case PINNotHere:
		return PINIsNotHere
	}
	return Failing
}

// Status is how a bound card is.
type Status struct {
	Name      string // of the binding
	Token     bool   // it is that of a PKCS#11 module, not a card in a reader
	Condition Condition
	Since     time.Time // the condition is so
	Text      string    // what is so, in a sentence, with names
	Err       error     // behind it; nil where there is none

	// As they were seen last; they stay while the card is away.
	Identity Identity
	Reader   string
	Key      KeyInfo // the bound one; without Certificate where it was not seen, or none is named
	PIN      PINState

	Signatures uint64 // with all keys of the card, in this process
	Waiting    int    // operations
}

// Advice is what to do, with a card or with a token.
func (s Status) Advice() string {
	if text, ok := tokenAdvice()[s.Condition]; ok && s.Token {
		return text
	}
	return s.Condition.Advice()
}

// String is for logs: "card berlin: no-card: no card is in the reader".
func (s Status) String() string {
	return fmt.Sprintf("card %s: %s: %s", safetext.Line(s.Name, 64), s.Condition, s.Text)
}

// day is how much is said of a date.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Judge is the condition of a card that was seen whole, by the dates of its certificate; and when that changes, which is never where it is zero.
func Judge(k KeyInfo, now time.Time, soon time.Duration) (c Condition, text string, until time.Time) {
	if k.Certificate == nil {
		return Ready, "", time.Time{}
	}
	begin, end := k.Certificate.NotBefore, k.Certificate.NotAfter
	switch {
	case now.Before(begin):
		return CertificateEarly, "the certificate begins on " + day(begin), begin
	case now.After(end):
		return CertificateEnded, "the certificate has expired on " + day(end), time.Time{}
	case soon > 0 && !now.Before(end.Add(-soon)):
		return CertificateEnds, "the certificate expires on " + day(end), end.Add(time.Second)
	case soon > 0:
		return Ready, "", end.Add(-soon)
	}
	return Ready, "", end.Add(time.Second)
}
