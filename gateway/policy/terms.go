package policy

import "github.com/siegel-mail/siegel/smime"

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
