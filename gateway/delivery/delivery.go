// Package delivery schedules what is in the queue, per destination, and settles what became of it. It speaks no protocol: a Transport does.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Transport hands messages to a next hop. smtpout is one. Deliver may be called from many goroutines.
type Transport interface {
	// Deliver tries once and returns one Result for each recipient of a.Envelope, in order. It returns
	// soon after ctx ends; a recipient whose fate is then unknown is Deferred.
	Deliver(ctx context.Context, a Attempt) []Result
}

// Attempt is what a Transport is asked to do.
type Attempt struct {
	// Destination is the route's name, "mx:" and a domain, or "demail:" and an account.
	Destination string
	// Origin is the id under which the message was accepted; Envelope.ID is the one that it has in the queue.
	Origin mail.ID
	// Envelope holds only the recipients of this attempt.
	Envelope mail.Envelope
	Content  mail.Content
	// Key names message and destination, the same at each attempt, for hops that recognise repetitions.
	Key string
	// Secret means that the content was encrypted when it came: nothing that depends on it, its size
	// either, may decide what the sender learns. Transports that give a size beforehand leave it out.
	Secret bool
}

// Secret is content of which the sender must not learn what became of it, as Prepare may return it: what
// a decrypted message holds would show in reports of those who saw it (RFC 8551, 6).
type Secret interface {
	mail.Content
	// Secret reports whether it is so.
	Secret() bool
}

// Status is what an attempt came to for one recipient.
type Status string

// The statuses.
const (
	Delivered Status = "delivered"
	Deferred  Status = "deferred"
	Refused   Status = "refused"
	protected Status = "protected" // variants take its place in the queue
	Held      Status = "held"      // set aside for an operator: trying again by itself would do no good, or harm
	aside     Status = "aside"     // in quarantine until a person decides
)

// Result is what became of one recipient.
type Result struct {
	Status   Status
	Code     int    // SMTP reply code, 0 where there was none
	Enhanced string // RFC 3463 "5.1.1"; empty where unknown
	Text     string // of the reply, or what went wrong. The sender reads it where Remote is set or Status is Refused
	Remote   bool   // Code and Text are the next hop's own words
	Host     string // host and port of the hop that answered; empty where none did
	TLS      string // "TLS1.3 TLS_AES_128_GCM_SHA256 verified"; empty for plain
	// Unreachable means that the next hop could not be talked to at all, so that other messages for the
	// destination would fare no better.
	Unreachable bool
	// Content means that the result may depend on the content: it came after the content was sent, or looked at.
	Content bool
	// Insecure means that the hop does not give the TLS that is demanded of it. Text then says so to the sender, too.
	Insecure bool
	// Reports means that the next hop answers for notifications to the sender from here on (RFC 3461, 5.2.2).
	Reports bool
	// Doubt means that the next hop may have the message, whatever the Status: where it is not tried any more it is
	// held, and its sender is never told that it was not delivered.
	Doubt bool
	// Pause is how long the next attempt waits at least, unless somebody makes it due.
	Pause time.Duration

	refusal *Refusal  // whose words reports have; may be nil
	hidden  bool      // the sender must not learn of it
	before  time.Time // of the next attempt, at the latest; zero: as the schedule has it
	judged  bool      // the transport of this message gave it
	aside   string    // why it is in quarantine, as queue.Outcome.Quarantine says
}

// InDoubt begins the reply of a recipient whose message the next hop may have, for operators.
const InDoubt = "in doubt: "

// Reply is the result on one line, for operators.
func (r Result) Reply() string {
	s := r.Text
	if r.Enhanced != "" {
		s = r.Enhanced + " " + s
	}
	if r.Code != 0 {
		s = fmt.Sprintf("%d %s", r.Code, s)
	}
	if r.Doubt {
		s = InDoubt + s
	}
	return s
}

// Refusal is an error of Prepare that no further attempt will mend: the recipients fail and the sender is
// told Text. Every other error of Prepare is temporary.
type Refusal struct {
	Code     int          // 554 where 0
	Enhanced string       // "5.6.0"
	Text     string       // ASCII, for the sender of the message
	Said     []texts.Said // the same for reports to it, by recipient where they name one; may be nil
	Err      error        // for the log; may be nil
}

