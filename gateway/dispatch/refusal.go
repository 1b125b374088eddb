package dispatch

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Refused is the error for a message that must not leave as De-Mail.
type Refused struct {
	Recipients []mail.Address // all of those in domains of De-Mail
	Said       texts.Said     // what its sender is told
}

// Error is what the sender is told, in English.
func (r *Refused) Error() string { return (*texts.Texts)(nil).SMTP(r.Said.ID, r.Said.Values) }

// refuse tells the sender of a message why it must not leave.
func refuse(r Request, why texts.Values) error {
	if len(r.Recipients) > 0 {
		why.Recipient, why.Others = r.Recipients[0].String(), len(r.Recipients)-1
	}
	why.Sender = r.From.String()
	return &Refused{Recipients: r.Recipients, Said: texts.Said{ID: texts.DeMailImpossible, Values: why}}
}

// because is a reason that needs nothing more.
func because(reason texts.ID) texts.Values { return texts.Values{Reason: reason} }
