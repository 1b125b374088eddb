// Package queue is the contract of the durable queue: what a store keeps, hands out and settles. It stores nothing itself.
//
// The queue holds only what the internet may see. One accepted message becomes one or more [New] entries
// (its variants); all of them are put in one commit. The unit of delivery is one message for one
// destination: [Store.Claim] hands it out under a lease, [Store.Settle] records what became of it.
package queue

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// State is what has become of one recipient.
type State string

// The states of a recipient. Delivered, Failed and Dropped are final.
const (
	Queued    State = "queued"    // waits for its next attempt
	Held      State = "held"      // set aside until an operator acts; LastReply says why
	Delivered State = "delivered" // the next hop has it
	Failed    State = "failed"    // refused for good, or out of time; the sender was told
	Dropped   State = "dropped"   // an operator removed it
)

// Final reports whether nothing more is to be done for a recipient in state s.
func (s State) Final() bool { return s == Delivered || s == Failed || s == Dropped }

// Errors of every Store. All of them are temporary for whoever hands a message over.
var (
	ErrNotFound    = errors.New("queue: no such message")
	ErrExists      = errors.New("queue: a message with this id is there already")
	ErrLeaseLost   = errors.New("queue: the lease has passed to another")
	ErrLeased      = errors.New("queue: every recipient in question is being delivered right now; try again when the attempt has ended")
	ErrDamaged     = errors.New("queue: the content of a message cannot be read back")
	ErrFull        = errors.New("queue: the disk is full; free some space or move the queue's directory")
	ErrUnavailable = errors.New("queue: the storage failed and is being checked")
	ErrClosed      = errors.New("queue: closed")
)

// ProtectPrefix begins the destinations of messages that wait for their protection; what they wait for follows.
const ProtectPrefix = "protect:"

// DeMailPrefix begins the destinations of messages that are handed to a provider of De-Mail (mail.Envelope.DeMail); the name of the account
// follows.
const DeMailPrefix = "demail:"

// ArchivePrefix begins the destinations of copies for an archive (New.Archive); the name of the archive follows.
const ArchivePrefix = "archive:"

// Quarantine is the destination of what is in quarantine: Held there until a person decides, and never tried.
const Quarantine = "quarantine:"

// New is one variant of a message, or a copy for an archive, to be put.
type New struct {
	// Envelope is the variant's own: its ID names it in the queue, its Recipients are the rows.
	Envelope mail.Envelope
	// Destinations holds, for each recipient in order, the destination that schedules it (a route name,
	// or "mx:" or "backup:" and a domain, or one of the prefixes above). It must be as long as Envelope.Recipients.
	Destinations []string
	Content      mail.Content
	// Origin is the id under which the message was accepted, the same for all its variants.
	Origin mail.ID
	// Note says in a few words what was done to it, for operators: "signed, encrypted by rule partner".
	Note string
	// Hold, where it is not empty, is why the recipients begin as Held instead of Queued; it is their LastReply.
	// Nothing is tried until an operator acts.
	Hold    string
	Due     time.Time // of the first attempt
	Expires time.Time // after it, an unsuccessful recipient fails
	// Pending, where it is not nil, says that the content must not leave: the message waits for its
	// protection, whatever its destinations are, and what may leave is put in its place by Settle. It holds
	// what protection has to know of the moment of acceptance, and rests sealed like the envelope.
	Pending []byte
	// Archive, where it is not nil, says that the content is a message as it came, to be kept in an archive: whatever its
	// destinations are, it goes to the archive that they name, or nowhere. It holds what was known when the message was
	// accepted, and rests sealed like the envelope, which has no DeMail then; nor is there Pending.
	Archive []byte
	// Quarantine says for each recipient in order why its copy is in quarantine, or was: what package quarantine writes. It rests
	// sealed. nil: none is.
	Quarantine []string
}

