package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// patience is how long what cannot be judged at present, since somebody who knows of a certificate does not answer, stays with the provider.
const patience = time.Hour

// left is the error for a message that stays with the provider.
type left struct{ why string }

// Error says why.
func (l left) Error() string { return l.why }

// Unwrap is connectors.ErrLeave: those behind it are fetched nevertheless.
func (l left) Unwrap() error { return connectors.ErrLeave }

// handle implements connectors.Handler.
func (r *round) handle(ctx context.Context, in connectors.Incoming) error {
	err := r.i.handle(ctx, in)
	switch {
	case err == nil:
		r.taken++
	case errors.Is(err, connectors.ErrLeave):
		r.left++
		r.why = err.Error()
		r.i.o.Log.WithField("account", r.i.o.Account).WithError(err).Warn("A De-Mail was left with the provider.")
	}
	return err
}

// handle takes one message in. Whatever is wrong with the message itself is no error: then it goes to somebody who looks at it, and does not
// stand before the others.
func (i *Inbox) handle(ctx context.Context, in connectors.Incoming) error {
	if err := connectors.CheckID(in.ID); err != nil {
		return left{"the provider gives it no id by which it could be known again"}
	}
	m, err := i.read(ctx, in)
	if err != nil {
		return err
	}
	defer m.content.Close()
	a, err := i.arrive(ctx, m)
	if err != nil {
		return err
	}
	if !a.Delivered.IsZero() {
		i.o.Log.WithField("account", i.o.Account).WithField("id", a.Queue).Info("A De-Mail that was taken in before came again.")
		return i.release(ctx, a.Queue)
	}
	if m.undecided() && i.o.Now().Sub(a.Fetched) < patience {
		return left{"it cannot be judged at present: " + m.reason}
	}
	p, err := i.plan(ctx, m)
	if err != nil {
		return err
	}
	return i.commitWithCopies(ctx, m, p)
}

// commitWithCopies is commit with the copies for archives beside the message.
func (i *Inbox) commitWithCopies(ctx context.Context, m *message, p plan) error {
	if i.o.Copies == nil {
		return i.commit(ctx, m, p)
	}
	var from mail.Address
	if m.meta != nil {
		if a, err := mail.ParseAddress(m.meta.Sender.String()); err == nil {
			from = a
		}
	}
	entries, done, err := i.o.Copies(ctx, p.main.Envelope, from, m.content)
	if err != nil {
		return fmt.Errorf("the copy for the archive: %w", err)
	}
	p.beside, p.put = append(p.beside, entries...), done
	return i.commit(ctx, m, p)
}

// arrive tells the record that a message was fetched, and gives it its id in the queue and the time of its first arrival. One that comes under
// the id of another message, since the provider has begun to count anew, is told apart: nothing is lost because something else was there before.
func (i *Inbox) arrive(ctx context.Context, m *message) (proof.Arrival, error) {
	now := i.o.Now()
	told := m.arrival(i.o.Account, now)
	told.Queue = mail.NewID(now)
	a, _, err := i.o.Record.Arrived(ctx, told)
	if err == nil && !same(a, told) {
		id := sha256.Sum256([]byte(told.ID))
		told.ID = "again " + hex.EncodeToString(id[:]) + " " + hex.EncodeToString(m.sum[:])
		a, _, err = i.o.Record.Arrived(ctx, told)
	}
	if err != nil {
		return proof.Arrival{}, recordError(err)
	}
	m.id, m.queued, m.fetched = told.ID, a.Queue, a.Fetched
	return a, nil
}

// recordError says where an error comes from. What the record refuses to keep of one message does not stand before the others.
func recordError(err error) error {
	if errors.Is(err, proof.ErrInvalid) {
		return left{"the record of De-Mail does not take it: " + err.Error()}
	}
	return fmt.Errorf("the record of De-Mail: %w", err)
}

// same reports whether what came is what came before under the same id. A provider may add to a message each time it gives it.
func same(a, b proof.Arrival) bool {
	return bytes.Equal(a.SHA256, b.SHA256) || a.DeMailID != "" && a.DeMailID == b.DeMailID && a.MessageID == b.MessageID
}

