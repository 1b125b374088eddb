package policy

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
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

// maxBracket is how many bytes may stand between brackets that are read.
const maxBracket = 256

// bracket counts the bytes that a bracket of words takes at one end of a text, and says what they ask. Where one word is known and another
// is not, the bracket asks for something that there is not.
func (v Vocabulary) bracket(text string, at end) (n int, f DeMailFlags) {
	inner, ok := at.bracketed(text)
	if !ok || len(v.DeMail) == 0 {
		return 0, DeMailFlags{}
	}
	known := 0
	for word := range strings.SplitSeq(inner, ",") {
		if o, ok := v.deMail(word); ok {
			f.Options = f.Options.Or(o)
			known++
		} else if f.Unknown == "" {
			f.Unknown = strings.TrimSpace(word)
		}
	}
	if known == 0 {
		return 0, DeMailFlags{}
	}
	return len(inner) + len("[]"), f
}

// bracketed is what stands in square brackets at this end of a text.
func (e end) bracketed(text string) (inner string, ok bool) {
	if e == front {
		inner, _, ok = strings.Cut(text[:min(len(text), maxBracket)], "]")
		inner, opened := strings.CutPrefix(inner, "[")
		return inner, ok && opened && !strings.Contains(inner, "[")
	}
	text = text[max(0, len(text)-maxBracket):]
	i := strings.LastIndexByte(text, '[')
	if i < 0 {
		return "", false
	}
	inner, ok = strings.CutSuffix(text[i+1:], "]")
	return inner, ok && !strings.Contains(inner, "]")
}

func (v Vocabulary) deMail(word string) (demail.Options, bool) {
	word = plainWord(word)
	for _, w := range v.DeMail {
		known := strings.TrimSuffix(strings.TrimPrefix(plainWord(w.Word), "["), "]")
		if word != "" && known == word {
			return w.Options, true
		}
	}
	return demail.Options{}, false
}

// plainWord is a word in lower case, composed, and without blanks.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFC.String(s))
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

// says is what a rule wants for a recipient. De-Mail is under way between providers whom the law holds to secrecy, so rules for everybody do not
// reach it: only one that names recipients does, and one that demands encryption, whoever it is for (invariant 2).
func (r *Rule) says(to Recipient) (sign, encrypt Level) {
	switch {
	case !to.DeMail || r.To != nil:
		return r.Sign, r.Encrypt
	case r.Encrypt == IfPossible: // it says something, so that rules below do not count
		return "", Never
	}
	return "", r.Encrypt
}

// without are the levels where no rule says. Of the defaults a De-Mail has the demand for encryption alone (invariant 2).
func (p *Policy) without(dir mail.Direction, to Recipient) Settings {
	d := p.defaults[dir]
	if to.DeMail {
		if d.Sign = Never; d.Encrypt != Require {
			d.Encrypt = Never
		}
	}
	return d
}
