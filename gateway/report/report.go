// Package report writes delivery status notifications (RFC 3464) in words a sender understands. It sends nothing.
package report

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Action is what became of a recipient (RFC 3464, 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed" // handed to a system that sends no notifications
)

// Recipient is what a notification tells of one recipient.
type Recipient struct {
	mail.Recipient
	Action     Action
	Status     string    // RFC 3463 "5.1.1"; made up from Action where empty or malformed
	Diagnostic string    // what was said, on one line: "550 5.1.1 no such user"
	Remote     bool      // Diagnostic is the words of Host, an SMTP server
	Host       string    // of the last attempt; empty where none was reached
	LastTried  time.Time // zero: left out
	RetryUntil time.Time // of a delayed message; zero: left out
}

// Original is the message that a notification is about.
type Original struct {
	Envelope mail.Envelope // From gets the notification
	// Header is the message's header as it was sent or came: of a protected message the outer one. It is
	// returned to the sender. More than 64 KiB of it is cut off after a whole field.
	Header []byte
}
