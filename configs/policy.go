package configs

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Algorithm is the content encryption of outgoing mail.
type Algorithm = cms.Algorithm

// Maybe is yes, no or, where the key is absent, neither: "true", "false" or "".
type Maybe string

// Answer is m as package smime has it.
func (m Maybe) Answer() smime.Answer {
	switch m {
	case "true":
		return smime.Yes
	case "false":
		return smime.No
	}
	return smime.NotSaid
}

// Or is m, or fallback where it says neither.
func (m Maybe) Or(fallback bool) bool {
	if m == "" {
		return fallback
	}
	return m == "true"
}

// Signature is how RSA keys sign.
type Signature string

// The ways in which RSA keys sign.
const (
	SignPSS   Signature = "pss"
	SignPKCS1 Signature = "pkcs1"
)

// Subject is what shows of the subject on the outside of encrypted mail.
type Subject string

// What shows of the subject.
const (
	SubjectObscured Subject = "obscured"
	SubjectVisible  Subject = "visible"
)

// Form is the form of signed mail.
type Form string

// The forms of signed mail.
const (
	FormClear  Form = "clear"  // multipart/signed (RFC 8551, 3.5.3)
	FormOpaque Form = "opaque" // application/pkcs7-mime (RFC 8551, 3.5.2)
)

// Policy is what is signed and encrypted.
type Policy struct {
	// Decided from top to bottom: for signing and for encrypting the first rule that matches and says
	// something decides.
	Rules []Rule `yaml:"rules"`
	// What holds for outgoing mail where no rule says anything.
	Default PolicyDefault `yaml:"default"`
	// What a user inside may write at the beginning or end of a subject to ask for protection.
	Tags Tags `yaml:"tags"`
	// Names for what users, or their programs, have classified, for the conditions of rules.
	Labels []Label `yaml:"labels"`
	// What is put before the subject of incoming mail, so that a reader sees what the gateway found.
	MarkSubject MarkSubject `yaml:"mark_subject"`
	// The content encryption where no rule says any: `aes128-cbc`, `aes256-cbc`, `aes128-gcm` or `aes256-gcm`. Where it is
	// absent it is what the recipient's program is known to prefer, else what the profile has.
	Algorithm Algorithm `yaml:"algorithm" oneof:"aes128-cbc aes256-cbc aes128-gcm aes256-gcm" example:"aes256-gcm"`
	// The name of the directory under `certificates.directories` that knows the groups of `rules[].from_groups`. Where it is absent: that of
	// `recipients.directory`.
	Directory string `yaml:"directory" example:"company"`
	// How long it counts what the directory said of the groups of one address.
	GroupsFor time.Duration `yaml:"groups_for" default:"5m" min:"10s" max:"1h"`
}

// PolicyDefault is what holds where no rule says anything.
type PolicyDefault struct {
	// Signing: `never`, `if-possible`, `require`.
	Sign policy.Level `yaml:"sign" default:"if-possible" oneof:"never if-possible require"`
	// Encryption: `never`, `if-possible`, `require`.
	Encrypt policy.Level `yaml:"encrypt" default:"if-possible" oneof:"never if-possible require"`
	// The algorithms: `compatible`, `rfc8551` or `bsi-tr-03116-4`. See administration.md.
	Profile smime.Profile `yaml:"profile" default:"compatible" oneof:"compatible rfc8551 bsi-tr-03116-4"`
	// RSAES-OAEP for the content key of recipients with RSA keys, in place of PKCS #1 v1.5.
	OAEP Maybe `yaml:"oaep" example:"true"`
	// How RSA keys sign: `pss` (RSASSA-PSS) or `pkcs1` (PKCS #1 v1.5). Other keys know one way only.
	Signature Signature `yaml:"signature" oneof:"pss pkcs1" example:"pss"`
	// Whether the fields of the header are protected along with the content (RFC 9788).
	HeaderProtection Maybe `yaml:"header_protection" example:"true"`
	// The subject of encrypted mail on its outside: `obscured` is `[...]` for all who cannot decrypt it, which needs
	// programs that know header protection; `visible` leaves it.
	Subject Subject `yaml:"subject" oneof:"obscured visible" example:"obscured"`
	// How mail is signed: `clear` is multipart/signed, which everybody can read; `opaque` gets through where servers on
	// the way rewrite mail, but nothing of it can be read without S/MIME.
	Form Form `yaml:"form" oneof:"clear opaque" default:"clear"`
	// Whether encrypted mail is encrypted to the sender's own certificate, too, where there is one, so that the sender can
	// read what was sent.
	EncryptToSelf Maybe `yaml:"encrypt_to_self" default:"false"`
	// What becomes of mail that must be encrypted to a recipient of whom no usable certificate is known: `refuse` tells its sender at once;
	// `ask` keeps it waiting and asks the recipient for a signed message, see `certificates.find.ask`.
	OnMissing policy.Missing `yaml:"on_missing" default:"refuse" oneof:"refuse ask"`
}