// Error is the text with its cause.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return r.Text
	}
	return r.Text + ": " + r.Err.Error()
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// saidOf is what is said of a recipient: what names it, else all, since one who is refused keeps a message from everybody.
func (r *Refusal) saidOf(to mail.Address) []texts.Said {
	if r == nil {
		return nil
	}
	for _, s := range r.Said {
		if s.Values.Recipient == to.String() {
			return []texts.Said{s}
		}
	}
	return r.Said[:min(len(r.Said), maxSaid)]
}

// maxSaid is how many reasons a report gives of others than the recipient.
const maxSaid = 3

// Wait is an error of Prepare or Protect for a message that needs something which is away for a while: a key,
// a certificate, a directory. It is temporary, and the sender is not told of it before the message expires; of
// mail from outside not even then.
type Wait struct {
	Line  string    // what is away, for operators
	Until time.Time // it is tried again by then at the latest; zero: as the schedule has it
	// Alone: it says nothing of others that wait in the same line, which are tried nevertheless.
	Alone bool
	Pause time.Duration // it is not tried again before that, unless somebody makes it due
	Err   error
}

// Error is the text of the cause.
func (w *Wait) Error() string { return w.Err.Error() }

// Unwrap gives the cause.
func (w *Wait) Unwrap() error { return w.Err }

// Route is the way to a recipient.
type Route struct {
	// Name is the destination that schedules it: messages of one name share connections and limits.
	Name      string
	Transport Transport
	// Concurrency bounds attempts at once; 0: Options.PerDestination.
	Concurrency int
	// Retry, where it has steps, takes the place of Options.Retry.
	Retry Retry
	// Lifetime, where it is not 0, is how long a recipient is tried from the arrival of the message, or from when it was protected, and a report
	// in place of Options.Lifetime. It does not reach beyond the message's own end, which alone counts for what a person released from quarantine.
	Lifetime time.Duration
	// PerDomain tells that the destination is one of many, each for a domain that may be anybody's. A quarter of
	// Options.Concurrency is kept free of them, so that strangers who are slow hold up nobody else.
	PerDomain bool
	// DelayAfter takes the place of Options.DelayAfter; 0: it does not, negative: the sender is never told.
	DelayAfter time.Duration
}

// terms are the limits of a destination, as its route has them.
type terms struct {
	concurrency int
	retry       Retry
	perDomain   bool
	lifetime    time.Duration // 0: as long as the message has
	delayAfter  time.Duration // 0: never
}

// terms are those of a route, or of none.
func (o *Options) terms(r Route) terms {
	t := terms{concurrency: r.Concurrency, retry: r.Retry, perDomain: r.PerDomain, lifetime: r.Lifetime, delayAfter: r.DelayAfter}
	if t.concurrency <= 0 {
		t.concurrency = o.PerDestination
	}
	if len(t.retry.Steps) == 0 {
		t.retry = o.Retry
	}
	if t.delayAfter == 0 {
		t.delayAfter = o.DelayAfter
	}
	t.delayAfter = max(t.delayAfter, 0)
	return t
}

// ends is when a message is given up for the recipients of a route; zero: never.
func (t terms) ends(m *queue.Message) time.Time {
	if m.IsArchive() {
		return time.Time{}
	}
	if t.lifetime <= 0 {
		return m.Expires
	}
	own := begun(m).Add(t.lifetime)
	if m.Expires.IsZero() || own.Before(m.Expires) {
		return own
	}
	return m.Expires
}

// begun is when a message got the form in which it is delivered. Of what waited for its protection, or for somebody who was asked, that is later than it came.
func begun(m *queue.Message) time.Time {
	if made := m.Envelope.ID.Time(); made.After(m.Envelope.Received) {
		return made
	}
	return m.Envelope.Received
}

// ErrNoRoute means that no route leads to an address.
var ErrNoRoute = errors.New("delivery: no route leads to this address; add one to the configuration")

// Router knows the way to every recipient. It may change its mind between calls, as after a reload.
type Router interface {
	// Destination names the destination of an address when it is put into the queue; ErrNoRoute.
	Destination(mail.Address) (string, error)
	// Route gives the way at the moment of an attempt; ErrNoRoute.
	Route(mail.Address) (Route, error)
	// DeMail gives the way of an account at a De-Mail provider, which alone is asked for messages with
	// Envelope.DeMail, whoever their recipients are and whatever an operator chose; ErrNoRoute.
	DeMail(account string) (Route, error)
	// Archive gives the way to an archive by its name, which alone is asked for copies for archives (queue.Message.IsArchive);
	// ErrNoRoute.
	Archive(name string) (Route, error)
}

