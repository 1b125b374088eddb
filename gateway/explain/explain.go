// Package explain is the question what would become of a message, and the answer, as commands and the add-in exchange them. It decides nothing.
package explain

import (
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Bounds of a question. What is beyond them is refused, and not cut.
const (
	MaxRecipients = 100
	MaxFields     = 100
	MaxField      = 8 << 10  // bytes of one field, or of the subject
	MaxMessage    = 32 << 20 // bytes of Question.Message
	MaxSize       = 1 << 30  // of Question.Size
)

// Question describes a message that nobody sends.
type Question struct {
	From    string   `json:"from"`          // the sender of the envelope, and the author; "": the author of Message, or with none the null reverse-path
	To      []string `json:"to"`            // named by To
	Cc      []string `json:"cc,omitempty"`  // named by Cc
	Bcc     []string `json:"bcc,omitempty"` // named by nothing
	Subject string   `json:"subject,omitempty"`
	Header  []string `json:"header,omitempty"` // more fields: "X-Siegel-Encrypt: yes"
	// Size is that of the message in bytes; 0: that of Message, or of a short text.
	Size int64 `json:"size,omitempty"`
	// Listener is the name of the one that takes it; empty: the first through which From may come.
	Listener string `json:"listener,omitempty"`
	// Message is a whole message, whose header stays but for Subject and Header, which are put into it. From and the recipients are then those of
	// the envelope, and where there are none, those that the header names.
	Message []byte `json:"message,omitempty"`
	// Client is the address of the server that hands it over, and Helo its name: for mail from outside, whose author is looked up by SPF, DKIM and DMARC where
	// Message is all of it and Client is given.
	Client string `json:"client,omitempty"`
	Helo   string `json:"helo,omitempty"`
}

// Answer is what would become of it.
type Answer struct {
	// Recipients are those of To, Cc and Bcc, in this order.
	Recipients []Recipient `json:"recipients"`
	// Listener is the name of the one that would take it.
	Listener string `json:"listener,omitempty"`
	// Words is what the message asks for, and what it is: "X-Siegel-Encrypt", "is signed".
	Words []string `json:"words,omitempty"`
	// Refused is what its sender would be told in place of 250; empty where it would be taken. One refusal refuses all.
	Refused string `json:"refused,omitempty"`
	// Assumed is what nobody can know before the message comes and was taken for true, or could not be looked up: a sentence each.
	Assumed []string `json:"assumed,omitempty"`
}

// The ways of a copy.
const (
	Internal = "internal" // to the company's own mail server
	SMTP     = "smtp"     // to the internet
	DeMail   = "de-mail"  // to a provider of De-Mail
)

// Yes and No are the answers of [Recipient].
const (
	Yes = "yes"
	No  = "no"
)

// Recipient is what one recipient's copy gets.
type Recipient struct {
	To        string `json:"to"`
	Direction string `json:"direction"` // outgoing, internal, incoming
	Way       string `json:"way"`       // Internal, SMTP or DeMail
	Sign      string `json:"sign"`      // Yes or No
	Encrypt   string `json:"encrypt"`   // Yes or No
	// TLS is what is demanded of each connection; empty: what its route says.
	TLS string `json:"tls,omitempty"`
	// Refused is the sentence for its sender; empty where it may be sent.
	Refused string `json:"refused,omitempty"`
	// Said is Refused in both languages, for people who read it on a page.
	Said texts.Pair `json:"-"`
	// Asks: it waits for a certificate, for which the recipient is asked.
	Asks bool `json:"asks,omitempty"`
	// Holds says what it would wait for, or who has to decide; empty where it leaves at once.
	Holds string `json:"holds,omitempty"`
	// Dry is what rules of a dry run would have changed.
	Dry []policy.Source `json:"dry,omitempty"`
	// Certificate is that of the recipient, or why there is none.
	Certificate string `json:"certificate,omitempty"`
	// Keys says of each setting where its value comes from.
	Keys []policy.Source `json:"keys,omitempty"`
	// Lowered are the keys that the sender lowered.
	Lowered []policy.Key `json:"lowered,omitempty"`
}

// IsRefused reports whether the message would be refused.
func (a Answer) IsRefused() bool { return a.Refused != "" }
