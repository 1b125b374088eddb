package bundle

import (
	"encoding/hex"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// Message is a De-Mail as operators see it, and as record.json in a bundle has it. Texts of strangers are in it: print them through internal/safetext.
type Message struct {
	Key        string      `json:"key"` // X-de-mail-private-id
	ID         mail.ID     `json:"id"`  // in the queue
	Origin     mail.ID     `json:"origin,omitempty"`
	Account    string      `json:"account"`
	Sender     string      `json:"sender"` // of De-Mail
	Author     string      `json:"author,omitempty"`
	Recipients []Recipient `json:"recipients"`
	Options    []string    `json:"options"`
	Subject    string      `json:"subject"`
	MessageID  string      `json:"message_id,omitempty"`

	State       proof.State `json:"state"`
	Accepted    *time.Time  `json:"accepted,omitempty"` // by the gateway
	Began       time.Time   `json:"began"`              // to be handed over
	Taken       *time.Time  `json:"taken,omitempty"`    // it was known that the provider has it
	ReceiptID   string      `json:"provider_id,omitempty"`
	ReceiptTime *time.Time  `json:"provider_time,omitempty"`
	Attempts    int         `json:"attempts"`
	Awaiting    []string    `json:"awaiting"` // confirmations
	Late        []string    `json:"late,omitempty"`
	Waived      bool        `json:"waived,omitempty"`

	Content File   `json:"content"`
	Steps   []Step `json:"steps"`
	Came    []Came `json:"came"` // what was fetched of it
}

// Recipient is one of a De-Mail.
type Recipient struct {
	As      string `json:"as"` // to, cc, bcc
	Name    string `json:"name,omitempty"`
	Address string `json:"address"`
}

// File is bytes that are kept. Name is set in a bundle.
type File struct {
	Name   string            `json:"file,omitempty"`
	Size   int64             `json:"size"`
	SHA256 string            `json:"sha256"`
	Body   map[string]string `json:"body_digests,omitempty"` // of what is below the header, as bh of X-de-mail-integrity (TR-01201 3.4, 3.1.21), in hexadecimal
}

// Step is something that happened.
type Step struct {
	Time  time.Time   `json:"time"`
	Last  *time.Time  `json:"last,omitempty"`
	Count int         `json:"count"`
	State proof.State `json:"state"`
	Class string      `json:"class,omitempty"`
	Text  string      `json:"text,omitempty"`
	Who   string      `json:"who,omitempty"`
}

// Came is a confirmation or notification.
type Came struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id"` // the provider's
	Fetched  time.Time `json:"fetched"`
	Counts   bool      `json:"counts"`              // it proves something that was asked for
	SameBody string    `json:"same_body,omitempty"` // yes, no: what it confirms is the body that was sent
	Content  File      `json:"content"`
	XML      string    `json:"xml,omitempty"` // name of the file with its signed part, in a bundle
	Verdicts []Verdict `json:"verdicts"`      // of the day that it came, and where something was missing then, later ones
}

// Verdict is what was found of what came.
type Verdict struct {
	At           time.Time    `json:"at"`
	Proven       bool         `json:"proven"`
	State        string       `json:"state"`
	Reason       string       `json:"reason,omitempty"`
	Sender       string       `json:"sender,omitempty"`    // of the message that it is about
	Recipient    string       `json:"recipient,omitempty"` // whom it is about
	Issued       *time.Time   `json:"issued,omitempty"`
	Delivered    *time.Time   `json:"delivered,omitempty"`
	PrivateID    string       `json:"private_id,omitempty"`
	DeMailID     string       `json:"de_mail_id,omitempty"`
	MessageID    string       `json:"message_id,omitempty"`
	Integrity    string       `json:"integrity,omitempty"`
	Certificates []File       `json:"certificates"` // of who signed, then upwards
	Revocation   []Revocation `json:"revocation"`
}

