package policy

import (
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// DeMailWord is a word that asks for options of De-Mail by the subject: in square brackets at the very beginning or end, also several in
// one pair with commas between. Neither case nor blanks matter.
type DeMailWord struct {
	Word    string // with or without its brackets
	Options demail.Options
}

// DeMailFlags are what the sender asked of De-Mail.
type DeMailFlags struct {
	Options demail.Options
	// Demanded: the field X-Siegel-DeMail asked for De-Mail, with or without options. What is meant as De-Mail must not leave as something
	// else.
	Demanded bool
	// Unknown is the first word that is no option; "" where there was none. It is a sender's text.
	Unknown string
}

func (f *DeMailFlags) add(o DeMailFlags) {
	f.Options = f.Options.Or(o.Options)
	f.Demanded = f.Demanded || o.Demanded
	if f.Unknown == "" {
		f.Unknown = o.Unknown
	}
}

// DefaultDeMail are the words that users of another gateway know, in English, and the names of TR-01201 in German.
func DefaultDeMail() []DeMailWord {
	dispatch, receipt, retrieve := demail.Options{Dispatch: true}, demail.Options{Receipt: true}, demail.Options{Retrieve: true}
	authoritative, private := demail.Options{Authoritative: true}, demail.Options{Private: true}
	return []DeMailWord{
		{"Delivery confirmation", dispatch}, {"Versandbestätigung", dispatch}, {"Versandbestaetigung", dispatch},
		{"Receipt confirmation", receipt}, {"Eingangsbestätigung", receipt}, {"Eingangsbestaetigung", receipt},
		{"Collection confirmation", retrieve}, {"Abholbestätigung", retrieve}, {"Abholbestaetigung", retrieve},
		{"Confirmed by sender", authoritative}, {"Absenderbestätigt", authoritative}, {"Absenderbestaetigt", authoritative},
		{"Personal", private}, {"Persönlich", private}, {"Persoenlich", private},
	}
}

// deMail finds the word of De-Mail that a text is.
func (v Vocabulary) deMail(text string) (DeMailWord, bool) {
	text = plainWord(text)
	for _, w := range v.DeMail {
		known := strings.TrimSuffix(strings.TrimPrefix(plainWord(w.Word), "["), "]")
		if text != "" && known == text {
			return w, true
		}
	}
	return DeMailWord{}, false
}

// parseDeMail reads the value of X-Siegel-DeMail: words for options with commas, semicolons or blanks between, each alone or with "=yes" or
// "=no". A value of "yes" asks for De-Mail without options, one of "no" or nothing asks for nothing.
func parseDeMail(value string) (f DeMailFlags) {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) }) {
		name, said, has := strings.Cut(strings.ToLower(word), "=")
		asks, known := truth(said)
		if !has {
			asks, known = true, true
		}
		o, option := demail.ParseOption(name)
		bare, isTruth := truth(name)
		switch {
		case option && known:
			if asks {
				f.Options, f.Demanded = f.Options.Or(o), true
			}
		case isTruth && !has:
			f.Demanded = f.Demanded || bare
		default:
			f.add(DeMailFlags{Unknown: word, Demanded: true})
		}
	}
	return f
}

func truth(word string) (yes, known bool) {
	switch word {
	case "yes", "true", "1":
		return true, true
	case "no", "false", "0":
		return false, true
	}
	return false, false
}
