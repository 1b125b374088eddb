// Package policy decides, for each recipient of a message, whether it is signed and encrypted. It is pure: it looks nothing up.
package policy

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// Level is how much a protection is wanted. The zero Level is "not said".
type Level string

// The levels, weakest first.
const (
	Never      Level = "never"
	IfPossible Level = "if-possible"
	Require    Level = "require"
)

// ParseLevel reads a level without regard to case; a blank or an underscore may stand for the hyphen.
func ParseLevel(s string) (Level, error) {
	l := Level(strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(strings.TrimSpace(s))))
	if l.rank() == 0 {
		return "", fmt.Errorf("policy: %q is no level; write never, if-possible or require", s)
	}
	return l, nil
}

// UnmarshalText reads a level as [ParseLevel] does; the empty text is the zero Level.
func (l *Level) UnmarshalText(text []byte) (err error) {
	*l = ""
	if len(text) > 0 {
		*l, err = ParseLevel(string(text))
	}
	return err
}

// rank orders levels by strength; it is 0 for what is no level.
func (l Level) rank() int {
	switch l {
	case Never:
		return 1
	case IfPossible:
		return 2
	case Require:
		return 3
	}
	return 0
}

// Rule says what is wanted for messages that match all its conditions. An empty condition matches.
type Rule struct {
	Name      string         // empty: "rule N", N counting from 1
	Direction mail.Direction // empty: outgoing
	From      mail.Patterns  // matched against the single From address, also by none where Encrypt is Require; nil: any
	Groups    []string       // one of which the single From address is in, see Input.Groups; without one as From. nil: any
	To        mail.Patterns  // matched against the recipient; nil: any
	ToGroups  []string       // one of which the recipient is in, see Recipient.Groups; nil: any
	Kinds     []Kind         // of the message; nil: any
	Listeners []string       // names of those that took the message; nil: any
	Headers   []Field        // all of which match; nil: any
	Subject   Field          // without a name; zero: any
	SizeOver  int64          // bytes that the message has more than; 0: any
	SizeUnder int64          // bytes that the message has less than; 0: any
	// ContentTypes are media types one of which a part of the message has: "application/pdf", "image/*"; nil: any.
	ContentTypes []string
	Flags        []string // one of which the sender set: "sign", "encrypt", "plain", "no_sign", "no_encrypt", "tls", "de_mail"; nil: any
	Labels       []string // one of which the message bears, see Flags.Labels; nil: any
	DryRun       bool     // it changes nothing; Decision.Dry tells what it would have done
	Settings              // what is not said in it this rule does not say
}

// Levels are how much of each protection is wanted for one recipient.
type Levels struct {
	Sign    Level `json:"sign"`
	Encrypt Level `json:"encrypt"`
	// Profile is the profile that was in force. Only smime.TR03116 binds later.
	Profile smime.Profile `json:"profile,omitempty"`
	// TLS is what is demanded of each hop.
	TLS mail.TLSLevel `json:"tls,omitempty"`
	// Missing is what becomes of the message where it must be encrypted and cannot be.
	Missing Missing `json:"on_missing,omitempty"`
}

// Recipient is what is known of one recipient.
type Recipient struct {
	Address mail.Address
	Local   bool // in one of the company's own domains
	// DeMail: its copy leaves as De-Mail. Where no rule names its recipients it is not signed and not encrypted, unless the sender asks for that, or a rule
	// demands encryption of everybody.
	DeMail     bool
	CanEncrypt bool // a usable certificate is at hand
	// Why says why CanEncrypt is false: one of the reasons of [texts.EncryptImpossible]. It may be empty.
	Why texts.ID
	// Unfit says why a certificate that is at hand is not good enough for the profile that [Policy.Terms] gives: what is
	// wanted, if only where it is possible, is refused and not sent weaker. Zero where it is.
	Unfit texts.Reason
	// UnfitSigner is Unfit for the sender's certificate.
	UnfitSigner texts.Reason
	Groups      []string // of the company's directory that it is in, as rules and entries name them, of those that [Policy.AsksTo] returns
	// NoAsk: it must not be asked for a certificate, as an address of a list, or by who wrote the message.
	NoAsk bool
	// AtLeast are levels that were in force when the message was accepted, where that was earlier. What the
	// policy wants now may be more, and does not count where it is less.
	AtLeast Levels
}

// Input is what a decision rests on.
type Input struct {
	Internal   bool         // the message comes from the company's side
	From       mail.Address // the single From address; zero where there is none or more than one
	Groups     []string     // those that From is in, as rules name them, of those that [Policy.Asks] returns
	CanSign    bool         // a signing key for From is at hand and the submitter may use it
	WhyNotSign texts.Reason // why CanSign is false: one of those of texts.SignImpossible; may be zero
	MayUse     bool         // the submitter may use From; who may not lowers nothing
	Flags      Flags
	Kind       Kind
	Listener   string // that took the message
	Size       int64  // of the message in bytes
	Subject    string // decoded; of a message with several fields of the name each, with line ends between them
	Header     Header // for rules that look at it; nil: there is none
	// ContentTypes are the media types of the message and its parts, in lower case and without parameters.
	ContentTypes []string
	Explain      bool // fill in Decision.Sources
	Recipients   []Recipient
}

// What names the origin of a level where it was no rule.
const (
	ByFlag    = "flag"
	ByDefault = "default" // of the company, or of the factory
	ByCompany = "company" // as Source has it
	ByFactory = "factory"
	ByEarlier = "earlier" // the level that was in force when the message was accepted
	// ByKind: "if-possible" of a rule for any mail, where the message is of a [Kind] that would not be understood
	// any more.
	ByKind = "kind"
)

// Decision is what one recipient's copy gets.
type Decision struct {
	Recipient mail.Address
	Direction mail.Direction
	Sign      bool
	Encrypt   bool
	SignRule  string        // names what decided on signing: a rule, ByFlag or ByDefault
	EncRule   string        // names what decided on encryption
	TLS       mail.TLSLevel // what the copy demands of each hop
	TLSRule   string        // names what decided on it; empty where nothing did
	Levels    Levels        // that decided
	Terms     Terms         // how it is protected
	ProRule   string        // names what decided on the profile
	Settings  Settings      // the values in force, of every key that is for the direction
	// Lowered are the keys whose defaults the sender's flags lowered.
	Lowered []Key
	// Sources are where each value came from, in the order of the keys, where Input.Explain asks for it.
	Sources []Source
	// Dry is what rules with DryRun would have changed, had they counted: the values that would hold.
	Dry []Source
	// Ask says that the copy waits for a certificate of the recipient, who is asked for one ([Missing]); AskRule names what
	// decided that. Encrypt is set, and Refusal nil.
	Ask     bool
	AskRule string
	// Missed is SendTLS or SendPlain where the copy should be encrypted, and leaves without, since no certificate of the recipient is known; AskRule names what
	// decided that. Encrypt is not set.
	Missed Missing
	// Refusal tells its sender why the message must not be sent to this recipient; nil where it may be sent. Sign and
	// Encrypt then tell what was demanded.
	Refusal *texts.Said
}
