package policy

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// refuseTooLarge is for a message that is larger than what holds for a recipient.
func refuseTooLarge(d *Decision, size int64) *texts.Said {
	id := texts.TooLarge
	if d.Direction == mail.Incoming {
		id = texts.TooLargeFromOutside
	}
	return &texts.Said{ID: id, Values: texts.Values{Recipient: d.Recipient.String(), Size: size, Limit: d.Settings.MaxSize}}
}