// Rule says what is wanted for the messages that match it.
type Rule struct {
	// Names the rule in logs and explanations. Where it is absent: `rule` and its number.
	Name string `yaml:"name" example:"bank"`
	// `outgoing`, or `internal` for mail from inside to the company's own domains.
	Direction mail.Direction `yaml:"direction" default:"outgoing" oneof:"outgoing internal"`
	// The From addresses the rule is for; all where it is absent. With `encrypt: require` it is also for mail that has no
	// single From address.
	From mail.Patterns `yaml:"from" example:"[\"@hr.firma.example\", chef@firma.example]"`
	// The groups of the company's directory one of which the From address must be in for the rule, itself or by way of other groups: each by its
	// common name, its mail address or its distinguished name. All senders where it is absent; with `from` both must hold. See administration.md.
	FromGroups []string `yaml:"from_groups" example:"[Legal, \"CN=Board,OU=Groups,DC=firma,DC=example\"]"`
	// The recipients the rule is for; all where it is absent.
	To mail.Patterns `yaml:"to" example:"[bank.example]"`
	// The kinds of messages the rule is for; all where it is absent. `meeting`: invitations, answers and
	// cancellations; `tnef`: what Outlook writes for Outlook only. Outlook does not understand them within a signature
	// or encryption, so `if-possible` leaves them as they are, unless a rule names their kind.
	Kinds []policy.Kind `yaml:"kinds" oneof:"meeting tnef" example:"[meeting, tnef]"`
	// Signing: `never`, `if-possible`, `require`. `require` refuses what cannot be signed.
	Sign policy.Level `yaml:"sign" oneof:"never if-possible require" example:"require"`
	// Encryption: `never`, `if-possible`, `require`. `require` refuses what cannot be encrypted.
	Encrypt policy.Level `yaml:"encrypt" oneof:"never if-possible require" example:"require"`
	// What each connection that the message goes over must give, whatever the route asks for: `required`, TLS; `verified`, TLS with a
	// server that proves who it is. Mail that cannot get it waits and is returned. See tls.md.
	TLS mail.TLSLevel `yaml:"tls" oneof:"required verified" example:"verified"`
	// The algorithms: `compatible`, `rfc8551` or `bsi-tr-03116-4`. See administration.md.
	Profile smime.Profile `yaml:"profile" oneof:"compatible rfc8551 bsi-tr-03116-4" example:"rfc8551"`
	// The content encryption: `aes128-cbc`, `aes256-cbc`, which every program reads, or `aes128-gcm`,
	// `aes256-gcm`, which also guard against alteration, and which older programs do not read.
	Algorithm Algorithm `yaml:"algorithm" oneof:"aes128-cbc aes256-cbc aes128-gcm aes256-gcm" example:"aes256-gcm"`
	// RSAES-OAEP for the content key of recipients with RSA keys, in place of PKCS #1 v1.5.
	OAEP Maybe `yaml:"oaep" example:"true"`
	// How RSA keys sign: `pss` (RSASSA-PSS) or `pkcs1` (PKCS #1 v1.5). Other keys know one way only.
	Signature Signature `yaml:"signature" oneof:"pss pkcs1" example:"pss"`
	// Whether the fields of the header are protected along with the content (RFC 9788).
	HeaderProtection Maybe `yaml:"header_protection" example:"true"`
	// The subject of encrypted mail on its outside: `obscured` is `[...]` for all who cannot decrypt it, which needs
	// programs that know header protection; `visible` leaves it.
	Subject Subject `yaml:"subject" oneof:"obscured visible" example:"obscured"`
	// How mail is signed: `clear` is multipart/signed, which everybody can read; `opaque` gets through where servers on
	// the way rewrite mail, but nothing of it can be read without S/MIME.
	Form Form `yaml:"form" oneof:"clear opaque" example:"opaque"`
	// Whether encrypted mail is encrypted to the sender's own certificate, too, where there is one, so that the sender can
	// read what was sent.
	EncryptToSelf Maybe `yaml:"encrypt_to_self" example:"true"`
	// What becomes of mail that must be encrypted to a recipient of whom no usable certificate is known: `refuse` tells its sender at once;
	// `ask` keeps it waiting and asks the recipient for a signed message, see `certificates.find.ask`.
	OnMissing policy.Missing `yaml:"on_missing" oneof:"refuse ask" example:"ask"`
}

