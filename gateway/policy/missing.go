package policy

import "github.com/siegel-mail/siegel/gateway/mail"

// Missing is what becomes of a message that must be encrypted to a recipient of whom no usable certificate is known. The zero
// Missing is "not said".
type Missing string

// What becomes of it, weakest last.
const (
	Refuse Missing = "refuse" // its sender is told at once
	Ask    Missing = "ask"    // it waits, and the recipient is asked for a signed message, which has the certificate
	// SendTLS: it is sent unencrypted, over connections that are encrypted ([mail.TLSRequired]). SendPlain: it is sent unencrypted. What its
	// sender asked to be encrypted is refused nevertheless.
	SendTLS   Missing = "tls"
	SendPlain Missing = "plain"
)

// rank orders them by strength; it is 0 for what is none.
func (m Missing) rank() int {
	switch m {
	case SendPlain:
		return 1
	case SendTLS:
		return 2
	case Ask:
		return 3
	case Refuse:
		return 4
	}
	return 0
}

// raise makes m at least what was in force when a message was accepted. Of what was accepted before there was a choice it is known that it must not be sent
// unencrypted.
func (m *Missing) raise(earlier Levels) bool {
	then := earlier.Missing
	if then == "" && earlier.Encrypt == Require {
		then = Ask
	}
	if then.rank() <= m.rank() {
		return false
	}
	*m = then
	return true
}

// without decides what becomes of a copy that must be encrypted and cannot be: it reports whether the recipient is asked for a certificate, or lets the copy go
// unencrypted, which Missed then says. What stays inside is refused: who has no certificate there is the administrator's affair.
func (d *Decision) without(r *Recipient) (ask bool) {
	if d.Direction != mail.Outgoing {
		return false
	}
	switch m := d.Terms.Missing; m {
	case Ask:
		return !r.NoAsk
	case SendTLS, SendPlain:
		d.Encrypt, d.Missed = false, m
	}
	return false
}
