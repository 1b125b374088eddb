package configs

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// Protection is how mail is signed and encrypted, as rules and levels say it.
type Protection struct {
	// Signing: `never`, `if-possible`, `require`. `require` refuses what cannot be signed.
	Sign policy.Level `yaml:"sign" oneof:"never if-possible require" example:"require"`
	// Encryption: `never`, `if-possible`, `require`. `require` refuses what cannot be encrypted.
	Encrypt policy.Level `yaml:"encrypt" oneof:"never if-possible require" example:"require"`
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
	// `ask` keeps it waiting and asks the recipient for a signed message, see `certificates.find.ask`; `tls` sends it unencrypted, over connections
	// that are encrypted; `plain` sends it unencrypted. What its sender asked to be encrypted is never sent otherwise.
	OnMissing policy.Missing `yaml:"on_missing" oneof:"refuse ask tls plain" example:"ask"`
}

// Handling is the rest of what rules and levels say, and which of it is enforced.
type Handling struct {
	// What each connection that the message goes over must give, whatever the route asks for: `required`, TLS; `verified`, TLS with a
	// server that proves who it is. Mail that cannot get it waits and is returned. See tls.md.
	TLS mail.TLSLevel `yaml:"tls" oneof:"required verified" example:"verified"`
	// The name of the entry of `demail.senders` by which De-Mail is sent, whatever `from` and `groups` there say. Where it is absent the first one that fits is taken.
	DeMail string `yaml:"de_mail" example:"legal"`
	// The options that De-Mail always has, beside those of the entry of `demail.senders`: `dispatch`, `receipt`, `retrieve`, `authoritative`, `private`.
	DeMailOptions []DeMailOption `yaml:"de_mail_options" oneof:"dispatch receipt retrieve authoritative private" example:"[dispatch]"`
	// Whether mail from outside is decrypted for these recipients. What is not is delivered as it came.
	Decrypt Maybe `yaml:"decrypt" example:"false"`
	// What becomes of mail from outside whose signature is not valid: `accept`, it is delivered as mail without one; `mark`, its reader sees it; `quarantine`, it waits until
	// somebody has decided; `refuse`, it is refused at the door, where the outermost layer is not encrypted, and else waits as with `quarantine`.
	OnInvalid policy.Action `yaml:"on_invalid" oneof:"accept mark quarantine refuse" example:"quarantine"`
	// What becomes of mail from outside that bears no signature: `accept`, `mark`, `quarantine` or `refuse`, as with `on_invalid`.
	OnUnsigned policy.Action `yaml:"on_unsigned" oneof:"accept mark quarantine refuse" example:"mark"`
	// What becomes of encrypted mail from outside that cannot be decrypted: `accept`, `mark`, `quarantine` or `refuse`, as with `on_invalid`; it is never refused for that, and
	// `refuse` is `quarantine`.
	OnUnopened policy.Action `yaml:"on_unopened" oneof:"accept mark quarantine refuse" example:"quarantine"`
	// Whether the marks of `policy.mark_subject` stand before the subject.
	MarkSubject Maybe `yaml:"mark_subject" example:"false"`
	// The largest message. It counts beside `max_size` of the listener.
	MaxSize Size `yaml:"max_size" min:"1 kB" max:"1 GB" example:"20 MB"`
	// The names of the archives that get a copy.
	Archive []string `yaml:"archive" example:"[journal]"`
	// Who is told of what waits for a person's decision: addresses, `sender`, `recipient`. The last two stand for people inside only.
	Notify []string `yaml:"notify" example:"[recipient, security@firma.example]"`
	// The keys here whose values are enforced: no default goes before them, wherever it stands, and a user cannot lower them. Among enforced values the strongest counts.
	Enforce []string `yaml:"enforce" example:"[encrypt]"`
}

// PolicyLevel is what holds for some senders, or for some recipients.
type PolicyLevel struct {
	// Addresses and domains: `bob@partner.example`, `@partner.example`, `@*.partner.example` for all its subdomains. An address or a domain stands in one entry only.
	For mail.Patterns `yaml:"for" example:"[bob@partner.example, \"@*.partner.example\"]"`
	// Groups of the company's directory, in place of `for`: each by its common name, its mail address or its distinguished name. Who is in several has what the first entry says.
	Groups []string `yaml:"groups" example:"[Legal]"`
	Protection
	Handling

	where string
	lines map[policy.Key]string
}
