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
	address string // of the single From; empty where there is none
	problem string // why it is empty
	date    time.Time
}

func senderOf(h entity.Header) sender {
	var s sender
	s.address, s.problem = author(h)
	if v, ok := h.Get("Date"); ok {
		s.date, _ = mail.ParseDate(v)
	}
	return s
}

// judgeSigner judges one signer of a layer.
func (w *walker) judgeSigner(s *cms.Signed, r cms.SignerResult) SignerVerdict {
	v := SignerVerdict{
		Algorithm: r.Algorithm, SignedAt: r.SigningTime, Verdict: Valid, Certificate: r.Certificate, Capabilities: r.Capabilities,
	}
	v.Issuer, v.Serial = identity(r.ID)
	if c := r.Certificate; c != nil {
		v.Subject, v.Issuer, v.Serial = x509x.Name(c.RawSubject), x509x.Name(c.RawIssuer), c.SerialNumber.Text(16)
		v.Address = w.matched(addresses(c))
	}
	worsen := func(to Verdict, reasons ...string) {
		v.Verdict = worse(v.Verdict, to)
		v.Reasons = append(v.Reasons, reasons...)
	}
	switch {
	case r.Err == nil:
	case errors.Is(r.Err, cms.ErrNoCertificate):
		worsen(Untrusted, "the signer's certificate is not in the message, or cannot be read")
	case errors.Is(r.Err, cms.ErrUnsupported):
		worsen(Broken, "the signature needs an algorithm that is not supported")
	default:
		worsen(Broken, "the signature does not fit the content")
	}
	if r.Weak {
		worsen(Weak, "the algorithm or the key is too weak")
	}
	if r.Err != nil || r.Certificate == nil {
		return v
	}
	w.judgeCertificate(s, r, worsen)
	return v
}

// judgeCertificate asks the judge, and matches address and times.
func (w *walker) judgeCertificate(s *cms.Signed, r cms.SignerResult, worsen func(Verdict, ...string)) {
	w.judged++
	if w.o.Judge == nil {
		worsen(Untrusted, "no trust is configured")
	} else if w.judged > w.o.Limits.Signers {
		worsen(Untrusted, "the message has more signers than are judged")
	} else if verdict, reasons := w.o.Judge(w.ctx, r.Certificate, s.Certificates, w.o.Now); verdict != Valid {
		worsen(verdict, reasons...)
	}
	switch {
	case w.sender.problem != "":
		worsen(Mismatch, w.sender.problem)
	case !slices.ContainsFunc(addresses(r.Certificate), w.isSender):
		worsen(Mismatch, "the certificate is not for "+w.sender.address)
	}
	at := r.SigningTime
	if at.IsZero() {
		return
	}
	if at.After(w.o.Now.Add(futureTolerance)) {
		worsen(Time, "the claimed signing time is in the future")
	}
	if at.Before(r.Certificate.NotBefore) || at.After(r.Certificate.NotAfter) {
		worsen(Time, "the certificate was not valid at the claimed signing time")
	}
	if d := at.Sub(w.sender.date); !w.sender.date.IsZero() && d.Abs() > dateTolerance {
		worsen(Time, "the claimed signing time contradicts Date")
	}
}

func (w *walker) isSender(addr string) bool { return sameAddress(addr, w.sender.address) }

// matched is the address that equals From, else the first.
func (w *walker) matched(all []string) string {
	if i := slices.IndexFunc(all, w.isSender); i >= 0 {
		return all[i]
	}
	if len(all) > 0 {
		return all[0]
	}
	return ""
}

// signedLayer judges a SignedData. The layer is worth what the best of its signers is: one right signature
// of the sender over the content is proof, whatever others are put beside it.
func (w *walker) signedLayer(form string, s *cms.Signed) Layer {
	l := Layer{Type: TypeSigned, Form: form, Verdict: Unsigned}
	for i, r := range s.Signers {
		v := w.judgeSigner(s, r)
		l.Signers = append(l.Signers, v)
		if i == 0 || rank(v.Verdict) < rank(l.Verdict) {
			l.Verdict = v.Verdict
		}
	}
	if len(s.Signers) == 0 {
		l.Reasons = append(l.Reasons, "there is no signer")
	}
	if s.ContentType != "data" { // RFC 8551, 2.4.2
		l.worsen(Broken, "what is signed is not a message")
	}
	return l
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

// conclude derives the message's verdict from its layers: the worst of its signatures, and Partial at best
// where no signature covers all of what is delivered.
func (r *Report) conclude() {
	r.Verdict = Unsigned
	signed, covered := false, false
	for _, l := range r.Layers {
		switch {
		case l.Decrypted:
			covered = false // a signature around an envelope says nothing of who wrote what is in it
		case l.Type == TypeSigned:
			if !signed {
				r.Verdict = Valid
			}
			signed, covered = true, covered || !l.Errant
			r.Verdict = worse(r.Verdict, l.Verdict)
		}
	}
	if r.overLimit {
		r.Verdict = Broken
		r.Reasons = append(r.Reasons, "there are more layers than the limit")
	}
	if signed && !covered {
		r.Verdict = worse(r.Verdict, Partial)
		r.Reasons = append(r.Reasons, "the signature does not cover all that is shown")
	}
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
