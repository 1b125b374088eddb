// Package policy decides, for each recipient of a message, whether it is signed and encrypted. It is pure: it looks nothing up.
package policy

import (
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Level is how much a protection is wanted. The zero Level is "not said".
type Level string

// The levels, weakest first.
const (
	Never      Level = "never"
	IfPossible Level = "if-possible"
	Require    Level = "require"
)

// Flags are what the sender of one message asked for, by subject tag or header.
type Flags struct {
	Sign    bool
	Encrypt bool
}

// Rule says what is wanted for messages that match all its conditions. An empty condition matches.
type Rule struct {
	Name      string
	Direction mail.Direction // empty: outgoing
	From      mail.Patterns  // matched against the single From address; nil: any
	To        mail.Patterns  // matched against the recipient; nil: any
	Sign      Level          // empty: this rule does not say
	Encrypt   Level          // empty: this rule does not say
}

// Recipient is what is known of one recipient.
type Recipient struct {
	Address    mail.Address
	Local      bool // in one of the company's own domains
	CanEncrypt bool // a usable certificate is at hand
	// Why says why CanEncrypt is false, in words for the sender: "no certificate is known".
	Why string
}

// Input is what a decision rests on.
type Input struct {
	Internal   bool         // the message comes from the company's side
	From       mail.Address // the single From address; zero where there is none or more than one
	CanSign    bool         // a signing key for From is at hand and the submitter may use it
	WhyNotSign string       // why CanSign is false, in words for the sender
	Flags      Flags
	Recipients []Recipient
}

// Decision is what one recipient's copy gets.
type Decision struct {
	Recipient mail.Address
	Direction mail.Direction
	Sign      bool
	Encrypt   bool
	SignRule  string // names what decided on signing: a rule, "flag", or "default"
	EncRule   string // names what decided on encryption
	Refusal   string // why the message must not be sent to this recipient; empty where it may
}
