package configs

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// Rule says what is wanted for the messages that match it.
type Rule struct {
	// Names the rule in logs and explanations. Where it is absent: `rule` and its number.
	Name string `yaml:"name" example:"bank"`
	// `outgoing`; `internal` for mail from inside to the company's own domains; `incoming` for mail from outside.
	Direction mail.Direction `yaml:"direction" default:"outgoing" oneof:"outgoing internal incoming"`
	// The From addresses the rule is for; all where it is absent. With `encrypt: require` it is also for mail that has no
	// single From address.
	From mail.Patterns `yaml:"from" example:"[\"@hr.firma.example\", chef@firma.example]"`
	// The groups of the company's directory one of which the From address must be in for the rule, itself or by way of other groups: each by its
	// common name, its mail address or its distinguished name. All senders where it is absent; with `from` both must hold. See administration.md.
	FromGroups []string `yaml:"from_groups" example:"[Legal, \"CN=Board,OU=Groups,DC=firma,DC=example\"]"`
	// The recipients the rule is for; all where it is absent.
	To mail.Patterns `yaml:"to" example:"[bank.example]"`
	// The groups of the company's directory one of which the recipient must be in; for rules with the direction `internal` or `incoming`. With `to` both must hold.
	ToGroups []string `yaml:"to_groups" example:"[Board]"`
	// The kinds of messages the rule is for; all where it is absent. `meeting`: invitations, answers and
	// cancellations; `tnef`: what Outlook writes for Outlook only. Outlook does not understand them within a signature
	// or encryption, so `if-possible` leaves them as they are, unless a rule names their kind.
	Kinds []policy.Kind `yaml:"kinds" oneof:"meeting tnef" example:"[meeting, tnef]"`
	// The names of the listeners that took the message; all where it is absent. The name `pickup` is the folder for applications.
	Listener []string `yaml:"listener" example:"[exchange]"`
	// Conditions on the header, all of which must hold.
	Headers []RuleHeader `yaml:"headers" blank:"no"`
	// A text that the subject has in it; upper and lower case are the same.
	SubjectContains string `yaml:"subject_contains" example:"contract"`
	// A regular expression (RE2) that the subject matches; `(?i)` at its beginning leaves the case aside.
	SubjectMatches string `yaml:"subject_matches" example:"\"(?i)^(re: )?contract [0-9]+\""`
	// Messages that are larger than this.
	SizeOver Size `yaml:"size_over" min:"0 B" max:"1 GB" example:"10 MB"`
	// Messages that are smaller than this.
	SizeUnder Size `yaml:"size_under" min:"1 B" max:"1 GB" example:"1 MB"`
	// Messages with a part of one of these media types; `image/*` is any image.
	ContentTypes []string `yaml:"content_types" example:"[application/pdf, \"image/*\"]"`
	// Messages whose sender asked for one of these: `sign`, `encrypt`, `plain`, `no_sign`, `no_encrypt`, `tls`, `de_mail`.
	Flags []string `yaml:"flags" oneof:"sign encrypt plain no_sign no_encrypt tls de_mail" example:"[encrypt]"`
	// Messages that bear one of these labels.
	Labels []string `yaml:"labels" example:"[confidential]"`
	// Whether the rule only tells, in log and record, what it would have done.
	DryRun bool `yaml:"dry_run" default:"false"`
	Protection
	Handling
	// Why a message by this rule waits until a person has decided, in words for that person.
	Quarantine string `yaml:"quarantine" example:"\"more than 50 personal records\""`

	where string
	lines map[policy.Key]string
}

// RuleHeader is a condition on a field of the header: one of the fields of that name is there, has a text in it, or matches a regular expression.
type RuleHeader struct {
	// The name of the field.
	Name string `yaml:"name" required:"yes" example:"X-Project"`
	// A text that the value has in it; upper and lower case are the same.
	Contains string `yaml:"contains" example:"apollo"`
	// A regular expression (RE2) that the value matches; `(?i)` at its beginning leaves the case aside.
	Matches string `yaml:"matches" example:"\"^A-[0-9]+$\""`
}

// conditional reports whether there is a message that the rule is not for.
func (r *Rule) conditional() bool {
	who := r.From != nil || r.FromGroups != nil || r.To != nil || r.ToGroups != nil
	what := r.Kinds != nil || r.Headers != nil || r.SubjectContains != "" || r.SubjectMatches != "" || r.ContentTypes != nil || r.Flags != nil || r.Labels != nil
	return who || what || r.Listener != nil || r.SizeOver != 0 || r.SizeUnder != 0
}
