// Package archive makes copies of messages into what archives take in: journal messages. It keeps and delivers nothing itself.
//
// A copy begins as the message as it came, put into the queue in the commit that accepts it, with what was known then ([Kept]). What its archive
// gets is made when it is delivered ([Copy.Journal]): a message in the form in which Exchange reports to its journal ([MS-XJRNL]), which archives
// read: the envelope in lines of text, the message as it came, where it was encrypted what was in it, and what was found, for people and for programs.
package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Kept is what was known of a message when it was accepted. It rests beside the copy in the queue, sealed.
type Kept struct {
	From       mail.Address   `json:"from"` // the reverse-path
	Direction  mail.Direction `json:"direction"`
	Recipients []Recipient    `json:"recipients"`
	// Open says that what is encrypted in it is opened: it came from outside, for somebody inside whose mail is decrypted.
	Open bool `json:"open,omitempty"`
}

// Recipient is one recipient of a message, and what became of it when it was accepted.
type Recipient struct {
	Address mail.Address `json:"address"`
	// Field is where the recipients could see it: To, Cc, Bcc, or Recipient where that is not known. The Journal fills it in.
	Field string `json:"field,omitempty"`
	// Done says what was done to the message for it: "signed and encrypted", "held for protection: ...".
	Done string `json:"done,omitempty"`
	// Queue is the id in the queue of what was made for it.
	Queue mail.ID `json:"queue,omitempty"`
	// Rule says by which rules; Flags what the sender asked for; Known the certificate, or why there was none.
	Rule  string `json:"rule,omitempty"`
	Flags string `json:"flags,omitempty"`
	Known string `json:"known,omitempty"`
}

// ErrKept is the error of what is no Kept.
var ErrKept = errors.New("archive: what was known of the message when it was accepted cannot be read back")

// Encode is k as it rests.
func (k Kept) Encode() ([]byte, error) { return json.Marshal(k) }

// Decode reads what Encode wrote, and nothing else.
func Decode(b []byte) (Kept, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var k Kept
	if err := d.Decode(&k); err != nil {
		return Kept{}, fmt.Errorf("%w: %w", ErrKept, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(k.Recipients) == 0 || k.Direction == "" {
		return Kept{}, ErrKept
	}
	return k, nil
}
