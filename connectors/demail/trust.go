package demail

import (
	"context"
	"crypto/x509"
	"time"
)

// Trust decides whether the certificate of a provider is to be believed. It has anchors of its own: who may sign S/MIME is not therefore a
// De-Mail provider. It is safe for concurrent use.
type Trust interface {
	// Judge looks for a path to an anchor, and whether anything on it is revoked. What it cannot find out within ctx is StandingUndecided.
	Judge(ctx context.Context, c Claim) Verdict
}

// Claim is what a Trust is asked.
type Claim struct {
	Certificate *x509.Certificate   // whose key made a signature
	Others      []*x509.Certificate // that came along, in no order; nothing says that they belong to it
	Provider    Address             // the sender of the message, as far as it is known: an anchor may be good for one provider only
	At          time.Time           // when the signature has to be good
}

// Standing is what a Trust says of a certificate.
type Standing int

// The standings. The zero one is the one that believes nothing.
const (
	StandingUntrusted Standing = iota // no path to an anchor, expired, revoked, not for this
	StandingUndecided                 // whether it is revoked cannot be told at present
	StandingTrusted
)

// Verdict is the answer of a Trust.
type Verdict struct {
	Standing Standing
	Reason   string              // one line: which certificate, what is wrong with it
	Advice   string              // what an administrator does about it; may be empty
	Chain    []*x509.Certificate // from the issuer upwards, where a path was found: it belongs to the evidence
}

// State is what became of a signature, or of a digest.
type State int

// The states, from worst to best. Only StateTrusted is proof of anything.
const (
	StateMissing   State = iota // there is none
	StateBroken                 // it does not fit, or cannot be read
	StateHashed                 // a digest without a signature fits: nothing was damaged on the way, and anybody can have written it
	StateUntrusted              // the signature fits, and its certificate is not to be believed
	StateUndecided              // the signature fits, and what has to be known of its certificate is not to be had at present
	StateTrusted                // the signature fits, and its certificate is one of De-Mail's
)

// String names the state in a word.
func (s State) String() string {
	return [...]string{"missing", "broken", "hashed", "untrusted", "undecided", "trusted"}[max(0, min(int(s), 5))]
}

// Signature tells what was found of one.
type Signature struct {
	State       State
	Reason      string            // why it is not trusted: one line, fit for a log
	Certificate *x509.Certificate // that fits; nil where none does
	Verdict     Verdict           // on the certificate, where one fits
}

// Trusted reports whether it proves anything.
func (s Signature) Trusted() bool { return s.State == StateTrusted }

func broken(err error) Signature { return Signature{State: StateBroken, Reason: err.Error()} }

// Verifier verifies messages and confirmations. It is safe for concurrent use where its Trust and Now are.
type Verifier struct {
	Trust Trust            // nil: nothing is trusted
	Now   func() time.Time // when signatures have to be good; nil: now. Old evidence is verified as of the day it came.
}

// judge completes a signature that fits.
func (v Verifier) judge(ctx context.Context, c *x509.Certificate, others []*x509.Certificate, provider Address) Signature {
	s := Signature{State: StateUntrusted, Certificate: c}
	if v.Trust == nil {
		s.Verdict.Reason = "no authority is configured whose certificates De-Mail providers have"
	} else {
		now := time.Now
		if v.Now != nil {
			now = v.Now
		}
		s.Verdict = v.Trust.Judge(ctx, Claim{Certificate: c, Others: others, Provider: provider, At: now()})
	}
	s.Reason = s.Verdict.Reason
	switch s.Verdict.Standing {
	case StandingTrusted:
		s.State, s.Reason = StateTrusted, ""
	case StandingUndecided:
		s.State = StateUndecided
	case StandingUntrusted:
		if s.Reason == "" {
			s.Reason = "the certificate is not trusted"
		}
	}
	return s
}
