package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
)

// Smartcards are the cards of a configuration. Neither method asks a card and waits for it.
type Smartcards interface {
	// Status is how they are, in the order of the configuration.
	Status() []smartcard.Status
	// Look has them looked at soon, and what waits for them tried again.
	Look()
}

// Smartcard is how a key on a smart card is, as operators see it. What was read from the card stays while the card is away.
type Smartcard struct {
	Name      string    `json:"name"` // in the configuration
	Condition string    `json:"condition"`
	Usable    bool      `json:"usable"`
	Since     time.Time `json:"since"` // the condition is so
	Text      string    `json:"text"`
	Advice    string    `json:"advice,omitempty"` // what to do

	Family      string     `json:"family,omitempty"`
	Serial      string     `json:"serial,omitempty"`
	Label       string     `json:"label,omitempty"`
	Reader      string     `json:"reader,omitempty"`
	Key         string     `json:"key,omitempty"`         // "authentication (9A)"
	Certificate string     `json:"certificate,omitempty"` // SHA-256, hexadecimal
	Subject     string     `json:"subject,omitempty"`
	NotAfter    *time.Time `json:"not_after,omitempty"`
	PINTries    *int       `json:"pin_tries,omitempty"` // that are left, where the card has said so

	Signatures uint64 `json:"signatures"` // with all keys of the card since the start
	Waiting    int    `json:"waiting"`    // operations
}

// newSmartcard is a status as operators see it.
func newSmartcard(s smartcard.Status) Smartcard {
	out := Smartcard{
		Name: s.Name, Condition: string(s.Condition), Usable: s.Condition.Usable(), Since: s.Since, Text: s.Text, Advice: s.Advice(),
		Family: s.Identity.Family, Serial: s.Identity.Serial, Label: s.Identity.Label, Reader: s.Reader, Signatures: s.Signatures, Waiting: s.Waiting,
	}
	if c := s.Key.Certificate; c != nil {
		out.Key, out.Certificate, out.Subject, out.NotAfter = s.Key.Name, s.Key.Fingerprint(), c.Subject.String(), &c.NotAfter
	}
	if s.PIN.Known {
		out.PINTries = &s.PIN.Tries
	}
	return out
}

func (c *Control) smartcards(w http.ResponseWriter, _ *http.Request) {
	all := []Smartcard{}
	if c.o.Smartcards != nil {
		for _, s := range c.o.Smartcards.Status() {
			all = append(all, newSmartcard(s))
		}
	}
	writeJSON(w, http.StatusOK, all)
}

func (c *Control) lookAtSmartcards(w http.ResponseWriter, _ *http.Request) {
	if c.o.Smartcards != nil {
		c.o.Smartcards.Look()
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

// LookAtSmartcards has the gateway look at its smart cards, and try what waits for them: something about them was put right, as a PIN.
func (c *Client) LookAtSmartcards(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/v1/smartcards/look", &struct{}{})
}

// Smartcards tells how the smart cards of the configuration are, in its order.
func (c *Client) Smartcards(ctx context.Context) (all []Smartcard, err error) {
	return all, c.do(ctx, http.MethodGet, "/v1/smartcards", &all)
}
