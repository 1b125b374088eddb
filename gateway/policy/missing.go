package policy

import "github.com/siegel-mail/siegel/gateway/mail"

// Missing is what becomes of a message that must be encrypted to a recipient of whom no usable certificate is known. The zero
// Missing is "not said".
type Missing string

// What becomes of it.
const (
	Refuse Missing = "refuse" // its sender is told at once
	Ask    Missing = "ask"    // it waits, and the recipient is asked for a signed message, which has the certificate
	// SendTLS: it is sent unencrypted, over connections that are encrypted ([mail.TLSRequired]). SendPlain: it is sent unencrypted. What its
	// sender asked to be encrypted is refused nevertheless.
	SendTLS   Missing = "tls"
	SendPlain Missing = "plain"
)

// asks reports whether a recipient of whom no usable certificate is known is to be asked for one. What stays inside is
// refused: who has no certificate there is the administrator's affair.
func (d *Decision) asks(r Recipient) bool {
	return d.Encrypt && !r.CanEncrypt && d.Direction == mail.Outgoing && d.Terms.Missing == Ask && !r.NoAsk
}

// missingRule names what decided that a recipient is asked.
func missingRule(rules []*Rule, kind Kind, r Recipient) string {
	to := lower(r.Address)
	for _, rule := range rules {
		if rule.Terms.Missing != "" && rule.isFor(kind) && (rule.To == nil || rule.To.Match(to)) {
			return rule.Name
		}
	}
	return ByDefault
}
