package smime

import (
	"github.com/siegel-mail/siegel/smime/entity"
)

// settle decides which header is shown and judges the message by it: the protected one where it can be
// believed, else the outer one. It returns that header.
func (w *walker) settle(p *protectedHeader, outer entity.Header) entity.Header {
	w.judge()
	w.conclude(senderOf(outer))
	if p == nil {
		return outer
	}
	report := &HeaderReport{Form: p.form, Differences: p.differences(outer)}
	w.opened.Headers = report
	if report.Reason = p.problem; report.Reason == "" {
		report.Reason = w.unprotected(p)
	}
	if report.Reason != "" {
		return outer
	}
	header := p.over(outer)
	w.conclude(senderOf(header))
	if !w.isFrom(header, outer) && w.opened.Verdict != Valid {
		// The protected From is not proven to be the sender's, and what the world judged is another one
		// (RFC 9788, 4.4). No field of a message that may be a copy under another's name comes out of it:
		// answers, automatic ones too, would take it to that other.
		w.conclude(senderOf(outer))
		report.Reason = "the protected From is another than the one outside, and the signature is not its owner's"
		if w.opened.Verdict != Unsigned {
			w.opened.Verdict = worse(w.opened.Verdict, Mismatch)
			w.opened.Reasons = append(w.opened.Reasons, "the message was written as from somebody else")
		}
		return outer
	}
	report.Applied = true
	return header
}

// isFrom tells whether two headers are of one author, as far as an address says that.
func (w *walker) isFrom(a, b entity.Header) bool {
	first, _ := author(a)
	second, _ := author(b)
	return sameAddress(first, second)
}

// unprotected says why nothing protects the fields of p; empty where something does.
func (w *walker) unprotected(p *protectedHeader) string {
	around := w.opened.covering()
	switch {
	case len(around) == 0 && p.form == HeadersClear:
		return "no signature covers the protected header" // RFC 9788, 2.1.1
	case len(around) == 0:
		return "" // an envelope does
	}
	for _, l := range around {
		if l.Verdict != Broken && l.Verdict != Weak && l.Verdict != Unsigned {
			return ""
		}
	}
	return "the signature over the protected header proves nothing"
}
