package configs

import (
	"time"

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
	// Decided from top to bottom: for each key on its own the first rule that matches and says it decides, unless a value is enforced.
	Rules []Rule `yaml:"rules" blank:"no"`
	// What holds where no rule and no nearer level says anything. Its `sign`, `encrypt` and `tls` are for outgoing mail.
	Default PolicyDefault `yaml:"default"`
	// What holds for some senders: addresses, domains, groups. See policy.md for what goes before what.
	Senders []PolicyLevel `yaml:"senders" blank:"no"`
	// What holds for some recipients: addresses, domains, groups.
	Recipients []PolicyLevel `yaml:"recipients" blank:"no"`
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
	// Files of tests: what you expect of the policy. `siegel config check` and a reload refuse a policy that does not pass them, and the old one stays in force; a
	// start goes on with it, and says so. See explain.md.
	Tests []Path `yaml:"tests" example:"[/etc/siegel/policy-tests.yaml]"`
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
	// `ask` keeps it waiting and asks the recipient for a signed message, see `certificates.find.ask`; `tls` sends it unencrypted, over connections
	// that are encrypted; `plain` sends it unencrypted. What its sender asked to be encrypted is never sent otherwise.
	OnMissing policy.Missing `yaml:"on_missing" default:"refuse" oneof:"refuse ask tls plain"`
	Handling

	where string
	lines map[policy.Key]string
}

// MarkSubject is what is put before the subject of incoming mail. An empty text puts nothing.
type MarkSubject struct {
	// The message was encrypted.
	Encrypted string `yaml:"encrypted" example:"\"[encrypted]\""`
	// The signature is valid.
	Signed string `yaml:"signed" example:"\"[signed]\""`
	// There is a signature and it is not valid.
	Invalid string `yaml:"invalid" example:"\"[signature not valid]\""`
	// It is not signed, and `on_unsigned` of its recipient says `mark` or more.
	Unsigned string `yaml:"unsigned" example:"\"[not signed]\""`
	// It is encrypted and no key opened it, and `on_unopened` of its recipient does not say `accept`.
	Unopened string `yaml:"unopened" example:"\"[not decrypted]\""`
	// The origin of the message is in doubt: `authentication` says `mark`, or an operator released what was in
	// quarantine.
	Doubtful string `yaml:"doubtful" example:"\"[sender not confirmed]\""`
}
