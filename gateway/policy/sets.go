package policy

import (
	"strings"
	"unicode"
)

// Set names a ready set of what the users of a gateway write, so that they need not learn other words.
//
// What asks there for a protection that is not to be had here (a message on a web page, a password by SMS, a ZIP file) asks for encryption
// instead, and the record says so: who cannot be encrypted to is refused, and nothing leaves with less than was asked for.
type Set string

// The ready sets.
const (
	SetSiegel         Set = "siegel" // what DefaultVocabulary has
	SetSEPPmail       Set = "seppmail"
	SetHornetsecurity Set = "hornetsecurity"
	SetCipherMail     Set = "ciphermail"
)

// What other gateways have and this one has not.
const (
	webmail = "webmail"
	byText  = "text message"
	zipped  = "ZIP file"
)

// Tags are the words of a set as they stand in a subject.
func (s Set) Tags() (tags []string) {
	for _, w := range s.words() {
		tags = append(tags, w.text)
	}
	return tags
}

// words are its tags.
func (s Set) words() []word {
	switch s {
	case SetSiegel:
		return siegelWords
	case SetSEPPmail:
		return seppmailWords
	case SetHornetsecurity:
		return hornetsecurityWords
	case SetCipherMail:
		return ciphermailWords
	}
	return nil
}

// The words of the sets, which nobody changes.
var (
	siegelWords = []word{
		{text: "[encrypt]", asks: askEncrypt}, {text: "[verschlüsseln]", asks: askEncrypt}, {text: "[verschluesseln]", asks: askEncrypt},
		{text: "[sign]", asks: askSign}, {text: "[signieren]", asks: askSign},
		{text: "[tls]", asks: askTLS},
		{text: "[plain]", asks: askPlain}, {text: "[unverschlüsselt]", asks: askPlain}, {text: "[unverschluesselt]", asks: askPlain},
		{text: "[nosign]", asks: askNoSign}, {text: "[unsigniert]", asks: askNoSign},
		{text: "[noencrypt]", asks: askNoEncrypt},
	}
	seppmailWords = []word{
		{text: "[confidential]", asks: askEncrypt},
		{text: "[priv]", asks: askEncrypt, missing: webmail},
		{text: "[emptypw]", asks: askEncrypt, missing: webmail},
		{text: "[sms:", asks: askEncrypt, missing: byText, open: true},
		{text: "[zip]", asks: askEncrypt, missing: zipped},
		{text: "[plain]", asks: askPlain},
		{text: "[sign]", asks: askSign},
		{text: "[noenc]", asks: askNoEncrypt},
	}
	hornetsecurityWords = []word{
		{text: "CRYPT", asks: askEncrypt, upper: true},
		{text: "NOCRYPT", asks: askNoEncrypt, upper: true},
		{text: "SIGN", asks: askSign, upper: true},
		{text: "NOSIGN", asks: askNoSign, upper: true},
		{text: "WEBSAFE", asks: askEncrypt, missing: webmail, upper: true},
	}
	ciphermailWords = []word{{text: "[encrypt]", asks: askEncrypt}, {text: "[sign]", asks: askSign}}
)

// seppmailFields are the header fields of the one set that has any.
var seppmailFields = []setField{
	{name: "X-SMEnc", asks: askEncrypt, ours: true},
	{name: "X-SMWebmail", asks: askEncrypt, missing: webmail, ours: true},
	{name: "X-SMPlain", asks: askPlain, ours: true},
	{name: "X-SMSign", asks: askSign, ours: true},
	{name: "Sensitivity", value: "companyconfidential", asks: askEncrypt},
	{name: "Sensitivity", value: "private", asks: askEncrypt, missing: webmail},
}

// setField is a header field of a set.
type setField struct {
	name    string
	value   string // for which it asks; empty: for yes
	asks    ask
	missing string
	ours    bool // nobody but the gateway reads it
}

// Fields are the names of the header fields of all sets by which a sender asks the gateway for something, and which go to nobody else. They
// may be believed from inside alone.
func (v Vocabulary) Fields() (names []string) {
	for _, set := range v.Sets {
		for _, f := range set.fields() {
			if f.ours {
				names = append(names, f.name)
			}
		}
	}
	return names
}

// fields are its header fields.
func (s Set) fields() []setField {
	if s == SetSEPPmail {
		return seppmailFields
	}
	return nil
}

// read says what it asks with a value.
func (s setField) read(value string) Flags {
	f := s.asks.flags()
	switch {
	case s.value != "":
		if sensitivity(value) != s.value {
			return Flags{}
		}
		f.Words = []string{s.name + " " + sensitivityNamed(s.value).spelled() + instead(s.missing)}
		return f
	case f.lowers():
		yes, word := lowers(s.name, value)
		if !yes {
			return Flags{Words: word}
		}
		f.Words = word
		return f
	}
	l, word := wanted(s.name, value)
	if l == "" || l == Never {
		return Flags{}
	}
	for i := range word {
		word[i] += instead(s.missing)
	}
	f.Words = word
	return f
}

// sensitivity is a value of the field Sensitivity in lower case and without hyphens, as programs write it in different ways.
func sensitivity(value string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, value)
}
