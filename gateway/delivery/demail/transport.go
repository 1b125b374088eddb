// Package demail delivers by a provider of De-Mail, and never hands it a message twice. It speaks no protocol: a connectors.Provider does.
//
// Before a message is submitted the record says so ([Record]), durably. An attempt that finds an earlier one without an end asks the provider for
// its key first, and only where that is told for certain that it has no such message, some time after, the message is submitted again. What nobody
// can tell is held for a person, and is never reported as undelivered.
package demail

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// Record is what is known of submissions, on stable storage. proof.Store is one.
type Record interface {
	// Begin says that a message is about to be submitted, and returns what was known of it before.
	Begin(ctx context.Context, m proof.Submission) (proof.State, error)
	// Settle says what became of it.
	Settle(ctx context.Context, key string, r proof.Result) error
	// Named lists the submissions of a message by its id in the queue, and others.
	Named(ctx context.Context, id string) ([]proof.Record, error)
	// List and Doubtful list those of an account.
	List(ctx context.Context, f proof.Filter) (proof.Page, error)
	Doubtful(ctx context.Context, account string) ([]proof.Record, error)
}

// Options are an account, and what its transport works with.
type Options struct {
	Account  string
	Provider connectors.Provider
	Record   Record
	// Flights are the account's, the same for every transport it ever has in this process; nil: the transport is the only one.
	Flights *Flights
	Host    string // of the provider, as events name it; empty: the account
	// Quiet is how long after an answer was lost the provider's word is not taken that it has no such message: it may still be at it (5 minutes).
	Quiet time.Duration
	// Due is told the id of a message in the queue that was in doubt and is no longer, so that it goes on; nil: nobody is.
	Due func(ctx context.Context, id mail.ID) error
	// Held is told of a submission that is held for a person, once in the life of the process; nil: nobody is.
	Held func(account, key string, id mail.ID)
	// Count is told what became of each request to submit; nil: nobody is.
	Count func(connectors.Outcome)
	Now   func() time.Time
	Log   logrus.FieldLogger
}

// Transport is a delivery.Transport by one account. It may be used from many goroutines.
type Transport struct{ o Options }

// ErrOptions is the error of New.
var ErrOptions = errors.New("demail: a transport needs the name of an account, its provider and the record")

// New makes a Transport; it asks nobody yet.
func New(o Options) (*Transport, error) {
	if o.Account == "" || o.Provider == nil || o.Record == nil {
		return nil, ErrOptions
	}
	if o.Flights == nil {
		o.Flights = new(Flights)
	}
	if o.Host == "" {
		o.Host = o.Account
	}
	if o.Quiet <= 0 {
		o.Quiet = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	o.Flights.start(o.Now())
	return &Transport{o}, nil
}

// attempt is one call of Deliver.
type attempt struct {
	*Transport
	delivery.Attempt
	to      []demail.Address  // of the recipients, in order; the zero one is no address of De-Mail
	results []delivery.Result // of them; without a Status: not yet
	known   []proof.Record    // what was submitted of this message before, the oldest first
}

// Deliver implements delivery.Transport. What was submitted is delivered once the provider has taken it and the record says so.
func (t *Transport) Deliver(ctx context.Context, d delivery.Attempt) []delivery.Result {
	a := &attempt{Transport: t, Attempt: d, results: make([]delivery.Result, len(d.Envelope.Recipients))}
	if d.Envelope.DeMail == nil || d.Envelope.DeMail.Account != t.o.Account {
		return a.all(delivery.Result{Status: delivery.Held, Text: "held, since it is not De-Mail of the account " + t.o.Account})
	}
	leave, ok := t.o.Flights.enter(ctx, d.Envelope.ID)
	if !ok {
		return a.all(doubt("an earlier attempt has not ended yet"))
	}
	defer leave()
	var err error
	if a.known, err = t.submissions(ctx, d.Envelope.ID); err != nil {
		return a.all(doubt("the De-Mail record cannot be read: " + err.Error()))
	}
	a.address()
	for i := range a.known {
		a.follow(ctx, &a.known[i])
	}
	if rest := a.open(); len(rest) > 0 {
		a.set(rest, a.submit(ctx, rest))
	}
	return a.results
}

// submissions are those of a message in the queue, the oldest first.
func (t *Transport) submissions(ctx context.Context, id mail.ID) ([]proof.Record, error) {
	all, err := t.o.Record.Named(ctx, string(id))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r proof.Record) bool { return r.ID != id || r.Account != t.o.Account })
	slices.Reverse(all)
	return all, nil
}

// address reads the addresses of the recipients. What is none of De-Mail is refused.
func (a *attempt) address() {
	a.to = make([]demail.Address, len(a.results))
	for i, r := range a.Envelope.Recipients {
		to, err := demail.ParseAddress(r.Address.String())
		if err != nil {
			a.results[i] = delivery.Result{Status: delivery.Refused, Code: 553, Enhanced: "5.1.3", Text: "this is not written as a De-Mail address is"}
		}
		a.to[i] = to
	}
}

// all gives every recipient the same result.
func (a *attempt) all(r delivery.Result) []delivery.Result {
	for i := range a.results {
		a.results[i] = r
	}
	return a.results
}

func (a *attempt) set(rows []int, r delivery.Result) {
	for _, i := range rows {
		a.results[i] = r
	}
}

// open are the recipients without a result.
func (a *attempt) open() (rows []int) {
	for i, r := range a.results {
		if r.Status == "" {
			rows = append(rows, i)
		}
	}
	return rows
}

// follow gives those recipients a result whose last submission s was, unless it left them where they were before: then they are open. An operator
// may have kept some back from one, who then are in another.
func (a *attempt) follow(ctx context.Context, s *proof.Record) {
	var rows []int
	for _, i := range a.open() {
		if a.last(a.to[i]) == s {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		return
	}
	if r, settled := a.fate(ctx, s); settled {
		a.set(rows, r)
	}
}

// last is the last submission to an address; nil where there is none.
func (a *attempt) last(to demail.Address) *proof.Record {
	for i := len(a.known) - 1; i >= 0; i-- {
		if slices.ContainsFunc(a.known[i].Recipients.All(), func(m demail.Mailbox) bool { return m.Address == to }) {
			return &a.known[i]
		}
	}
	return nil
}