// plan is what becomes of a message.
type plan struct {
	main   queue.New    // for whom it is; its id is the one that the record has
	beside []queue.New  // notices, put in the same commit
	about  proof.Record // the submission that a confirmation or notification is about; zero: none
	put    func(bool)   // told whether what is beside is in the queue; nil: nobody is
	then   func()       // once the queue has it; nil: nothing
}

// holdNote is the reason by which what the record does not have yet is held, and known again.
const holdNote = "fetched as De-Mail; it goes on by itself as soon as the record has it"

// commit makes a plan come true, in an order in which it can be broken off anywhere: what is held does not leave before the record has it.
func (i *Inbox) commit(ctx context.Context, m *message, p plan) error {
	held := p.main
	held.Hold = holdNote
	err := i.o.Queue.Put(ctx, append([]queue.New{held}, p.beside...))
	again := errors.Is(err, queue.ErrExists)
	if p.put != nil {
		p.put(err == nil)
	}
	if err != nil && !again {
		return fmt.Errorf("the queue: %w", err)
	}
	var to []mail.Address
	for _, r := range p.main.Envelope.Recipients {
		to = append(to, r.Address)
	}
	if err := i.o.Record.Delivered(ctx, i.o.Account, m.id, to, i.o.Now()); err != nil {
		return recordError(err)
	}
	if err := i.release(ctx, m.queued); err != nil {
		return err
	}
	i.fetched(m, p)
	i.o.Entered(p.main)
	if !again {
		for _, e := range p.beside {
			i.o.Entered(e)
		}
	}
	if p.then != nil {
		p.then()
	}
	return nil
}

// release lets go what was held until the record had it. What an operator or an attempt has held is left alone.
func (i *Inbox) release(ctx context.Context, id mail.ID) error {
	list, err := i.o.Queue.List(ctx, queue.Filter{ID: id, State: queue.Held})
	if err != nil {
		return fmt.Errorf("the queue: %w", err)
	}
	for _, m := range list {
		var only []int
		for n, r := range m.Recipients {
			if r.State == queue.Held && r.LastReply == holdNote {
				only = append(only, n)
			}
		}
		if m.Envelope.ID != id || only == nil {
			continue
		}
		_, err := i.o.Queue.Change(ctx, id, queue.Order{Only: only, From: []queue.State{queue.Held}, State: queue.Queued, Due: i.o.Now(), Reply: "fetched as De-Mail"})
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return fmt.Errorf("the queue: %w", err)
		}
	}
	return nil
}

// arrival is what the record is told of a message.
func (m *message) arrival(account string, fetched time.Time) proof.Arrival {
	a := proof.Arrival{
		Account: account, ID: m.id, Mailbox: m.mailbox, Kind: m.kind, Fetched: fetched, Size: m.content.Size(), SHA256: m.sum[:], Verdict: m.verdict,
	}
	if m.meta != nil {
		a.Sender, a.MessageID, a.DeMailID = m.meta.Sender, m.meta.MessageID, m.meta.DeMailID
	}
	return a
}

// fetched records that a message was taken in.
func (i *Inbox) fetched(m *message, p plan) {
	e := track.Event{
		Time: i.o.Now(), Kind: track.Fetched, ID: m.queued, Origin: m.queued, Direction: mail.Incoming, Size: m.content.Size(), Verdict: m.state.String(),
		Reply: m.reason, Rule: p.main.Note, Destination: queue.DeMailPrefix + i.o.Account,
	}
	if m.meta != nil {
		e.From, e.MessageID = m.meta.Sender.String(), m.meta.MessageID
	}
	for _, r := range p.main.Envelope.Recipients {
		e.To = append(e.To, r.Address.String())
	}
	i.o.Recorder.Record(e)
	if p.about.ID == "" {
		return
	}
	e.Kind, e.ID, e.Origin, e.Direction = track.Confirmed, p.about.ID, p.about.Origin, mail.Outgoing
	e.From, e.To, e.MessageID, e.Verdict = p.about.Author.String(), nil, p.about.MessageID, string(m.kind)
	if m.doubted() {
		e.Verdict += ", not proven"
	}
	i.o.Recorder.Record(e)
}