// MarkSubject is what is put before the subject of incoming mail. An empty text puts nothing.
type MarkSubject struct {
	// The message was encrypted.
	Encrypted string `yaml:"encrypted" example:"\"[encrypted]\""`
	// The signature is valid.
	Signed string `yaml:"signed" example:"\"[signed]\""`
	// There is a signature and it is not valid.
	Invalid string `yaml:"invalid" example:"\"[signature not valid]\""`
	// The origin of the message is in doubt: `authentication` says `mark`, or an operator released what was in
	// quarantine.
	Doubtful string `yaml:"doubtful" example:"\"[sender not confirmed]\""`
}

// Set returns the rules and what holds without any, as package policy has them.
func (p Policy) Set() ([]policy.Rule, policy.Defaults) {
	rules := make([]policy.Rule, 0, len(p.Rules))
	for _, r := range p.Rules {
		rules = append(rules, policy.Rule{
			Name: r.Name, Direction: r.Direction, From: r.From, Groups: r.FromGroups, To: r.To, Kinds: r.Kinds, Sign: r.Sign, Encrypt: r.Encrypt, TLS: r.TLS,
			Terms: terms(r.Profile, r.Algorithm, r.OAEP, r.Signature, r.HeaderProtection, r.Subject, r.Form, r.EncryptToSelf, r.OnMissing),
		})
	}
	d := p.Default
	return rules, policy.Defaults{
		Sign: d.Sign, Encrypt: d.Encrypt,
		Terms: terms(d.Profile, p.Algorithm, d.OAEP, d.Signature, d.HeaderProtection, d.Subject, d.Form, d.EncryptToSelf, d.OnMissing),
	}
}

// terms are the keys that a rule and the default have in common.
func terms(p smime.Profile, a Algorithm, oaep Maybe, s Signature, headers Maybe, subject Subject, form Form, self Maybe, missing policy.Missing) policy.Terms {
	return policy.Terms{
		Profile: p,
		Wish: smime.Wish{
			Algorithm: a, OAEP: oaep.Answer(), PSS: answer(s == SignPSS, s == SignPKCS1), Headers: headers.Answer(),
			Obscure: answer(subject == SubjectObscured, subject == SubjectVisible),
		},
		Opaque: answer(form == FormOpaque, form == FormClear), ToSelf: self.Answer(), Missing: missing,
	}
}

func answer(yes, no bool) smime.Answer {
	switch {
	case yes:
		return smime.Yes
	case no:
		return smime.No
	}
	return smime.NotSaid
}
