// Package demailadmin carries out the commands of operators on the record of De-Mail; it prints nothing.
package demailadmin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Options are what the commands work on.
type Options struct {
	Store *proof.Store
	// Stamp is the configured authority's at the time that it is asked for; nil, or a nil Stamp: none.
	Stamp func() bundle.Stamp
	// Resolved is told that a person decided whether the provider has a De-Mail, so that the queue goes on with it; nil: nobody is.
	Resolved func(context.Context, proof.Record)
}

// List asks for De-Mails that were sent, or with Incoming for what was fetched, or with Unmatched for confirmations that belong to nothing.
type List struct {
	Account   string      `json:"account,omitempty"`
	State     proof.State `json:"state,omitempty"`
	Sender    string      `json:"sender,omitempty"`
	Recipient string      `json:"recipient,omitempty"`
	Awaiting  bool        `json:"awaiting,omitempty"`
	Late      bool        `json:"late,omitempty"`
	From      time.Time   `json:"from,omitzero"`
	To        time.Time   `json:"to,omitzero"`
	Before    int64       `json:"before,omitempty"`
	Limit     int         `json:"limit,omitempty"`
	Incoming  bool        `json:"incoming,omitempty"`
	Unmatched bool        `json:"unmatched,omitempty"`
}

// Listed is the answer, the newest first. Next is Before of the next page; 0 where there is none.
type Listed struct {
	Messages []bundle.Message `json:"messages"`
	Arrivals []Arrival        `json:"arrivals,omitempty"`
	Came     []bundle.Came    `json:"unmatched,omitempty"`
	Next     int64            `json:"next,omitempty"`
}

// Arrival is a message that was fetched.
type Arrival struct {
	Account   string     `json:"account"`
	ID        string     `json:"id"` // the provider's
	Mailbox   string     `json:"mailbox,omitempty"`
	Kind      string     `json:"kind"`
	Fetched   time.Time  `json:"fetched"`
	Size      int64      `json:"size"`
	SHA256    string     `json:"sha256"`
	Sender    string     `json:"sender,omitempty"`
	MessageID string     `json:"message_id,omitempty"`
	Proven    bool       `json:"proven"`
	State     string     `json:"state"`
	Reason    string     `json:"reason,omitempty"`
	Queue     mail.ID    `json:"queue"`
	Delivered *time.Time `json:"delivered,omitempty"` // to the queue
	To        []string   `json:"to,omitempty"`
}

// Show asks for all that is known of the De-Mails that an id names.
type Show struct {
	ID string `json:"id"`
}

// Shown is the answer.
type Shown struct {
	Messages []bundle.Message `json:"messages"`
}

// Resolve says what a person found out.
type Resolve struct {
	ID       string         `json:"id"`
	Decision proof.Decision `json:"decision"`
}

// Admin are the commands for the control socket.
func Admin(o Options) admin.DeMail {
	c := commands{o}
	return admin.DeMail{Commands: map[string]admin.CertsCommand{
		"list": admin.Handle(c.list), "show": admin.Handle(c.show), "resolve": admin.Handle(c.resolve),
	}, Evidence: c.evidence}
}

type commands struct{ o Options }

// explain makes the errors that an operator can do something about refusals.
func explain(err error, id string) error {
	id = safetext.Line(id, 100)
	switch {
	case errors.Is(err, proof.ErrUnknown):
		return &admin.Error{Code: http.StatusUnprocessableEntity, Text: "no De-Mail in the record is named " + id + "; siegel demail list shows them"}
	case errors.Is(err, proof.ErrAmbiguous):
		return admin.Refuse("%s names several De-Mails; siegel demail show %s lists them, name one by its key", id, id)
	case errors.Is(err, proof.ErrFinal):
		return admin.Refuse("there is nothing to decide about %s: what became of it is settled; siegel demail show %s tells", id, id)
	case errors.Is(err, proof.ErrDamaged), errors.Is(err, proof.ErrWrongKey), errors.Is(err, proof.ErrFull):
		return admin.Refuse("%s", safetext.Line(err.Error(), 500))
	}
	return err
}

