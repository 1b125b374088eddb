package smime

import (
	"errors"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime/cms"
)

// seen is what is known of a layer until it is known which header is shown, and so whom its signatures have
// to be of.
type seen struct {
	layer   Layer       // as far as it does not depend on that
	signed  *cms.Signed // of a signed layer that could be verified
	signers []judgedSigner
}

// judgedSigner is a signer whose signature and certificate were judged, and whom the message was not compared
// with yet.
type judgedSigner struct {
	SignerVerdict
	proven bool // the signature is right for the content
	wrong  bool // it is not
}

// judge judges the signers of all layers. A certificate takes time to judge: it is done once.
func (w *walker) judge() {
	judged := 0
	for i := range w.seen {
		s := w.seen[i].signed
		if s == nil {
			continue
		}
		for _, r := range s.Signers {
			v := judgeSignature(r)
			v.Others = s.Certificates
			if v.proven {
				judged++
				w.judgeCertificate(&v.SignerVerdict, s, judged)
			}
			w.seen[i].signers = append(w.seen[i].signers, v)
		}
	}
}

func (v *SignerVerdict) worsen(to Verdict, reasons ...string) {
	v.Verdict = worse(v.Verdict, to)
	v.Reasons = append(v.Reasons, reasons...)
}

// judgeSignature judges the signature alone.
func judgeSignature(r cms.SignerResult) judgedSigner {
	v := judgedSigner{SignerVerdict: SignerVerdict{
		Algorithm: r.Algorithm, SignedAt: r.SigningTime, Verdict: Valid, Certificate: r.Certificate, Capabilities: r.Capabilities,
		EncryptionKey: r.EncryptionKey,
	}}
	v.Issuer, v.Serial = identity(r.ID)
	if c := r.Certificate; c != nil {
		v.Subject, v.Issuer, v.Serial = x509x.Name(c.RawSubject), x509x.Name(c.RawIssuer), c.SerialNumber.Text(16)
	}
	switch {
	case r.Err == nil:
		v.proven = r.Certificate != nil
	case errors.Is(r.Err, cms.ErrNoCertificate):
		v.worsen(Untrusted, "the signer's certificate is not in the message, or cannot be read")
	case errors.Is(r.Err, cms.ErrUnsupported):
		v.worsen(Broken, "the signature needs an algorithm that is not supported")
	default:
		v.wrong = true
		v.worsen(Broken, "the signature does not fit the content")
	}
	if r.Weak {
		v.worsen(Weak, "the algorithm or the key is too weak")
	}
	return v
}

// judgeCertificate asks the judge about the nth signer.
func (w *walker) judgeCertificate(v *SignerVerdict, s *cms.Signed, n int) {
	if w.o.Judge == nil {
		v.worsen(Untrusted, "no trust is configured")
	} else if n > w.o.Limits.Signers {
		v.worsen(Untrusted, "the message has more signers than are judged")
	} else if verdict, reasons := w.o.Judge(w.ctx, v.Certificate, s.Certificates, w.o.Now); verdict != Valid {
		v.worsen(verdict, reasons...)
	}
}

// compare judges a signer as that of a message from someone.
func (w *walker) compare(j judgedSigner, from sender) SignerVerdict {
	v := j.SignerVerdict
	v.Reasons = slices.Clone(v.Reasons)
	if v.Certificate == nil {
		return v
	}
	all := addresses(v.Certificate)
	v.Address = from.matched(all)
	if !j.proven {
		return v
	}
	switch {
	case from.problem != "":
		v.worsen(Mismatch, from.problem)
	case !slices.ContainsFunc(all, from.is) && (w.o.Stands == nil || !w.o.Stands(v.Certificate, from.address)):
		v.worsen(Mismatch, "the certificate is not for "+from.address)
	}
	at := v.SignedAt
	if at.IsZero() {
		return v
	}
	if at.After(w.o.Now.Add(futureTolerance)) {
		v.worsen(Time, "the claimed signing time is in the future")
	}
	if at.Before(v.Certificate.NotBefore) || at.After(v.Certificate.NotAfter) {
		v.worsen(Time, "the certificate was not valid at the claimed signing time")
	}
	if slices.ContainsFunc(from.dates, func(d time.Time) bool { return at.Sub(d).Abs() > dateTolerance }) {
		v.worsen(Time, "the claimed signing time contradicts Date")
	}
	return v
}

// is tells whether an address is the sender's.
func (s sender) is(addr string) bool { return sameAddress(addr, s.address) }

// matched is the address that equals From, else the first.
func (s sender) matched(all []string) string {
	if i := slices.IndexFunc(all, s.is); i >= 0 {
		return all[i]
	}
	if len(all) > 0 {
		return all[0]
	}
	return ""
}

// conclude judges all layers of a message that is shown as from someone, and the message by them.
func (w *walker) conclude(from sender) {
	for i, s := range w.seen {
		l := s.layer
		if s.signed != nil {
			l = w.signedLayer(s, from)
		}
		w.opened.Layers[i] = l
	}
	w.opened.conclude()
}

// signedLayer judges a SignedData. The layer is worth what the best of its signers is: one right signature
// of the sender over the content is proof, whatever others are put beside it. One that is put beside it and is
// not a signature over the content tells that somebody was at the message.
func (w *walker) signedLayer(s seen, from sender) Layer {
	l := s.layer
	l.Reasons = slices.Clone(l.Reasons)
	best := Unsigned
	for i, j := range s.signers {
		v := w.compare(j, from)
		l.Signers = append(l.Signers, v)
		if i == 0 || rank(v.Verdict) < rank(best) {
			best = v.Verdict
		}
	}
	l.Verdict = worse(l.Verdict, best)
	if len(s.signers) == 0 {
		l.Reasons = append(l.Reasons, "there is no signer")
	}
	if best != Broken && slices.ContainsFunc(s.signers, func(j judgedSigner) bool { return j.wrong }) {
		l.worsen(Broken, "one of the signatures does not fit the content")
	}
	if s.signed.ContentType != "data" { // RFC 8551, 2.4.2
		l.worsen(Broken, "what is signed is not a message")
	}
	return l
}

// conclude derives the message's verdict from its layers: the worst of its signatures, and Partial at best
// where no signature covers all of what is delivered.
func (r *Report) conclude() {
	r.Verdict, r.Reasons = Unsigned, nil
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

// covering are the signed layers around all that the last opened envelope holds, or around all of the message
// where none was opened.
func (r *Report) covering() []Layer {
	var out []Layer
	for _, l := range r.Layers {
		switch {
		case l.Decrypted:
			out = nil
		case l.Type == TypeSigned && !l.Errant:
			out = append(out, l)
		}
	}
	return out
}
