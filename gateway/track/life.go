package track

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// ErrNotFound is the error of an id that the record does not hold.
var ErrNotFound = errors.New("track: no such message in the record")

// Query selects messages of a record. Zero fields select everything; all fields together must hold.
type Query struct {
	Sender      string    // see [Match]
	Recipient   string    // see [Match]
	MessageID   string    // with or without its angle brackets
	Client      string    // address of who handed it over
	User        string    // who logged in
	Destination string    // route, or "mx:" and a domain
	State       Kind      // what became of a recipient, as Outcome.State has it
	From, To    time.Time // when it came: from From on, before To
	Before      int64     // Found.Next of the page before
	Limit       int       // 0: 100
}

// Match reports whether an address is what was asked for, without regard to case: an address with an @ is
// compared as a whole, "@domain" with its domain, "<>" with the null sender, and any other text is looked for
// within it.
func Match(asked, address string) bool {
	asked, address = strings.ToLower(asked), strings.ToLower(address)
	switch {
	case asked == "<>":
		return address == ""
	case strings.HasPrefix(asked, "@"):
		return strings.HasSuffix(address, asked)
	case strings.Contains(asked, "@"):
		return address == asked
	}
	return strings.Contains(address, asked)
}

// Found is one page of the answer to a Query, newest message first.
type Found struct {
	Messages []Message `json:"messages"`
	// Next goes on where this page ends, as Query.Before; 0 where there is nothing more.
	Next int64 `json:"next,omitempty"`
	// Cut tells that the search ended early since it had read as much as one search may: what is not on this
	// page may be on the next.
	Cut bool `json:"cut,omitempty"`
}

// Message is a message in the record, in short.
type Message struct {
	ID         mail.ID        `json:"id"` // as it was accepted
	Time       time.Time      `json:"time"`
	Direction  mail.Direction `json:"direction,omitempty"`
	From       string         `json:"from"`
	Recipients []Outcome      `json:"recipients"`
	MessageID  string         `json:"message_id,omitempty"`
	Subject    string         `json:"subject,omitempty"`
	Client     Client         `json:"client"`
	Size       int64          `json:"size,omitempty"`
	Reply      string         `json:"reply,omitempty"` // of a refusal of the whole
}

// Outcome is what has become of one recipient.
type Outcome struct {
	Address     string    `json:"address"`
	State       Kind      `json:"state"` // Queued, Held, Quarantined, Delivered, Deferred, Failed, Refused, Returned or Dropped
	Time        time.Time `json:"time"`
	Destination string    `json:"destination,omitempty"`
	Reply       string    `json:"reply,omitempty"`
}

// Life is all that a record holds of a message, in the order of time.
type Life struct {
	Message Message `json:"message"`
	Steps   []Step  `json:"steps"`
}

// Step is an event as it is kept and shown.
type Step struct {
	Time           time.Time      `json:"time"`
	Kind           Kind           `json:"kind"`
	ID             mail.ID        `json:"id,omitempty"`
	Origin         mail.ID        `json:"origin,omitempty"`
	Direction      mail.Direction `json:"direction,omitempty"`
	From           string         `json:"from,omitempty"`
	To             []string       `json:"to,omitempty"`
	Client         Client         `json:"client,omitzero"`
	Size           int64          `json:"size,omitempty"`
	MessageID      string         `json:"message_id,omitempty"`
	Subject        string         `json:"subject,omitempty"`
	Flags          string         `json:"flags,omitempty"`
	Known          string         `json:"known,omitempty"`
	Rule           string         `json:"rule,omitempty"`
	Why            []string       `json:"why,omitempty"`
	Lowered        []string       `json:"lowered,omitempty"`
	Dry            []string       `json:"dry_run,omitempty"`
	SignedBy       string         `json:"signed_by,omitempty"`
	EncryptedTo    []string       `json:"encrypted_to,omitempty"`
	Algorithms     string         `json:"algorithms,omitempty"`
	DKIM           string         `json:"dkim,omitempty"`
	Authentication string         `json:"authentication,omitempty"`
	Verdict        string         `json:"verdict,omitempty"`
	Layers         []string       `json:"layers,omitempty"`
	Destination    string         `json:"destination,omitempty"`
	Host           string         `json:"host,omitempty"`
	TLS            string         `json:"tls,omitempty"`
	Reply          string         `json:"reply,omitempty"`
	Attempt        int            `json:"attempt,omitempty"`
	Next           time.Time      `json:"next,omitzero"`
	Elapsed        time.Duration  `json:"elapsed_ns,omitempty"`
	By             string         `json:"by,omitempty"`
}

// Client is mail.Client as it is kept and shown.
type Client struct {
	Listener string     `json:"listener,omitempty"`
	Addr     netip.Addr `json:"address,omitzero"`
	Helo     string     `json:"helo,omitempty"`
	User     string     `json:"user,omitempty"`
	TLS      string     `json:"tls,omitempty"`
	Cert     string     `json:"certificate,omitempty"`
}