// Message is a stored variant without its content.
type Message struct {
	Envelope mail.Envelope // without MayUse, which is of the moment of acceptance
	Origin   mail.ID
	Note     string
	Size     int64 // of the content
	Expires  time.Time
	Pending  []byte // as it was put
	Archive  []byte // as it was put
	// Recipients are in the order of Envelope.Recipients.
	Recipients []Recipient
}

// IsPending reports whether the message waits for its protection: its content must not leave as it is.
func (m Message) IsPending() bool { return m.Pending != nil }

// IsArchive reports whether the message is a copy for an archive: its content is for that alone.
func (m Message) IsArchive() bool { return m.Archive != nil }

// Recipient is one row: the state of one recipient of one message.
type Recipient struct {
	mail.Recipient
	Destination string
	State       State
	Attempts    int
	Next        time.Time // of the next attempt, where State is Queued
	LastReply   string    // the last reply or error text, for operators; cut to 512 bytes
	LastTried   time.Time
	// Busy: a lease covers it, an attempt is under way. Only List tells.
	Busy bool
	// Rerouted: an operator chose Destination, which the attempt goes to whatever the routing says.
	Rerouted bool
	// Hidden: what became of an attempt depends on what an encrypted message held, so that no report may
	// tell the sender of it.
	Hidden bool
	// Quarantine says why its copy is in quarantine, or was; empty: it never was.
	Quarantine string
}

// InQuarantine reports whether its copy waits for a person to decide.
func (r Recipient) InQuarantine() bool { return r.State == Held && r.Destination == Quarantine }

// Claim is a lease on the due recipients of one message for one destination.
type Claim struct {
	Message     Message // all recipients, whatever their state
	Due         []int   // indexes into Message.Recipients that this claim covers
	Destination string
	Token       string // of the lease; opaque
	Until       time.Time
}

// Outcome is what an attempt did for one recipient of a claim. It counts as an attempt.
type Outcome struct {
	Index int       // into Claim.Message.Recipients, one of Claim.Due
	State State     // any; Queued for another try
	Reply string    // for operators
	Tried time.Time // of the attempt; zero: when it was settled
	Next  time.Time // of the next one, where State is Queued
	// Hidden makes Recipient.Hidden true, for good.
	Hidden bool
	// Quarantine, where it is not empty, says why the copy is set aside: State is Held, and its destination is Quarantine from here on.
	Quarantine string
}

// Order is what an operator does to recipients of a message that are queued or held.
type Order struct {
	Only  []int     // indexes into Message.Recipients; nil: all
	From  []State   // only those in one of these states; nil: Queued and Held
	State State     // the new one; empty: as it is. Any but Delivered
	Due   time.Time // of the next attempt, where that is Queued; zero: as it is
	Reply string    // the new LastReply; empty: as it is
	// Destination is the new one, which makes it Rerouted; empty: as it is.
	Destination string
	// Routed says that Destination is that of the routing, so that it is not Rerouted.
	Routed bool
	// Quarantine is the new Recipient.Quarantine; empty: as it is.
	Quarantine string
	// Expires puts off the end of the whole message, where it is later; zero: as it is.
	Expires time.Time
	// Reports are put in the same commit. With them all of Only are changed, or none.
	Reports []New
}

// Filter selects messages for operators. Zero fields select everything; Recipient, Destination and State
// together mean one recipient.
type Filter struct {
	ID          mail.ID   // or the id of origin
	After       mail.ID   // only messages put after this one, for reading page by page
	Before      time.Time // only messages that arrived before
	Sender      string    // substring, case-insensitive
	Recipient   string    // substring, case-insensitive
	Destination string
	State       State
	Pending     bool // only messages that wait for their protection
	Limit       int  // 0: 100
}

// Selects reports whether r passes what f says about recipients.
func (f Filter) Selects(r Recipient) bool {
	return (f.Destination == "" || r.Destination == f.Destination) && (f.State == "" || r.State == f.State) &&
		(f.Recipient == "" || strings.Contains(r.Address.Key(), strings.ToLower(f.Recipient)))
}

