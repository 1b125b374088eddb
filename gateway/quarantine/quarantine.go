// Package quarantine is what is known of a copy in quarantine: why it is there, who is told, what a person decided. It keeps nothing and delivers nothing.
//
// The copy itself rests in the queue, held at the destination [queue.Quarantine], in the form in which it came or was accepted: nothing that was
// encrypted is opened for it. [Details] rest beside each recipient, sealed.
package quarantine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Cause is what brought a copy into quarantine.
type Cause string

// The causes.
const (
	Origin   Cause = "origin"   // nobody confirms that it comes from who it says
	Invalid  Cause = "invalid"  // its signature is not valid
	Unsigned Cause = "unsigned" // it is not signed
	Unopened Cause = "unopened" // it is encrypted, and no key opened it
	Rule     Cause = "rule"     // a rule of the policy holds it for a person
)

// Causes are all of them.
func Causes() []Cause { return []Cause{Origin, Invalid, Unsigned, Unopened, Rule} }

// Who is told of a copy beside addresses, as the policy names them.
const (
	TellSender    = "sender"    // who wrote it, where that is somebody inside
	TellRecipient = "recipient" // who is to get it, where that is somebody inside
)

// Details is what is known of one recipient's copy.
type Details struct {
	Cause Cause `json:"cause"`
	// Why says it in a few words for people: of a rule, its own.
	Why string `json:"why"`
	// Sources are where the policy got the values that decided.
	Sources []policy.Source `json:"sources,omitempty"`
	// Verdict is what the gateway found of a message from outside, Layers each of its layers, and Reasons why its signature is not valid.
	Verdict string    `json:"verdict,omitempty"`
	Layers  []string  `json:"layers,omitempty"`
	Reasons []string  `json:"reasons,omitempty"`
	Notify  []string  `json:"notify,omitempty"` // addresses, TellSender, TellRecipient
	Since   time.Time `json:"since"`
	// Released are the decisions of people to let it go, the last one last: a copy may be set aside again for another cause.
	Released []Release `json:"released,omitempty"`
}

// Release is a decision to let a copy go.
type Release struct {
	Cause Cause     `json:"cause"` // what it was in quarantine for
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// Bounds of what is kept of one copy, below what the queue takes.
const (
	mostText     = 300
	mostList     = 20
	mostReleases = 10
	mostEncoded  = 32 << 10
)

// ErrDetails is the error of what this package did not write.
var ErrDetails = errors.New("quarantine: why the copy is in quarantine cannot be read back")

// Encode writes d for the queue, within bounds: long texts are cut, and long lists end early.
func (d Details) Encode() (string, error) {
	d.Why, d.Verdict = cut(d.Why), cut(d.Verdict)
	d.Layers, d.Reasons, d.Notify = cutAll(d.Layers), cutAll(d.Reasons), cutAll(d.Notify)
	d.Sources = slices.Clone(d.Sources[:min(len(d.Sources), mostList)])
	for i := range d.Sources {
		d.Sources[i].Value, d.Sources[i].By, d.Sources[i].Where = cut(d.Sources[i].Value), cut(d.Sources[i].By), cut(d.Sources[i].Where)
		d.Sources[i].Over = nil // siegel explain tells
	}
	if n := len(d.Released); n > mostReleases {
		d.Released = d.Released[n-mostReleases:]
	}
	b, err := json.Marshal(d)
	if err == nil && len(b) > mostEncoded {
		d.Sources, d.Layers, d.Reasons = nil, nil, nil
		b, err = json.Marshal(d)
	}
	return string(b), err
}

// Decode reads what Encode wrote: ErrDetails. The empty text, of a copy that never was in quarantine, gives the zero Details.
func Decode(s string) (d Details, err error) {
	if s == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(s), &d); err != nil || !slices.Contains(Causes(), d.Cause) || d.Since.IsZero() {
		return Details{}, ErrDetails
	}
	return d, nil
}

// IsReleased reports whether a person has let the copy go that a cause would set aside.
func (d Details) IsReleased(cause Cause) bool {
	return slices.ContainsFunc(d.Released, func(r Release) bool { return r.Cause == cause })
}

// Reply is what the queue says of it to operators.
func (d Details) Reply() string { return "quarantine: " + d.Why }

// Release notes the decision of a person.
func (d Details) Release(by string, at time.Time) Details {
	d.Released = append(slices.Clip(d.Released), Release{d.Cause, cut(by), at.UTC().Truncate(time.Second)})
	return d
}

// Told are the addresses of those who are told of the copy of recipient i of a message, without regard to how often they are named. Nobody
// outside is among them, except addresses that the policy itself names.
func (d Details) Told(m queue.Message, i int, isInside func(mail.Address) bool) (to []mail.Address) {
	add := func(a mail.Address) {
		if !a.IsNull() && !slices.ContainsFunc(to, func(other mail.Address) bool { return other.Key() == a.Key() }) {
			to = append(to, a)
		}
	}
	for _, name := range d.Notify {
		switch r := m.Recipients[i].Address; name {
		case TellSender:
			if m.Envelope.Internal && isInside(m.Envelope.From) {
				add(m.Envelope.From)
			}
		case TellRecipient:
			if isInside(r) {
				add(r)
			}
		default:
			if a, err := mail.ParseAddress(name); err == nil {
				add(a)
			}
		}
	}
	return to
}

// CheckNotify returns an error where a name of who is told is neither an address nor one of the two words.
func CheckNotify(name string) error {
	if name == TellSender || name == TellRecipient {
		return nil
	}
	if _, err := mail.ParseAddress(name); err != nil {
		return fmt.Errorf("quarantine: this is no address%s; write an address, %s or %s", strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()), TellSender, TellRecipient)
	}
	return nil
}

func cut(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.ToValidUTF8(s[:mostText], "") + "..."
}

func cutAll(list []string) []string {
	out := slices.Clone(list[:min(len(list), mostList)])
	for i := range out {
		out[i] = cut(out[i])
	}
	return out
}
