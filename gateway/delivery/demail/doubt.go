package demail

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/proof"
)

// fate tells what became of an earlier submission. Where settled is false it was not taken, and the message may be submitted again.
func (a *attempt) fate(ctx context.Context, s *proof.Record) (r delivery.Result, settled bool) {
	if known, ok := a.o.Flights.remembered(s.Key); ok {
		if err := a.settle(ctx, s.Key, known); err != nil {
			r = later("the De-Mail record cannot be written: " + err.Error())
			r.Doubt = known.State == proof.Taken || errors.Is(err, proof.ErrFinal)
			return r, true
		}
		s.State, s.Receipt = known.State, known.Receipt
		s.Steps = append(s.Steps, proof.Step{State: known.State, Class: known.Class, Text: known.Text})
	}
	switch s.State {
	case proof.Taken:
		a.o.Flights.forget(s.Key)
		return a.delivered(s.Receipt), true
	case proof.Waiting:
		return r, false
	case proof.Refused:
		a.o.Flights.forget(s.Key)
		return a.refusedBefore(s), true
	}
	return a.ask(ctx, s)
}

// refusedBefore is the result of what was refused at an earlier attempt, after which the gateway ended; or of what a person decided.
func (t *Transport) refusedBefore(s *proof.Record) delivery.Result {
	var last proof.Step
	if len(s.Steps) > 0 {
		last = s.Steps[len(s.Steps)-1]
	}
	if last.Who != "" || last.Text == "" {
		last.Text = "an administrator found that the De-Mail provider does not have the message; it was not sent"
	}
	return t.refusal(last.Class, last.Text)
}

// ask asks the provider for a submission of which nobody knows whether it was taken. settled is as for fate.
func (t *Transport) ask(ctx context.Context, s *proof.Record) (r delivery.Result, settled bool) {
	since := t.o.Flights.doubted(s.Key, t.o.Now())
	receipt, err := t.o.Provider.Find(ctx, s.Key)
	if err == nil {
		return t.taken(ctx, s.Key, receipt), true
	}
	class := connectors.Class(err)
	if class == connectors.ErrNotFound {
		if left := t.o.Quiet - t.o.Now().Sub(since); left > 0 {
			t.inDoubt(ctx, s, err)
			r := doubt("the provider does not have it yet, and may still be at it")
			r.Pause = left
			return r, true
		}
		if err := t.settle(ctx, s.Key, proof.Result{State: proof.Waiting, Class: word(err), Text: "the provider does not have it"}); err != nil {
			return doubt("the provider does not have it, and the De-Mail record cannot be written: " + err.Error()), true
		}
		s.State = proof.Waiting
		return r, false
	}
	t.inDoubt(ctx, s, err)
	if class == connectors.ErrInDoubt && ctx.Err() == nil {
		return t.held(s, err), true
	}
	r = doubt("whether the provider has it is asked again: " + text(err))
	r.Unreachable = class == connectors.ErrUnavailable || class == connectors.ErrLogin
	return r, true
}

// inDoubt writes down that nobody knows. Where that fails the record says "trying" on, which means the same to whoever reads it later.
func (t *Transport) inDoubt(ctx context.Context, s *proof.Record, why error) {
	t.o.Flights.doubted(s.Key, t.o.Now())
	if s.State == proof.Doubtful {
		return
	}
	if t.settle(ctx, s.Key, proof.Result{State: proof.Doubtful, Class: word(why), Text: text(why)}) == nil {
		s.State = proof.Doubtful
	}
}

// held is for what a person has to look at.
func (t *Transport) held(s *proof.Record, err error) delivery.Result {
	if t.o.Held != nil && t.o.Flights.tell(s.Key) {
		t.o.Held(t.o.Account, s.Key, s.ID)
	}
	return delivery.Result{Status: delivery.Held, Doubt: true, Text: fmt.Sprintf(
		"held, since the De-Mail provider cannot tell whether it has it: look into the account at the provider, or wait for the confirmation; then siegel demail resolve %s with --taken or --not-taken, or siegel queue release %s to have it asked again (%s)",
		s.Key, s.ID, text(err))}
}

// Reconcile asks the provider for everything of the account that is in doubt and that no attempt is at, and tells Options.Due what can go on. It returns
// when all was asked, the provider could not be reached, or ctx ended; the error is that of the record, or of what could not be told.
func (t *Transport) Reconcile(ctx context.Context) error {
	list, err := t.o.Record.Doubtful(ctx, t.o.Account)
	if err != nil {
		return err
	}
	left, err := t.o.Record.List(ctx, proof.Filter{Account: t.o.Account, State: proof.Trying})
	if err != nil {
		return err
	}
	var faults []error
	for _, s := range append(list, left.Records...) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		reached, err := t.reconcile(ctx, &s)
		if err != nil {
			faults = append(faults, err)
		}
		if !reached { // nor would it be for the others, and each takes its time
			break
		}
	}
	return errors.Join(faults...)
}

// reconcile asks for one. Where reached is false the provider could not be asked.
func (t *Transport) reconcile(ctx context.Context, s *proof.Record) (reached bool, err error) {
	leave, busy := t.o.Flights.begin(s.ID, true)
	if busy != nil {
		return true, nil
	}
	r, settled := func() (delivery.Result, bool) { defer leave(); return t.ask(ctx, s) }()
	if settled && (r.Doubt || r.Status != delivery.Delivered) {
		return !r.Unreachable, nil
	}
	if t.o.Due == nil {
		return true, nil
	}
	return true, t.o.Due(ctx, s.ID)
}