// Due tells when a destination next has work: the earliest due time of its queued recipients, where for
// one under a lease the end of the lease counts.
type Due struct {
	Destination string
	At          time.Time
}

// Store is a durable queue. All methods may be called at once. An error that is none of this package's
// is a fault of the storage: what was asked may or may not have happened, except that Put and Settle
// either happened whole or not at all. A context that ends while a method waits ends the waiting only
// where nothing was done yet; what has begun is waited for, so that its result is the truth.
//
// Times are kept to the millisecond.
type Store interface {
	// Put makes all entries durable in one commit: when it returns nil they are on stable storage
	// (invariant 1); when it returns an error of this package or of ctx none of them is in the queue.
	// ErrExists, ErrFull, ErrUnavailable. Without entries it does nothing.
	Put(ctx context.Context, entries []New) error

	// Destinations lists each destination that has queued recipients, in no particular order.
	Destinations(ctx context.Context) ([]Due, error)

	// Claim leases up to limit messages of one destination whose recipients are due at now, oldest due
	// first, until now+lease. A recipient under a lease that has not passed is not claimed again. A
	// message whose envelope cannot be read back is Held instead of claimed.
	Claim(ctx context.Context, destination string, now time.Time, lease time.Duration, limit int) ([]Claim, error)

	// Renew moves the end of a lease; ErrLeaseLost where it has passed to another or was settled.
	Renew(ctx context.Context, c Claim, until time.Time) error

	// Settle records outcomes, ends the lease and puts entries in the same commit: reports, or the protected
	// variants of a message that waited for its protection. A recipient of the claim without an outcome goes back as it was. When every recipient of a message is in a final
	// state, the message and its content are deleted. ErrLeaseLost where the lease has passed to another
	// or was settled: then nothing is recorded, and no entry is put.
	Settle(ctx context.Context, c Claim, outcomes []Outcome, entries []New) error

	// Open returns the content of a message; ErrNotFound, ErrDamaged. Also the reader may return
	// ErrDamaged, before any byte that was not stored.
	Open(ctx context.Context, id mail.ID) (io.ReadCloser, error)

	// List returns messages, oldest first, for operators.
	List(ctx context.Context, f Filter) ([]Message, error)

	// Change does what an operator orders and returns the indexes of the recipients it changed, in order.
	// Recipients under a lease are left alone: ErrLeased where that leaves nothing to do, or keeps an
	// order with reports from being done whole. ErrNotFound where nothing in the message is meant by o.
	// When every recipient is in a final state then, the message is deleted as by Settle. Errors as of
	// Put, where o has reports.
	Change(ctx context.Context, id mail.ID, o Order) ([]int, error)

	// Retry is Change to Queued, due now, of all queued and held recipients; Drop is Change to Dropped.
	Retry(ctx context.Context, id mail.ID, now time.Time) error
	Drop(ctx context.Context, id mail.ID) error

	// Stats counts for metrics and health. Its cost does not grow with the queue.
	Stats(ctx context.Context) (Stats, error)

	// Usage counts what waits for a destination, queued or held. Its cost grows with that.
	Usage(ctx context.Context, destination string) (Usage, error)

	// Hasten makes queued recipients of a destination due now whose next attempt is after later, at most limit of
	// them, the latest first. It returns how many; those under a lease are left alone.
	Hasten(ctx context.Context, destination string, later, now time.Time, limit int) (int, error)

	// Close returns after the last commit; the methods fail with ErrClosed afterwards.
	Close() error
}

// Usage is what waits for one destination. A message with several recipients there counts once.
type Usage struct {
	Messages int64
	Bytes    int64 // of their content
	Pending  int64 // of Messages, those that wait for their protection
}

// Stats are the queue's figures.
type Stats struct {
	Messages   int64     // stored
	Recipients int64     // in state Queued or Held
	Held       int64     // in state Held
	Pending    int64     // messages that wait for their protection
	Bytes      int64     // of content
	Oldest     time.Time // arrival of the oldest message; zero where there is none
}