// Revocation is an answer about certificates.
type Revocation struct {
	File
	Kind    string     `json:"kind"` // ocsp, crl
	From    string     `json:"from,omitempty"`
	Fetched *time.Time `json:"fetched,omitempty"`
}

// MessageOf is a record as operators see it.
func MessageOf(r proof.Record) Message {
	m := Message{
		Key: r.Key, ID: r.ID, Origin: r.Origin, Account: r.Account, Sender: r.Sender.String(), Options: optionsOf(r.Options), Subject: r.Subject, MessageID: r.MessageID,
		State: r.State, Accepted: known(r.Accepted), Began: r.Began, Taken: known(r.Taken), ReceiptID: r.Receipt.ID, ReceiptTime: known(r.Receipt.Time), Attempts: r.Attempts,
		Awaiting: words(r.Awaiting), Late: words(r.Late), Waived: r.Waived, Content: File{Size: r.Size, SHA256: hex.EncodeToString(r.SHA256), Body: map[string]string{}},
		Steps: []Step{}, Came: []Came{}, Recipients: []Recipient{},
	}
	if !r.Author.IsNull() {
		m.Author = r.Author.String()
	}
	for name, sum := range r.Bodies {
		m.Content.Body[name] = hex.EncodeToString(sum)
	}
	for _, group := range []struct {
		as   string
		list []demail.Mailbox
	}{{"to", r.Recipients.To}, {"cc", r.Recipients.Cc}, {"bcc", r.Recipients.Bcc}} {
		for _, b := range group.list {
			m.Recipients = append(m.Recipients, Recipient{group.as, b.Name, b.Address.String()})
		}
	}
	for _, s := range r.Steps {
		step := Step{Time: s.Time, Count: s.Count, State: s.State, Class: s.Class, Text: s.Text, Who: s.Who}
		if s.Count > 1 {
			step.Last = known(s.Last)
		}
		m.Steps = append(m.Steps, step)
	}
	for _, k := range r.Evidence {
		m.Came = append(m.Came, CameOf(k))
	}
	return m
}

// CameOf is what was fetched as operators see it.
func CameOf(k proof.Kept) Came {
	c := Came{Kind: string(k.Kind), ID: k.ID, Fetched: k.Fetched, Counts: k.Counts, SameBody: k.SameBody, Content: File{Size: k.Size, SHA256: hex.EncodeToString(k.SHA256)}, Verdicts: []Verdict{}}
	for _, v := range k.Verdicts {
		out := Verdict{
			At: v.At, Proven: v.Proven, State: v.State, Reason: v.Reason, Sender: v.Sender.String(), Recipient: v.Recipient.String(), Issued: known(v.Issued), Delivered: known(v.Delivered),
			PrivateID: v.Keys.PrivateID, DeMailID: v.Keys.DeMailID, MessageID: v.Keys.MessageID, Integrity: v.Keys.Integrity, Certificates: []File{}, Revocation: []Revocation{},
		}
		for _, b := range v.Certificates {
			out.Certificates = append(out.Certificates, fileOf(b))
		}
		for _, a := range v.Revocation {
			out.Revocation = append(out.Revocation, Revocation{fileOf(a.Blob), a.Kind, a.From, known(a.Fetched)})
		}
		c.Verdicts = append(c.Verdicts, out)
	}
	return c
}

func fileOf(b proof.Blob) File { return File{Size: b.Size, SHA256: hex.EncodeToString(b.SHA256)} }

// known is a time, or nil where it is zero.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func optionsOf(o demail.Options) []string {
	if names := o.Names(); names != nil {
		return names
	}
	return []string{}
}

// words are the kinds of confirmations as options are named.
func words(kinds []demail.MessageType) []string {
	out := []string{}
	for _, k := range kinds {
		out = append(out, map[demail.MessageType]string{demail.TypeDispatch: "dispatch", demail.TypeReceipt: "receipt", demail.TypeRetrieve: "retrieve"}[k])
	}
	return out
}
