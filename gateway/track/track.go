// Package track carries what happens to messages, as events, to those who watch: log, metrics, demo. It decides nothing.
package track

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Kind names a step in the way of a message.
type Kind string

// The steps, in the order a message takes them.
const (
	Judged      Kind = "judged"      // SPF, DKIM and DMARC of an incoming message were judged: Authentication
	Accepted    Kind = "accepted"    // 250 was said, the message is durable
	Refused     Kind = "refused"     // the message was refused at the door or by policy; Reply says why
	Decided     Kind = "decided"     // policy decided for a recipient; Rule says by which rule
	Protected   Kind = "protected"   // a variant was signed or encrypted
	Opened      Kind = "opened"      // an incoming message was decrypted or verified; Verdict
	Queued      Kind = "queued"      // a variant was committed
	Delivered   Kind = "delivered"   // the next hop took it
	Deferred    Kind = "deferred"    // an attempt failed for now
	Failed      Kind = "failed"      // an attempt failed for good
	Reported    Kind = "reported"    // a delivery status notification was queued
	Asked       Kind = "asked"       // a recipient was asked for a certificate; ID is that of the request
	Held        Kind = "held"        // it was set aside, at once or after an attempt; Reply says why
	Quarantined Kind = "quarantined" // a copy was set aside until a person decides; Reply says why
	Released    Kind = "released"    // what was held is to be delivered
	Rerouted    Kind = "rerouted"    // an operator gave it another destination
	Returned    Kind = "returned"    // an operator had it returned to its sender
	Dropped     Kind = "dropped"     // an operator removed it
	Fetched     Kind = "fetched"     // it was fetched from a provider of De-Mail; Verdict is what its integrity is
	Archived    Kind = "archived"    // an archive has its copy
	Confirmed   Kind = "confirmed"   // a provider of De-Mail said what became of it; Verdict says what
)

// Event is one step. It never holds content, keys or secrets, nor what was encrypted (invariant 11). Empty
// fields are left out of log lines.
type Event struct {
	Time        time.Time
	Kind        Kind
	ID          mail.ID // the variant in the queue, or the accepted message
	Origin      mail.ID // the accepted message
	Direction   mail.Direction
	From        string
	To          []string
	Client      mail.Client
	Size        int64
	MessageID   string   // Message-ID of the header that the internet may see (RFC 5322, 3.6.4)
	Subject     string   // of that header, decoded; set only where the record of subjects is switched on, and in no log
	Flags       string   // what the sender asked for: "sign, encrypt"
	Known       string   // what was known of the recipient when it was decided: its certificate, or why there is none
	Rule        string   // policy rule that decided
	Why         []string // on Decided: where each value came from, and what it went before; in no log
	Lowered     []string // on Decided: the settings that the sender lowered
	Dry         []string // on Decided: what rules of a dry run would have changed
	SignedBy    string   // subject and serial of the certificate
	DKIM        string   // the keys that signed what leaves: "s1._domainkey.firma.example"
	EncryptedTo []string // subjects of the certificates
	Algorithms  string   // "aes256-cbc, rsa, signed rsa"
	Verdict     string   // of an incoming message
	// Authentication is what was found about the origin of an incoming message, on Judged.
	Authentication Authentication
	Layers         []string // of an incoming message, outermost first, each with its verdict
	Destination    string   // route
	Host           string   // host and port of the next hop
	TLS            string   // "TLS1.3 TLS_AES_128_GCM_SHA256 verified"
	Reply          string   // SMTP reply as said or heard, or error text for the operator
	Attempt        int
	Next           time.Time // of the next attempt
	Elapsed        time.Duration
	By             string // the administrator who did it: name or number of the user
}

// Kinds lists every kind there is, in the order of the constants.
func Kinds() []Kind {
	return []Kind{Judged, Accepted, Refused, Decided, Protected, Opened, Queued, Delivered, Deferred, Failed, Reported, Asked, Held, Quarantined, Released, Rerouted, Returned, Dropped, Fetched, Archived, Confirmed}
}

// Recorder takes events. Record returns at once, may be called at once from many goroutines, and must
// not keep the slices of an event.
type Recorder interface {
	Record(Event)
}

// Multi is a Recorder that hands each event to all of its members in order.
type Multi []Recorder

// Record hands e to every member.
func (m Multi) Record(e Event) {
	for _, r := range m {
		r.Record(e)
	}
}