func (c commands) list(ctx context.Context, q List, _ admin.Record) (out Listed, err error) {
	f := proof.Filter{Account: q.Account, State: q.State, Sender: q.Sender, Awaiting: q.Awaiting, Late: q.Late, From: q.From, To: q.To, Before: q.Before, Limit: q.Limit}
	if q.Recipient != "" {
		if f.Recipient, err = demail.ParseAddress(q.Recipient); err != nil {
			return out, admin.Refuse("%s is no De-Mail address, which the recipients of De-Mails have", safetext.Line(q.Recipient, 100))
		}
	}
	out.Messages = []bundle.Message{}
	switch {
	case q.Unmatched:
		out.Came, err = c.unmatched(ctx)
	case q.Incoming:
		out.Arrivals, out.Next, err = c.arrivals(ctx, f)
	default:
		var page proof.Page
		page, err = c.o.Store.List(ctx, f)
		out.Next = page.Next
		for _, r := range page.Records {
			out.Messages = append(out.Messages, bundle.MessageOf(r))
		}
	}
	return out, explain(err, "")
}

func (c commands) unmatched(ctx context.Context) (out []bundle.Came, err error) {
	all, err := c.o.Store.Unmatched(ctx)
	for _, k := range all {
		out = append(out, bundle.CameOf(k))
	}
	return out, err
}

func (c commands) arrivals(ctx context.Context, f proof.Filter) (out []Arrival, next int64, err error) {
	all, next, err := c.o.Store.Arrivals(ctx, f)
	for _, a := range all {
		one := Arrival{
			Account: a.Account, ID: a.ID, Mailbox: a.Mailbox.String(), Kind: string(a.Kind), Fetched: a.Fetched, Size: a.Size, SHA256: hex.EncodeToString(a.SHA256), Sender: a.Sender.String(),
			MessageID: a.MessageID, Proven: a.Verdict.Proven, State: a.Verdict.State, Reason: a.Verdict.Reason, Queue: a.Queue,
		}
		if !a.Delivered.IsZero() {
			one.Delivered = &a.Delivered
		}
		for _, to := range a.To {
			one.To = append(one.To, to.String())
		}
		out = append(out, one)
	}
	return out, next, err
}

func (c commands) show(ctx context.Context, q Show, _ admin.Record) (out Shown, err error) {
	all, err := c.o.Store.Named(ctx, q.ID)
	if err == nil && len(all) == 0 {
		err = proof.ErrUnknown
	}
	for _, r := range all {
		out.Messages = append(out.Messages, bundle.MessageOf(r))
	}
	return out, explain(err, q.ID)
}

// resolve writes down what a person decided, after it stands in the audit log.
func (c commands) resolve(ctx context.Context, q Resolve, record admin.Record) (out bundle.Message, err error) {
	r, err := c.o.Store.Record(ctx, q.ID)
	if err == nil {
		err = c.o.Store.Decidable(ctx, r.Key, q.Decision)
	}
	if err != nil {
		return out, explain(err, q.ID)
	}
	if err := record("demail-resolve", []string{r.Key}, string(q.Decision)); err != nil {
		return out, err
	}
	if err := c.o.Store.Resolve(ctx, r.Key, q.Decision, admin.Caller(ctx)); err != nil {
		return out, explain(err, q.ID)
	}
	if r, err = c.o.Store.Record(ctx, r.Key); err != nil {
		return out, explain(err, q.ID)
	}
	if c.o.Resolved != nil && q.Decision != proof.DecideWaive {
		c.o.Resolved(ctx, r)
	}
	return bundle.MessageOf(r), nil
}

func (c commands) evidence(ctx context.Context, id string, stamp bool, w io.Writer) error {
	r, err := c.o.Store.Record(ctx, id)
	if err != nil {
		return explain(err, id)
	}
	var stamped bundle.Stamp
	if stamp && c.o.Stamp != nil {
		stamped = c.o.Stamp()
	}
	return explain(bundle.Write(ctx, w, c.o.Store, r, c.once(stamped)), id)
}

// once has each manifest stamped once.
func (c commands) once(ask bundle.Stamp) bundle.Stamp {
	if ask == nil {
		return nil
	}
	return func(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
		answer, err := c.o.Store.Stamped(ctx, digest[:], func(ctx context.Context) ([]byte, error) { return ask(ctx, digest) })
		if err != nil {
			return nil, admin.Refuse("there is no timestamp, so no evidence was written: %s. Try again later, or take it without one: --no-timestamp", safetext.Line(err.Error(), 300))
		}
		return answer, nil
	}
}
