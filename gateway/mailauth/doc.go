// Package mailauth judges whether mail from outside comes from whom it names, and signs mail that leaves; it
// refuses nothing itself.
//
// A [Checker] looks at the outside of a message, before anything is decrypted: SPF (RFC 7208), DKIM (RFC 6376)
// and DMARC (RFC 7489). Its [Result] becomes an Authentication-Results field (RFC 8601) and, by a [Policy], an
// [Action] for others to take. [Sign] is the last step of a message on its way out.
package mailauth

import "net/netip"

// Status is the result of one method, in the words of RFC 8601, 2.7.
type Status string

// The statuses. TempError may pass when the message is sent again; PermError will not.
const (
	None         Status = "none"      // there is nothing to check: no record, no signature
	Pass         Status = "pass"      // confirmed
	Fail         Status = "fail"      // refuted
	SoftFail     Status = "softfail"  // SPF: probably refuted
	Neutral      Status = "neutral"   // SPF: the domain says neither
	Unacceptable Status = "policy"    // DKIM: there is a signature, but not one that we accept
	TempError    Status = "temperror" // DNS did not answer
	PermError    Status = "permerror" // a record or a signature cannot be understood
)

// Result is what is known about the origin of a message.
type Result struct {
	SPF SPF `json:"spf"`
	// DKIM has one entry for each signature that was looked at, in the order of the header.
	DKIM []DKIM `json:"dkim,omitempty"`
	// Unseen is how many more signatures there are: see [Options.MaxSignatures].
	Unseen int   `json:"unseen,omitempty"`
	DMARC  DMARC `json:"dmarc"`
	// Unconfirmed are those domains in From for which neither SPF nor DKIM has passed, whether or not they
	// publish a policy.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
}

// SPF says whether a client may send mail for a domain.
type SPF struct {
	Status Status     `json:"status"`
	Domain string     `json:"domain,omitempty"` // whose policy it is; empty where there is none to ask
	Client netip.Addr `json:"client,omitzero"`
	Sender string     `json:"sender,omitempty"` // the reverse-path; empty for the null one
	// Helo tells that the reverse-path is null, and so the name given with HELO was checked (RFC 7208, 2.4).
	Helo   bool   `json:"helo,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// DKIM is what came of one signature. What the signature says of itself is checked for its form only.
type DKIM struct {
	Status     Status `json:"status"`
	Domain     string `json:"domain,omitempty"`     // d=; empty where it is no domain name
	Selector   string `json:"selector,omitempty"`   // s=
	Identifier string `json:"identifier,omitempty"` // i=, where it is given and plain
	Algorithm  string `json:"algorithm,omitempty"`  // a=: "rsa-sha256"
	Bits       int    `json:"bits,omitempty"`       // of an RSA key that was found
	Testing    bool   `json:"testing,omitempty"`    // the key says that its domain is testing DKIM (RFC 6376, 3.6.1: t=y)
	Reason     string `json:"reason,omitempty"`     // why it is no pass
	mark       string // the first characters of b=, which tell signatures of one domain apart (RFC 6008)
}

// DMARC says whether SPF or DKIM confirms the author, and what the author's domain wants done where none does.
type DMARC struct {
	Status Status `json:"status"`
	// Domain is that of the author; the one that decided where From names several.
	Domain string `json:"domain,omitempty"`
	Record string `json:"record,omitempty"` // the domain that publishes the policy: this one or its organisational domain
	// Policy is what the record asks for in case of a failure: Nothing, Quarantine or Reject; empty without a record.
	Policy Disposition `json:"policy,omitempty"`
	// Apply is what it asks for this message: less than Policy where the record wants it applied to a part
	// of the mail only (RFC 7489, 6.6.4).
	Apply       Disposition `json:"apply,omitempty"`
	AlignedSPF  bool        `json:"alignedSPF,omitempty"`  // SPF passed for the author's domain
	AlignedDKIM bool        `json:"alignedDKIM,omitempty"` // a signature of the author's domain passed
	// BadFrom tells that there is not exactly one From field that can be read. Status is PermError then.
	BadFrom bool   `json:"badFrom,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// Disposition is what is to be done with a message.
type Disposition string

// The dispositions, from the mildest to the hardest.
const (
	Nothing    Disposition = "none"
	Mark       Disposition = "mark"       // deliver, so that its recipient sees the doubt
	Quarantine Disposition = "quarantine" // keep it from its recipient until somebody has looked
	Defer      Disposition = "temporary"  // refuse for now
	Reject     Disposition = "reject"     // refuse
	// Published stands for what the author's domain asks for. It is a value for [Policy.DMARCFail] only.
	Published Disposition = "published"
)
