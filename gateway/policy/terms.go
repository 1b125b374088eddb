package policy

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// Kind is what a message is, where programs expect to find that on its outside. The zero Kind is any other mail.
type Kind string

// The kinds.
const (
	Meeting Kind = "meeting" // an invitation, an answer to one, a cancellation (RFC 6047)
	TNEF    Kind = "tnef"    // what Outlook writes for Outlook (application/ms-tnef)
)

// Terms are how a message is protected, apart from how much. Each may be said by another rule; what no rule says is
// left to the profile.
type Terms struct {
	Profile smime.Profile // empty: smime.Compatible
	Wish    smime.Wish
	Opaque  smime.Answer // signed mail is an opaque SignedData; No: multipart/signed, which is readable without S/MIME
	ToSelf  smime.Answer // encrypted mail is encrypted to the sender's own certificate as well
	Missing Missing      // what becomes of it where it must be encrypted and no certificate is known; empty: Refuse
}

// fill takes from other what t does not say.
func (t *Terms) fill(other Terms) {
	fill(&t.Profile, other.Profile)
	fill(&t.Wish.Algorithm, other.Wish.Algorithm)
	fill(&t.Wish.OAEP, other.Wish.OAEP)
	fill(&t.Wish.PSS, other.Wish.PSS)
	fill(&t.Wish.Headers, other.Wish.Headers)
	fill(&t.Wish.Obscure, other.Wish.Obscure)
	fill(&t.Opaque, other.Opaque)
	fill(&t.ToSelf, other.ToSelf)
	fill(&t.Missing, other.Missing)
}

func fill[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}

// Terms returns how mail to each recipient of in is protected, in their order. It depends on who writes to whom and on the kind
// of the message, not on certificates and flags.
func (p *Policy) Terms(in Input) []Terms {
	candidates := map[mail.Direction][]*Rule{}
	out := make([]Terms, len(in.Recipients))
	for i, r := range in.Recipients {
		d := direction(in.Internal, r.Local)
		if d == mail.Incoming {
			continue
		}
		rules, ok := candidates[d]
		if !ok {
			rules = p.from(d, &in)
			candidates[d] = rules
		}
		out[i], _ = p.terms(rules, in.Kind, r)
	}
	return out
}

// terms also returns what decided on the profile.
func (p *Policy) terms(rules []*Rule, kind Kind, r Recipient) (t Terms, profileRule string) {
	to := lower(r.Address)
	profileRule = ByDefault
	for _, rule := range rules {
		if rule.Terms == (Terms{}) || !rule.isFor(kind) || rule.To != nil && !rule.To.Match(to) {
			continue
		}
		if t.Profile == "" && rule.Terms.Profile != "" {
			profileRule = rule.Name
		}
		t.fill(rule.Terms)
	}
	t.fill(p.otherwise)
	if t.Profile == "" {
		t.Profile = smime.Compatible
	}
	if r.AtLeast.Profile == smime.TR03116 && t.Profile != smime.TR03116 {
		t.Profile, profileRule = smime.TR03116, ByEarlier
	}
	return t, profileRule
}

// isFor reports whether a rule is for messages of a kind.
func (r *Rule) isFor(kind Kind) bool { return r.Kinds == nil || r.names(kind) }

// names reports whether a rule is made for messages of a kind.
func (r *Rule) names(kind Kind) bool {
	for _, k := range r.Kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// checkTerms says what is wrong with a rule's terms; empty where nothing is.
func (r Rule) checkTerms() string {
	for _, k := range r.Kinds {
		if k != Meeting && k != TNEF {
			return fmt.Sprintf("%q is no kind of message; write %s or %s", k, Meeting, TNEF)
		}
	}
	if m := r.Terms.Missing; m != "" && m != Refuse && m != Ask {
		return fmt.Sprintf("%q is not what may become of a message without a certificate; write %s or %s", m, Refuse, Ask)
	}
	if p := r.Terms.Profile; p != "" {
		if _, err := smime.ParseProfile(string(p)); err != nil {
			return err.Error()
		}
	}
	return ""
}