// Prepared is what is done for some of the due recipients of a claim, who get the same.
type Prepared struct {
	Rows    []int        // indexes into Claim.Message.Recipients
	Content mail.Content // what they get; nil: see Aside
	// Aside, where it is not nil, sets their copies aside in quarantine, and no transport sees them.
	Aside *Aside
	// Wait, where it is not empty, is why the copies can neither be sent nor set aside now, for operators: they are tried again later.
	Wait string
	// Silent: of other content the copies would have been set aside, so that no report may tell a sender outside what becomes of them.
	Silent bool
}

// Aside is why a copy goes into quarantine.
type Aside struct {
	Why     string // for operators: the last reply
	Details string // queue.Outcome.Quarantine; not empty
}

// Prepare gives, for each due recipient of a claim, what is sent: what is stored, or what becomes of it on the way (an
// incoming message is decrypted here). A recipient who is in none of the parts is tried again later. release is called once, after the
// attempt, and may be nil. It returns when ctx ends. An error that wraps a *Refusal is permanent.
type Prepare func(ctx context.Context, c queue.Claim) (parts []Prepared, release func(), err error)

// Whole is the Prepare that gives the same content to all recipients.
func Whole(content func(ctx context.Context, c queue.Claim) (mail.Content, func(), error)) Prepare {
	return func(ctx context.Context, c queue.Claim) ([]Prepared, func(), error) {
		content, release, err := content(ctx, c)
		if err != nil {
			return nil, release, err
		}
		return []Prepared{{Rows: c.Due, Content: content}}, release, nil
	}
}

// Protect gives the variants that take the place of a message which waits for its protection
// (queue.Message.IsPending). release is called once, after they are in the queue or not, and may be nil. It
// returns when ctx ends. An error that wraps a *Refusal is permanent, as one of Prepare.
type Protect func(ctx context.Context, c queue.Claim) (variants []queue.New, release func(), err error)

// Options are a Scheduler's parts and limits. Zero limits take the values given.
type Options struct {
	Store  queue.Store
	Router Router
	// Chosen gives the way that an operator chose by name for a recipient, and refuses what policy forbids at
	// this moment; nil: there is none.
	Chosen  func(name string, env mail.Envelope, to mail.Address) (Route, error)
	Prepare Prepare // nil: the content as it is stored
	// Protect protects what waits for it; nil: such messages are held. They are never given to a Transport,
	// whatever their destination is.
	Protect Protect
	// Waits says what such a message waits for, for a sender whom it comes back to; nil, or the zero Said: its Note says it.
	Waits func(queue.Message) texts.Said
	// Entered is told each variant of Protect once it is in the queue; nil: nobody is.
	Entered func(queue.New)
	// Kept is told of recipients of a message that a provider of De-Mail has forgotten (mail.Envelope.Fetched) and that had to be held, and of the
	// last reply; nil: nobody is. It must not wait long.
	Kept func(m queue.Message, to []string, reply string)
	// Texts gives the words of reports; nil: the texts as they come. It may be called at once.
	Texts func() *texts.Texts
	// SignReport signs the reports that are written; nil: they go unsigned. It may be called at once.
	SignReport SignReport
	Recorder   track.Recorder
	Log        logrus.FieldLogger
	// Hostname is this machine's name, in reports to senders.
	Hostname string
	Retry    Retry // no steps: DefaultRetry
	// Lifetime is how long a report is tried (5 days).
	Lifetime time.Duration
	// DelayAfter is when a sender is told of a delay, once; 0: never.
	DelayAfter time.Duration
	// ProtectRetry is when protection is tried again; no steps: 5 seconds first, 5 minutes at last.
	ProtectRetry   Retry
	Protecting     int           // messages being protected at once, beside the attempts of Concurrency (16)
	PerProtection  int           // of them for one destination (4)
	PerDestination int           // attempts at once for one destination (20)
	Concurrency    int           // attempts at once (200)
	Lanes          int           // destinations per domain that are worked on at once; the others wait (four times Concurrency)
	Lease          time.Duration // of a claim, renewed while an attempt lasts (5 minutes)
	Longest        time.Duration // an attempt is cut after it (1 hour)
	Refresh        time.Duration // between looks at the store for work nobody announced (1 minute)
	Grace          time.Duration // for attempts in flight when Run is told to stop (5 seconds)
	Now            func() time.Time
}
