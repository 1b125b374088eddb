package policy

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// requestPrefix begins the names of the header fields by which a sender's program asks for something.
const requestPrefix = "X-Siegel-"

// field reads one field of a header, and tells whether it is a matter between the sender and the gateway alone.
func (v Vocabulary) field(field entity.Field) (f Flags, ours bool) {
	if field.HasPrefix(requestPrefix) {
		return requested(field), true
	}
	for _, set := range v.Sets {
		for _, own := range set.fields() {
			if field.Is(own.name) {
				f.add(own.read(field.Value()))
				ours = ours || own.ours
			}
		}
	}
	return f, ours
}

// requested reads one X-Siegel- field.
func requested(field entity.Field) Flags {
	value := field.Value()
	switch {
	case field.Is(requestPrefix + "Sign"):
		l, word := wanted("X-Siegel-Sign", value)
		return Flags{Sign: l == Require, TrySign: l == IfPossible, NoSign: l == Never, Words: word}
	case field.Is(requestPrefix + "Encrypt"):
		l, word := wanted("X-Siegel-Encrypt", value)
		return Flags{Encrypt: l == Require, TryEncrypt: l == IfPossible, NoEncrypt: l == Never, Words: word}
	case field.Is(requestPrefix + "Plain"):
		yes, word := lowers("X-Siegel-Plain", value)
		return Flags{Plain: yes, Words: word}
	case field.Is(requestPrefix + "TLS"):
		return requestedTLS(value)
	case field.Is(requestPrefix + "DeMail"):
		f := Flags{DeMail: parseDeMail(value)}
		if f.DeMail != (DeMailFlags{}) {
			f.read("X-Siegel-DeMail")
		}
		return f
	}
	return Flags{}
}

// wanted is the level that a field asks for, empty for none, and the word for the record. What is not understood asks for it:
// more than was asked for does no harm.
func wanted(name, value string) (Level, []string) {
	if yes, known := yesOrNo(value); known {
		if !yes {
			return "", nil
		}
		return Require, []string{name}
	}
	switch l, err := ParseLevel(value); {
	case strings.EqualFold(value, "required"), l == Require:
		return Require, []string{name}
	case err == nil:
		return l, []string{name + " " + string(l)}
	}
	return Require, []string{name + " (not understood, so it counts as yes)"}
}

// lowers tells whether a field asks for less. What is not understood asks for nothing.
func lowers(name, value string) (yes bool, word []string) {
	yes, known := yesOrNo(value)
	switch {
	case !known:
		return false, []string{name + " (not understood, so it counts for nothing)"}
	case yes:
		return true, []string{name}
	}
	return false, nil
}

func requestedTLS(value string) Flags {
	yes, known := yesOrNo(value)
	if known && !yes {
		return Flags{}
	}
	if l, err := mail.ParseTLSLevel(value); err == nil && !known {
		return Flags{TLS: l, Words: []string{"X-Siegel-TLS " + string(l)}}
	}
	if !known {
		return Flags{TLS: mail.TLSVerified, Words: []string{"X-Siegel-TLS (not understood, so it counts as yes)"}}
	}
	return Flags{TLS: mail.TLSVerified, Words: []string{"X-Siegel-TLS"}}
}

// yesOrNo reads yes or no; nothing is no.
func yesOrNo(value string) (yes, known bool) {
	value = strings.ToLower(strings.TrimSpace(value))
	if value == "" {
		return false, true
	}
	return truth(value)
}