// NewStep returns e as it is kept. It shares the slices of e.
func NewStep(e Event) Step {
	c := e.Client
	return Step{
		Time: e.Time, Kind: e.Kind, ID: e.ID, Origin: e.Origin, Direction: e.Direction, From: e.From, To: e.To,
		Client: Client{Listener: c.Listener, Addr: c.Addr, Helo: c.Helo, User: c.User, TLS: c.TLS, Cert: c.Certificate},
		Size:   e.Size, MessageID: e.MessageID, Subject: e.Subject, Flags: e.Flags, Known: e.Known, Rule: e.Rule, Why: e.Why, Lowered: e.Lowered, Dry: e.Dry,
		SignedBy: e.SignedBy, EncryptedTo: e.EncryptedTo, Algorithms: e.Algorithms, DKIM: e.DKIM, Authentication: e.Authentication.String(), Verdict: e.Verdict, Layers: e.Layers,
		Destination: e.Destination, Host: e.Host, TLS: e.TLS, Reply: e.Reply, Attempt: e.Attempt, Next: e.Next,
		Elapsed: e.Elapsed, By: e.By,
	}
}

// Summary tells in short what steps, which are in the order of time, say of the message with the id.
func Summary(id mail.ID, steps []Step) Message {
	s := summary{Message: Message{ID: id, Recipients: []Outcome{}}, at: map[string]int{}, reports: map[mail.ID]bool{}}
	for _, step := range steps {
		s.add(step)
	}
	return s.Message
}

type summary struct {
	Message
	at      map[string]int   // of a recipient in Recipients, by its address in lower case
	reports map[mail.ID]bool // ids of notifications and requests about the message
}

func (s *summary) add(step Step) {
	if s.Time.IsZero() {
		s.Time = step.Time
	}
	if step.Kind == Reported || step.Kind == Asked {
		s.reports[step.ID] = true
	}
	if s.reports[step.ID] {
		return // how a notification fares is not how the message fares
	}
	s.describe(step)
	if step.Kind == Refused && len(step.To) == 0 {
		s.Reply = step.Reply
	}
	for _, to := range step.To {
		s.outcome(to, step)
	}
}

// describe takes over what the first step that knows says.
func (s *summary) describe(step Step) {
	take(&s.Direction, step.Direction)
	take(&s.From, step.From)
	take(&s.MessageID, step.MessageID)
	take(&s.Subject, step.Subject)
	if s.Client == (Client{}) {
		s.Client = step.Client
	}
	if step.Kind == Accepted || s.Size == 0 {
		s.Size = max(step.Size, s.Size)
	}
}

func take[T ~string](to *T, from T) {
	if *to == "" {
		*to = from
	}
}

// outcome notes what a step means for a recipient.
func (s *summary) outcome(to string, step Step) {
	key := strings.ToLower(to)
	i, known := s.at[key]
	if !known {
		i = len(s.Recipients)
		s.at[key] = i
		s.Recipients = append(s.Recipients, Outcome{Address: to})
	}
	o := &s.Recipients[i]
	switch step.Kind {
	case Accepted, Decided, Protected, Opened:
		if o.State == "" && step.Kind == Accepted {
			o.State, o.Time = Queued, step.Time
		}
	case Queued, Released, Rerouted:
		if o.State == "" || o.State == Held || o.State == Quarantined || step.Kind != Queued {
			o.State, o.Time, o.Reply = Queued, step.Time, ""
		}
	case Held, Quarantined, Delivered, Deferred, Failed, Refused, Returned, Dropped:
		o.State, o.Time, o.Reply = step.Kind, step.Time, step.Reply
	}
	if step.Destination != "" && !strings.Contains(step.Destination, ", ") {
		o.Destination = step.Destination
	}
}

// Selects reports whether a message is what q asks for, as far as a Message tells.
func (q Query) Selects(m Message) bool {
	switch {
	case q.Sender != "" && !Match(q.Sender, m.From),
		q.MessageID != "" && BareID(q.MessageID) != BareID(m.MessageID),
		q.Client != "" && q.Client != m.Client.Addr.String(),
		q.User != "" && !strings.EqualFold(q.User, m.Client.User),
		!q.From.IsZero() && m.Time.Before(q.From), !q.To.IsZero() && !m.Time.Before(q.To):
		return false
	}
	if q.Recipient == "" && q.State == "" && q.Destination == "" {
		return true
	}
	return slices.ContainsFunc(m.Recipients, func(o Outcome) bool {
		return (q.Recipient == "" || Match(q.Recipient, o.Address)) && (q.State == "" || q.State == o.State) &&
			(q.Destination == "" || q.Destination == o.Destination)
	})
}

// BareID is a Message-ID without what may stand around it.
func BareID(s string) string { return strings.Trim(strings.TrimSpace(s), "<>") }
