package mail

import (
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// DeMail makes a message, or a variant of it, a De-Mail: it is handed to the provider of an account, and to nobody else.
type DeMail struct {
	// Account names the account of the configuration that it is sent from.
	Account string `json:"account"`
	// Sender is the De-Mail address that it is sent from, one of the account's.
	Sender  demail.Address `json:"sender"`
	Options demail.Options `json:"options"`
	// Author is whom in the company it is from, as it stood in From before Sender took its place: who gets the confirmations.
	Author Address `json:"author"`
}

// String says it in words for operators: "De-Mail by account main as kontakt@firma.de-mail.de, with dispatch, receipt".
func (d DeMail) String() string {
	text := "De-Mail by account " + d.Account + " as " + d.Sender.String()
	if names := d.Options.Names(); len(names) > 0 {
		text += ", with " + strings.Join(names, ", ")
	}
	return text
}
