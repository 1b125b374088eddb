package policy

import (
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime"
)

// Key names one setting, as the configuration does.
type Key string

// The keys.
const (
	KeySign             Key = "sign"
	KeyEncrypt          Key = "encrypt"
	KeyTLS              Key = "tls"
	KeyProfile          Key = "profile"
	KeyAlgorithm        Key = "algorithm"
	KeyOAEP             Key = "oaep"
	KeySignature        Key = "signature"
	KeyHeaderProtection Key = "header_protection"
	KeySubject          Key = "subject"
	KeyForm             Key = "form"
	KeyEncryptToSelf    Key = "encrypt_to_self"
	KeyOnMissing        Key = "on_missing"
	KeyDeMail           Key = "de_mail"
	KeyDeMailOptions    Key = "de_mail_options"
	KeyDecrypt          Key = "decrypt"
	KeyOnInvalid        Key = "on_invalid"
	KeyOnUnsigned       Key = "on_unsigned"
	KeyOnUnopened       Key = "on_unopened"
	KeyMarkSubject      Key = "mark_subject"
	KeyMaxSize          Key = "max_size"
	KeyArchive          Key = "archive"
	KeyQuarantine       Key = "quarantine"
	KeyNotify           Key = "notify"
)

// Action is what becomes of a message from outside for what was found in it. The zero Action is "not said".
type Action string

// The actions, weakest first.
const (
	Accept     Action = "accept"     // it is delivered
	Mark       Action = "mark"       // it is delivered, and its reader sees why it is doubtful
	Quarantine Action = "quarantine" // it waits until a person has decided
	// RefuseIt: it is refused at the door, where all that this rests on can be seen there: the outermost layer is not encrypted. Else it is Quarantine, since
	// nothing that the outside can observe depends on what an encrypted layer holds.
	RefuseIt Action = "refuse"
)

// Settings are what a level of inheritance, or a rule, says. What is zero in it is not said there, and comes from elsewhere: see [Policy].
type Settings struct {
	Sign    Level
	Encrypt Level
	TLS     mail.TLSLevel
	Terms   Terms
	// DeMail is the name of the entry of the senders of De-Mail by which it is sent; DeMailOptions are options that it always has.
	DeMail        string
	DeMailOptions demail.Options
	Decrypt       smime.Answer // mail from outside is decrypted for this recipient
	OnInvalid     Action       // a signature is there and not valid
	OnUnsigned    Action       // no signature is there
	OnUnopened    Action       // an encrypted layer cannot be opened
	MarkSubject   smime.Answer // the marks of what was found stand before the subject
	MaxSize       int64        // bytes of the largest message; 0: not said
	Archive       []string     // names of archives that get a copy; nil: not said
	// Quarantine says why a message waits until a person has decided, in words for that person; only rules say it. Notify are the addresses of
	// those who are told, "sender" and "recipient", the last two where they are inside.
	Quarantine string
	Notify     []string
	// Enforce are the keys whose values here are enforced: no default goes before them, and no user lowers them.
	Enforce []Key
	Where   string // "FILE:LINE" of the configuration; may be empty
	// Lines is Where of single keys.
	Lines map[Key]string
}

// Entry is one level of inheritance beyond the company: what holds for some addresses, domains or groups, as senders or as recipients. It has either For or Groups.
type Entry struct {
	For    mail.Patterns // addresses and domains; not all, which is the company's level, and not the null reverse-path
	Groups []string      // of the company's directory, in any case of letters
	Settings
}

// Config is all that a [Policy] is made of.
type Config struct {
	Rules      []Rule
	Company    Settings // what holds where nothing nearer says it
	Senders    []Entry  // by who writes
	Recipients []Entry  // by who gets it
}

// Header gives the fields of a header, for rules that look at them. *entity.Header is one.
type Header interface {
	// Values returns the values of all fields of a name, decoded, without regard to the case of the name.
	Values(name string) []string
}

// Field is a condition on one header field, or on the subject: one of the values has a text in it, whatever its case, or matches a regular expression.
type Field struct {
	Name     string // of the field; not for the subject
	Contains string // empty, and Matches too: the field is there
	Matches  string // a regular expression as Go has it (RE2); "(?i)" at its beginning leaves the case of letters aside
}

// Mode is how binding a value is.
type Mode string

// The modes.
const (
	ModeEnforced Mode = "enforced" // no default goes before it, and no user lowers it
	ModeDefault  Mode = "default"
	// ModeDemanded is a value said for some senders, of mail without a single author, which may be theirs: it raises what else holds, and lowers nothing.
	ModeDemanded Mode = "demanded"
)

// Source is where one value came from, and what it went before.
type Source struct {
	Key   Key    `json:"key"`
	Value string `json:"value"`
	// By names it: "rule bank", "recipient domain partner.example", "recipient domain *.partner.example", "sender address a@firma.example", "sender group Legal",
	// "company", "factory", "flag", "earlier" or "kind".
	By    string   `json:"by"`
	Where string   `json:"where,omitempty"` // "FILE:LINE" of the configuration
	Mode  Mode     `json:"mode"`
	Over  []Source `json:"over,omitempty"` // what said something too and did not count, the nearest to counting first
}
