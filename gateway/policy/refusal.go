package policy

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

func refuseRelay(to mail.Address) *texts.Said {
	return &texts.Said{ID: texts.NotRelayed, Values: texts.Values{Recipient: to.String()}}
}

func refuseUnencrypted(r Recipient, by string) *texts.Said {
	why := texts.Reason{ID: r.Why}
	switch {
	case r.Local:
		why.ID = texts.ReasonColleague
	case why.ID == "":
		why.ID = texts.ReasonNone
	}
	return refuse(texts.EncryptImpossible, r.Address, why, by)
}

func refuseUnsigned(in *Input, to mail.Address, by string) *texts.Said {
	why := in.WhyNotSign
	switch {
	case why.ID != "":
	case in.From.IsNull():
		why.ID = texts.ReasonFrom
	default:
		why = texts.Reason{ID: texts.ReasonNoKey, Detail: in.From.String()}
	}
	return refuse(texts.SignImpossible, to, why, by)
}

// RefuseTLS is for a message that demands TLS of a way that does without. by is what decided that.
func RefuseTLS(to mail.Address, level mail.TLSLevel, by string) *texts.Said {
	id := texts.TLSImpossible
	if level == mail.TLSVerified {
		id = texts.TLSProofImpossible
	}
	return refuse(id, to, texts.Reason{}, by)
}

// refuse is a refusal of what by demands, and why stands against.
func refuse(id texts.ID, to mail.Address, why texts.Reason, by string) *texts.Said {
	v := texts.Values{Recipient: to.String(), Reason: why.ID, Detail: why.Detail}
	v.Because, v.Rule = because(by)
	return &texts.Said{ID: id, Values: v}
}

// because says who demands something, by what decided on it, and its name where it has one.
func because(by string) (id texts.ID, name string) {
	switch by {
	case ByFlag:
		return texts.BecauseFlag, ""
	case ByDefault:
		return texts.BecauseDefault, ""
	case ByEarlier:
		return texts.BecauseEarlier, ""
	}
	if what, name, ok := levelNamed(by); ok {
		return map[string]texts.ID{"address": texts.BecauseAddress, "domain": texts.BecauseDomain, "group": texts.BecauseGroup}[what], name
	}
	return texts.BecauseRule, by
}
