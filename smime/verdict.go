package smime

import (
	"encoding/hex"
	"errors"
	"net/mail"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// severity orders the verdicts from the best to the worst.
var severity = []Verdict{Valid, Partial, Unsigned, Time, Expired, Weak, Mismatch, Purpose, Untrusted, Revoked, Broken}

// rank is a verdict's place in severity; one that is not known is the worst.
func rank(v Verdict) int {
	if i := slices.Index(severity, v); i >= 0 {
		return i
	}
	return len(severity)
}

func worse(a, b Verdict) Verdict {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

const (
	futureTolerance = time.Hour      // a signing time so far ahead of now is a clock that is a little wrong
	dateTolerance   = 24 * time.Hour // between Date and signing time: drafts, time zones set wrong
)

// sender is what the outer header says of who sent the message and when.
type sender struct {
	address string      // of the single From; empty where there is none
	problem string      // why it is empty
	dates   []time.Time // all of them: programs differ in which they show
}

func senderOf(h entity.Header) sender {
	var s sender
	s.address, s.problem = author(h)
	for _, v := range h.Values("Date") {
		if d, err := mail.ParseDate(v); err == nil {
			s.dates = append(s.dates, d)
		}
	}
	return s
}

func (l *Layer) worsen(to Verdict, reason string) {
	l.Verdict = worse(l.Verdict, to)
	l.Reasons = append(l.Reasons, reason)
}

// broken is a signed layer that cannot be checked.
func broken(form, reason string) Layer {
	return Layer{Type: TypeSigned, Form: form, Verdict: Broken, Reasons: []string{reason}}
}

// brokenBy says why a SignedData could not be checked as a whole.
func brokenBy(form string, err error) Layer {
	switch {
	case errors.Is(err, cms.ErrLimit), errors.Is(err, errSize), errors.Is(err, entity.ErrLimit):
		return broken(form, "the signature is over a limit")
	case errors.Is(err, cms.ErrUnsupported):
		return broken(form, "the signature has a form that is not supported")
	}
	return broken(form, "the signature cannot be read")
}

// finding tells whether an error is about what the message is like, and not about reading it.
func finding(err error) bool {
	for _, e := range []error{cms.ErrMalformed, cms.ErrLimit, cms.ErrNoKey, cms.ErrDecrypt, cms.ErrSignature, cms.ErrNoCertificate, cms.ErrUnsupported, entity.ErrLimit, errSize} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// identity writes the two forms a signer or recipient is named by.
func identity(id cms.RecipientID) (issuer, serial string) {
	if id.Serial == nil {
		return "", ""
	}
	return x509x.Name(id.Issuer), id.Serial.Text(16)
}

func recipients(infos []cms.RecipientInfo) []Recipient {
	out := make([]Recipient, 0, len(infos))
	for _, i := range infos {
		r := Recipient{Algorithm: i.Algorithm, SubjectKeyID: hex.EncodeToString(i.ID.SubjectKeyID)}
		r.Issuer, r.Serial = identity(i.ID)
		out = append(out, r)
	}
	return out
}
