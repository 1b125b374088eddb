package configs

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Throttle is how much one sender inside may send to the outside before the rest is held.
type Throttle struct {
	// The most messages in an hour; 0 is no limit, here and in what follows. A sender is the user who has logged
	// in, else MAIL FROM. What is beyond a limit is accepted and held, and the administrator is told.
	MessagesPerHour int `yaml:"messages_per_hour" default:"500" min:"0" max:"100000000"`
	// The most messages in a day.
	MessagesPerDay int `yaml:"messages_per_day" default:"3000" min:"0" max:"100000000"`
	// The most recipients in an hour.
	RecipientsPerHour int `yaml:"recipients_per_hour" default:"2000" min:"0" max:"100000000"`
	// The most recipients in a day.
	RecipientsPerDay int `yaml:"recipients_per_day" default:"10000" min:"0" max:"100000000"`
	// The most different recipients in a day.
	DistinctPerDay int `yaml:"distinct_per_day" default:"2500" min:"0" max:"100000"`
	// Senders that are not limited, by MAIL FROM: newsletters, invoices.
	Except mail.Patterns `yaml:"except" example:"[newsletter@firma.example]"`
}

func (k *checker) throttle() {
	t := k.Throttle
	for i, p := range t.Except {
		if p.String() == "*" {
			k.warnMember("throttle.except", i, "* leaves nobody to be throttled; list the senders of newsletters and invoices")
		}
	}
	if t.MessagesPerDay > 0 && t.MessagesPerHour > t.MessagesPerDay {
		k.warn("throttle.messages_per_hour", "more than messages_per_day, which will be reached first")
	}
	if t.RecipientsPerDay > 0 && t.RecipientsPerHour > t.RecipientsPerDay {
		k.warn("throttle.recipients_per_hour", "more than recipients_per_day, which will be reached first")
	}
	for i, text := range k.Admin.MailTo {
		a, err := mail.ParseAddress(text)
		switch {
		case err != nil:
			k.failMember("admin.mail_to", i, "this is no address%s", strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
		case !k.routed(a):
			k.failMember("admin.mail_to", i, "no route has the domain of this address, so nothing can be sent there")
		}
	}
}

// routed reports whether a route serves an address.
func (k *checker) routed(a mail.Address) bool {
	for _, r := range k.Routes {
		if r.Domains.Match(a) {
			return true
		}
	}
	return false
}
