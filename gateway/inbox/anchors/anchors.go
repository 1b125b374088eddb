// Package anchors decides which certificates of De-Mail's providers are believed, by authorities that are De-Mail's alone. It reads no messages.
package anchors

import (
	"context"
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Trust is a demail.Trust. It never changes, and is safe for concurrent use.
type Trust struct {
	validator *certs.Validator
	none      bool
}

var _ demail.Trust = (*Trust)(nil)

// New returns a Trust that believes what leads to one of these authorities, and nothing else: who may sign mail is not therefore a provider
// of De-Mail, so neither the machine's authorities nor those of S/MIME count. A provider's own certificate may be among them. revoked tells which
// certificates are revoked; nil: nobody is asked. Without authorities nothing is believed.
func New(authorities []*x509.Certificate, revoked certs.Revocation) *Trust {
	v := certs.NewValidator(authorities, nil)
	if revoked != nil {
		v = v.WithRevocation(revoked)
	}
	return &Trust{validator: v, none: len(authorities) == 0}
}

// Judge implements demail.Trust: a path as RFC 5280, 6 has it, a key usage of signatures, and where the certificate has extended key usages that of
// mail, so that one for TLS confirms nothing (TR-01201 1.4, 4). A certificate of which its authority should tell whether it is revoked, and
// does not at present, is undecided also where mail would be taken: what is evidence for years can wait a while.
func (t *Trust) Judge(ctx context.Context, c demail.Claim) demail.Verdict {
	if t.none {
		return demail.Verdict{
			Reason: "no authority is configured whose certificates De-Mail providers have",
			Advice: "get the certificates of the authorities from the provider, compare them by another way, and name their file under demail.anchors",
		}
	}
	r := t.validator.Validate(ctx, c.Certificate, c.Others, certs.Sign, "", c.At)
	v := demail.Verdict{Standing: demail.StandingTrusted}
	if len(r.Chain) > 1 {
		v.Chain = r.Chain[1:]
	}
	unasked := unknown(r.Faults)
	switch {
	case r.Valid() && unasked == nil:
		return v
	case r.Valid():
		v.Standing, v.Reason, v.Advice = demail.StandingUndecided, unasked.Reason, unasked.Advice
	default:
		v.Standing, v.Reason, v.Advice = demail.StandingUntrusted, r.Faults[0].Reason, r.Faults[0].Advice
		if r.Away != nil {
			v.Standing = demail.StandingUndecided
		}
	}
	return v
}

// unknown is the remark that somebody who should tell whether a certificate is revoked does not; nil where there is none.
func unknown(faults []certs.Fault) *certs.Fault {
	for i, f := range faults {
		if f.Status == certs.StatusValid && f.Check == certs.CheckRevocation {
			return &faults[i]
		}
	}
	return nil
}
