package admin

import (
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// DefaultSocket is where a running gateway listens for commands.
const DefaultSocket = "/run/siegel/control.sock"

// MaxList is the largest number of messages one list holds.
const MaxList = 10_000

// List is an answer with messages, oldest first.
type List struct {
	Messages []Message `json:"messages"`
	More     bool      `json:"more"` // the queue holds more than the limit of the question let through
}

// Message is a queued message as operators see it. The texts of peers in it are as they came.
type Message struct {
	ID       mail.ID   `json:"id"`
	Origin   mail.ID   `json:"origin"` // the message as it was accepted, the same for all its variants
	From     string    `json:"from"`   // "<>": the null reverse-path
	Size     int64     `json:"size"`   // bytes
	Received time.Time `json:"received"`
	Expires  time.Time `json:"expires"`
	Note     string    `json:"note,omitempty"` // what was done to it, or what it waits for
	// Pending: it waits for its protection, until Expires, and is not delivered before.
	Pending    bool        `json:"pending,omitempty"`
	Client     Peer        `json:"client"`
	Recipients []Recipient `json:"recipients"`
}

// Peer is who handed a message over.
type Peer struct {
	Listener string     `json:"listener,omitempty"`
	Address  netip.Addr `json:"address,omitzero"`
	Helo     string     `json:"helo,omitempty"`
	User     string     `json:"user,omitempty"`
	TLS      string     `json:"tls,omitempty"`
}

// Recipient is the state of one recipient of a message.
type Recipient struct {
	Address     string      `json:"address"`
	Destination string      `json:"destination"`
	State       queue.State `json:"state"`
	Busy        bool        `json:"busy,omitempty"`     // an attempt is under way
	Rerouted    bool        `json:"rerouted,omitempty"` // an operator chose Destination
	Attempts    int         `json:"attempts"`
	Next        time.Time   `json:"next,omitzero"` // of the next attempt, where State is queued
	LastTried   time.Time   `json:"last_tried,omitzero"`
	LastReply   string      `json:"last_reply,omitempty"`
	// InQuarantine: a person has to decide on its copy, until Ends. Quarantine says why, also where it was there before.
	InQuarantine bool                `json:"in_quarantine,omitempty"`
	Ends         time.Time           `json:"ends,omitzero"`
	Quarantine   *quarantine.Details `json:"quarantine,omitempty"`
}

// MaxOrder is the largest number of ids in one [Order].
const MaxOrder = 500

// Order is what an operator wants done to recipients that wait or are held. What is done is said beside it.
type Order struct {
	IDs []mail.ID `json:"ids"` // of messages, or those under which they were accepted; at most MaxOrder
	// Only recipients that pass these, as in a filter of the list.
	Recipient   string      `json:"recipient,omitempty"`
	Destination string      `json:"destination,omitempty"`
	State       queue.State `json:"state,omitempty"`
	Reason      string      `json:"reason,omitempty"` // of a hold
	To          string      `json:"to,omitempty"`     // the destination of a reroute
	Only        []string    `json:"only,omitempty"`   // addresses of the recipients that a decision on the quarantine is for; none: all
	DryRun      bool        `json:"dry_run,omitempty"`
}

// Changes is what came of an Order, or would come of it.
type Changes struct {
	Act     string    `json:"act"`
	DryRun  bool      `json:"dry_run"`
	Changed []Change  `json:"changed"`
	Missing []mail.ID `json:"missing,omitempty"` // ids of the order that the queue does not know
}

// Change is what came of an order for one message. It holds addresses.
type Change struct {
	ID   mail.ID  `json:"id"`
	Done []string `json:"done,omitempty"`
	// Busy recipients were left as they are, since an attempt for them is under way.
	Busy []string `json:"busy,omitempty"`
	// Refused recipients were left as they are for a reason.
	Refused []Refusal `json:"refused,omitempty"`
}

// Refusal says why an order was not done for a recipient.
type Refusal struct {
	Recipient string `json:"recipient"`
	Reason    string `json:"reason"`
}

// Status is what the running gateway says of itself.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Queue   Figures   `json:"queue"`
	Failing []Failing `json:"failing"` // readiness checks that do not pass
}

// Figures are counts of the queue.
type Figures struct {
	Messages   int64     `json:"messages"`
	Recipients int64     `json:"recipients"` // that wait or are held
	Held       int64     `json:"held"`
	Pending    int64     `json:"pending"` // messages that wait for their protection
	Bytes      int64     `json:"bytes"`
	Oldest     time.Time `json:"oldest,omitzero"`
}

// Failing is a readiness check that does not pass.
type Failing struct {
	Name    string `json:"name"`
	Error   string `json:"error"`
	Advice  string `json:"advice"`
	Warning bool   `json:"warning,omitempty"` // mail is taken all the same
}

// problem is the body of every answer that is not 2xx.
type problem struct {
	Error   string   `json:"error"`
	Details []string `json:"details,omitempty"`
}

func newMessage(m queue.Message) Message {
	c := m.Envelope.Client
	out := Message{
		ID: m.Envelope.ID, Origin: m.Origin, From: sender(m.Envelope.From), Size: m.Size,
		Received: m.Envelope.Received, Expires: m.Expires, Note: m.Note, Pending: m.IsPending(),
		Client:     Peer{Listener: c.Listener, Address: c.Addr, Helo: c.Helo, User: c.User, TLS: c.TLS},
		Recipients: make([]Recipient, len(m.Recipients)),
	}
	for i, r := range m.Recipients {
		out.Recipients[i] = Recipient{
			Address: r.Address.String(), Destination: r.Destination, State: r.State, Busy: r.Busy, Rerouted: r.Rerouted,
			Attempts: r.Attempts, LastTried: r.LastTried, LastReply: r.LastReply,
			InQuarantine: r.InQuarantine(), Quarantine: detailsOf(r),
		}
		if r.State == queue.Queued {
			out.Recipients[i].Next = r.Next
		}
	}
	return out
}

func sender(a mail.Address) string {
	if a.IsNull() {
		return "<>"
	}
	return a.String()
}
