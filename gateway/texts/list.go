package texts

import (
	"slices"
	"time"
)

// About is a text as administrators look at it.
type About struct {
	ID           ID
	When         string   // it is said
	SMTP, Notice bool     // the forms that it has of its own; every text may stand in a notice
	Outside      bool     // it is for whoever sends to the company
	Either       bool     // it may be for them, and for users inside
	Changed      bool     // by an administrator
	Placeholders []string // that it may have, without braces
	Samples      []Values // with each phrase that it may show
}

// About tells of a text; false where there is none of that ID.
func (t *Texts) About(id ID) (About, bool) {
	e, ok := catalogue[id]
	if !ok {
		return About{}, false
	}
	a := About{ID: id, When: e.about, SMTP: e.smtp != (Pair{}), Notice: e.notice != (Pair{}), Outside: e.outside, Either: e.either, Placeholders: e.may(), Samples: e.samples()}
	if t != nil {
		_, a.Changed = t.over[id]
	}
	return a, true
}

// In is what SMTP says in a language; empty where the text is for notices alone.
func (t *Texts) In(l Language, id ID, v Values) string {
	e, _ := t.entry(id)
	if e.smtp == (Pair{}) {
		return ""
	}
	return t.writer(l, true).line(e.smtp.In(l), &v, MaxSMTP)
}

// samples are values as they may be, each phrase at least once.
func (e entry) samples() (all []Values) {
	zone := time.FixedZone("", 3600)
	v := Values{
		Recipient: "b@partner.example", Sender: "a@firma.example", Address: "a@firma.de-mail.de", Rule: "bank", Detail: "RSA 2048 (bsi-tr-03116-4: 3072)",
		Account: "main", Host: "mail.firma.example", Number: "06h1hpgu760to06v2j6d", Size: 30 << 20, Limit: 20 << 20, Count: 3, Most: 100, Left: 1,
		Date: time.Date(2026, 12, 24, 9, 30, 0, 0, zone), Until: time.Date(2026, 12, 24, 18, 0, 0, 0, zone), Lines: []string{"one", "two"},
		Kinds: e.kinds[:min(len(e.kinds), 2)],
	}
	because, reasons := orNone(e.because), orNone(e.reasons)
	for i := range max(len(because), len(reasons)) {
		v.Because, v.Reason = because[i%len(because)], reasons[i%len(reasons)]
		if v.Detail = e.detail; v.Detail == "" {
			v.Detail = sampleDetail(v.Reason)
		}
		all = append(all, v)
	}
	return all
}

// sampleDetail is a detail as a phrase may show it.
func sampleDetail(reason ID) string {
	switch reason {
	case ReasonNoKey, ReasonNotYours, ReasonKeyAway, ReasonKeySlow, ReasonGroupsAway, ReasonGroupsSlow:
		return "a@firma.example"
	case ReasonCertificateAway, ReasonCertificateSlow, ReasonAsked:
		return "b@partner.example"
	case ReasonProgram:
		return "AES-GCM (bsi-tr-03116-4)"
	case ReasonContrary:
		return "PKCS #1 v1.5 (bsi-tr-03116-4)"
	case DeMailUnknown:
		return "registered"
	case DeMailUnusable:
		return "m?ller@firma.de-mail.de"
	case DeMailProviders:
		return "meldung@firma.de-mail.de"
	case DeMailOption, DeMailNotEntitled:
		return "receipt"
	}
	return "RSA 2048 (bsi-tr-03116-4: 3072)"
}

// IDs are all texts, by their names.
func IDs() []ID {
	ids := make([]ID, 0, len(catalogue))
	for id := range catalogue {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
