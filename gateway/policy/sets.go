package policy

import "strings"

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
	encrypt := Flags{Encrypt: true}
	switch s {
	case SetSiegel:
		var all []word
		for w := range DefaultVocabulary().words() {
			all = append(all, w)
		}
		return all
	case SetSEPPmail:
		return []word{
			{text: "[confidential]", asks: encrypt},
			{text: "[priv]", asks: encrypt, missing: webmail},
			{text: "[emptypw]", asks: encrypt, missing: webmail},
			{text: "[sms:", asks: encrypt, missing: byText, open: true},
			{text: "[zip]", asks: encrypt, missing: zipped},
			{text: "[plain]", asks: Flags{Plain: true}},
			{text: "[sign]", asks: Flags{Sign: true}},
			{text: "[noenc]", asks: Flags{NoEncrypt: true}},
		}
	case SetHornetsecurity:
		return []word{
			{text: "CRYPT", asks: encrypt, upper: true},
			{text: "NOCRYPT", asks: Flags{NoEncrypt: true}, upper: true},
			{text: "SIGN", asks: Flags{Sign: true}, upper: true},
			{text: "NOSIGN", asks: Flags{NoSign: true}, upper: true},
			{text: "WEBSAFE", asks: encrypt, missing: webmail, upper: true},
		}
	case SetCipherMail:
		return []word{{text: "[encrypt]", asks: encrypt}, {text: "[sign]", asks: Flags{Sign: true}}}
	}
	return nil
}

// setField is a header field of a set.
type setField struct {
	name    string
	value   string // for which it asks; empty: for yes
	asks    Flags
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
	if s != SetSEPPmail {
		return nil
	}
	encrypt := Flags{Encrypt: true}
	return []setField{
		{name: "X-SMEnc", asks: encrypt, ours: true},
		{name: "X-SMWebmail", asks: encrypt, missing: webmail, ours: true},
		{name: "X-SMPlain", asks: Flags{Plain: true}, ours: true},
		{name: "X-SMSign", asks: Flags{Sign: true}, ours: true},
		{name: "Sensitivity", value: "companyconfidential", asks: encrypt},
		{name: "Sensitivity", value: "private", asks: encrypt, missing: webmail},
	}
}

// read says what it asks with a value.
func (s setField) read(value string) Flags {
	f := s.asks
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
	return strings.NewReplacer("-", "", " ", "", "_", "").Replace(strings.ToLower(value))
}
