package policy

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// MaxRefusal is the length of the longest Refusal, in characters. It leaves room in an SMTP reply.
const MaxRefusal = 400

// The longest pieces of a refusal; what is longer is cut.
const (
	maxShownAddress = 60
	maxShownRule    = 32
	maxShownWhy     = 100
)

func refuseRelay(to mail.Address) string {
	return "The message to " + show(to) + " was not taken: that address is not one of this company's."
}

func refuseUnencrypted(r Recipient, by string) string {
	to := show(r.Address)
	why := ascii(r.Why, maxShownWhy)
	if why == "" {
		why = "no certificate of " + to + " is known"
	}
	return sentence(to, "encrypted", why, "Ask "+to+" to send you a signed message", by)
}

func refuseUnsigned(in *Input, to mail.Address, by string) string {
	why := ascii(in.WhyNotSign, maxShownWhy)
	switch {
	case why != "":
	case in.From.IsNull():
		why = "it has no single From address"
	default:
		why = "no key to sign for " + show(in.From) + " is at hand"
	}
	return sentence(show(to), "signed", why, "Ask your administrator for a certificate", by)
}

// refuseUnfit is for a certificate that is at hand and not good enough.
func refuseUnfit(to mail.Address, must, why string) string {
	return ascii("The message to "+show(to)+" was not sent: it must be "+must+", and "+ascii(why, maxShownWhy)+
		". Ask your administrator for another certificate, or for a rule for this recipient.", MaxRefusal)
}

func sentence(to, must, why, ask, by string) string {
	s := "The message to " + to + " was not sent: it must be " + must + ", and " + why + ". " + ask
	switch by {
	case ByFlag:
		s += ", or remove the flag."
	case ByDefault:
		s += ", or ask your administrator about the default."
	case ByEarlier:
		s += ", or send the message again, since the rules have changed."
	default:
		s += `, or ask your administrator about the rule "` + ascii(by, maxShownRule) + `".`
	}
	return ascii(s, MaxRefusal)
}

// RefuseTLS is for a message that demands TLS of a way that does without. by is what decided that.
func RefuseTLS(to mail.Address, level mail.TLSLevel, by string) string {
	must := "sent under TLS"
	if level == mail.TLSVerified {
		must += " to a server that proves who it is"
	}
	return sentence(show(to), must, "the way to its domain is set to do without TLS", "Ask your administrator to change that (tls of the route)", by)
}

func show(a mail.Address) string { return ascii(a.String(), maxShownAddress) }

// ascii is s in printable ASCII characters, a question mark for each that is not, cut to limit.
func ascii(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = s[:limit-3] + "..."
	}
	return s
}
