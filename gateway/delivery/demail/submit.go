package demail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	// settleTime bounds the writing of what became of a submission, which the end of an attempt does not cut.
	settleTime = 10 * time.Second
	// longestPause bounds what a provider may say of when to ask again.
	longestPause = 24 * time.Hour
	// restored is how long after a message came its first attempt is late.
	restored = time.Hour
)

// submit submits the message for recipients of whom no earlier submission is in the way.
func (a *attempt) submit(ctx context.Context, rows []int) delivery.Result {
	m, last, err := a.submission(rows)
	switch {
	case errors.Is(err, queue.ErrDamaged):
		return delivery.Result{Status: delivery.Held, Enhanced: "4.3.0", Text: err.Error()}
	case err != nil:
		return later("the message cannot be read: " + err.Error())
	}
	receipt, sent, err := a.sentBefore(ctx, m, last)
	if err != nil {
		return a.reach(err)
	}
	before, err := a.o.Record.Begin(ctx, m)
	switch {
	case err != nil:
		return later("the De-Mail record cannot be written, and without it nothing is sent: " + err.Error())
	case before != proof.None && before != proof.Waiting: // somebody settled it since it was read
		return doubt("it was submitted meanwhile")
	case sent:
		return a.taken(ctx, m.Key, receipt)
	}
	return a.submitted(ctx, m, last != nil && a.wasInDoubt(last))
}

// submitted submits what the record says is being tried; again where the provider may have it from an attempt that was in doubt.
func (a *attempt) submitted(ctx context.Context, m proof.Submission, again bool) delivery.Result {
	receipt, err := a.o.Provider.Submit(ctx, connectors.Message{Key: m.Key, Sender: m.Sender, Recipients: m.Recipients, Options: m.Options, Content: m.Content})
	if err == nil && connectors.CheckID(receipt.ID) != nil {
		err = connectors.Errorf(connectors.ErrInDoubt, "the provider's id of the message is none")
	}
	a.note(err)
	switch s := (&proof.Record{Key: m.Key, ID: m.ID, State: proof.Trying}); connectors.OutcomeOf(err) {
	case connectors.Taken:
		return a.taken(ctx, m.Key, receipt)
	case connectors.Later, connectors.Mend:
		return a.notYet(ctx, m.Key, err)
	case connectors.Never:
		if again { // it may refuse what it has, from an attempt that was long in doubt
			return a.refusedAgain(ctx, s, err)
		}
		return a.refused(ctx, m.Key, err)
	default:
		a.inDoubt(ctx, s, err)
		r, _ := a.ask(ctx, s) // that it does not have it is not believed yet
		return r
	}
}

// sentBefore asks for a message that this process tries for the first time, and that an earlier one may have, or that comes late: queue and record may
// come from a backup that is older than what was sent since. last is what the record says of the last try; nil: nothing. Where the provider cannot
// tell, nothing says that it was. The error is that the provider cannot be asked.
func (a *attempt) sentBefore(ctx context.Context, m proof.Submission, last *proof.Record) (r connectors.Receipt, sent bool, err error) {
	late := len(a.known) == 0 && a.o.Now().Sub(m.Accepted) >= restored
	if last != nil && !a.o.Flights.before(last.Tried) || last == nil && !late && !a.o.Flights.before(m.Accepted) {
		return r, false, nil
	}
	r, err = a.o.Provider.Find(ctx, m.Key)
	if class := connectors.Class(err); class == connectors.ErrUnavailable || class == connectors.ErrLogin {
		return r, false, err
	}
	return r, err == nil, nil
}

// wasInDoubt reports whether a provider may have had a message from a try that ended as not taken: the answer to it was lost, or came to a process that
// is no more.
func (t *Transport) wasInDoubt(last *proof.Record) bool {
	return t.o.Flights.before(last.Tried) || slices.ContainsFunc(last.Steps, func(s proof.Step) bool {
		return s.State == proof.Doubtful || s.Class == word(connectors.ErrNotFound)
	})
}

// note counts and logs how a request to submit ended.
func (a *attempt) note(err error) {
	if a.o.Count != nil {
		a.o.Count(connectors.OutcomeOf(err))
	}
	if err != nil {
		a.o.Log.WithField("id", a.Envelope.ID).WithField("account", a.o.Account).WithField("class", word(err)).Info("A De-Mail was not submitted: " + text(err))
	}
}

// refusedAgain is for what was tried before and is refused now: the provider is asked whether it has it.
func (a *attempt) refusedAgain(ctx context.Context, s *proof.Record, why error) delivery.Result {
	receipt, err := a.o.Provider.Find(ctx, s.Key)
	switch {
	case err == nil:
		return a.taken(ctx, s.Key, receipt)
	case connectors.Class(err) == connectors.ErrNotFound:
		return a.refused(ctx, s.Key, why)
	}
	a.inDoubt(ctx, s, err)
	if connectors.Class(err) == connectors.ErrInDoubt && ctx.Err() == nil {
		return a.held(s, why)
	}
	return doubt("the provider refuses it, and may have it from an earlier attempt: " + text(why))
}

// submission is what is submitted, again under the key of an earlier one that was not taken, where that was for the same recipients: then last is that.
func (a *attempt) submission(rows []int) (m proof.Submission, last *proof.Record, err error) {
	h, err := readHeader(a.Content)
	if err != nil {
		return proof.Submission{}, nil, err
	}
	d, to := a.Envelope.DeMail, make([]demail.Address, len(rows))
	for k, i := range rows {
		to[k] = a.to[i]
	}
	m = proof.Submission{
		Key: fmt.Sprintf("%s-%d", a.Envelope.ID, len(a.known)+1), ID: a.Envelope.ID, Origin: a.Origin, Account: d.Account,
		Sender: d.Sender, Author: d.Author, Recipients: recipients(h, to), Options: d.Options, Subject: subject(h),
		MessageID: single(h, "Message-ID"), Accepted: a.Envelope.Received, Content: a.Content,
	}
	for i, s := range slices.Backward(a.known) {
		if s.State == proof.Waiting && same(s.Recipients, m.Recipients) {
			m.Key = s.Key
			return m, &a.known[i], nil
		}
	}
	return m, nil, nil
}

// same reports whether both are for the same addresses.
func same(a, b demail.Recipients) bool {
	return slices.Equal(sorted(a), sorted(b))
}

func sorted(r demail.Recipients) (list []string) {
	for _, m := range r.All() {
		list = append(list, m.Address.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// settle writes down what became of a submission, also where the attempt was cut. What cannot be written is remembered, and written at the next one.
func (t *Transport) settle(ctx context.Context, key string, r proof.Result) error {
	r.Time = t.o.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err := t.o.Record.Settle(ctx, key, r)
	switch {
	case err == nil && r.State != proof.Doubtful, errors.Is(err, proof.ErrFinal):
		t.o.Flights.forget(key)
	case err != nil && r.State != proof.Doubtful:
		t.o.Flights.remember(key, r)
	}
	if err != nil {
		t.o.Log.WithField("key", key).WithField("account", t.o.Account).WithError(err).Error("What became of a De-Mail cannot be written down; the message waits for that.")
	}
	return err
}

// taken is the end of a submission that the provider has.
func (t *Transport) taken(ctx context.Context, key string, receipt connectors.Receipt) delivery.Result {
	if err := t.settle(ctx, key, proof.Result{State: proof.Taken, Receipt: receipt}); err != nil {
		return doubt("the provider has it, and the De-Mail record cannot be written: " + err.Error())
	}
	return t.delivered(receipt)
}

func (t *Transport) delivered(receipt connectors.Receipt) delivery.Result {
	as := ""
	if receipt.ID != "" {
		as = " as " + safetext.Line(receipt.ID, 200)
	}
	return delivery.Result{Status: delivery.Delivered, Enhanced: "2.0.0", Text: "the De-Mail provider has it" + as, Host: t.o.Host}
}

// notYet is for what the provider has not taken, and may take another time.
func (t *Transport) notYet(ctx context.Context, key string, err error) delivery.Result {
	r := t.reach(err)
	if settled := t.settle(ctx, key, proof.Result{State: proof.Waiting, Class: word(err), Text: r.Text}); settled != nil {
		r.Text += "; and the De-Mail record cannot be written: " + settled.Error()
	}
	return r
}

// reach is the result where the provider cannot be reached, does not let the account in, or wants to be asked later.
func (t *Transport) reach(err error) delivery.Result {
	r := later(text(err))
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		r.Pause = max(0, min(e.After, longestPause))
	}
	class := connectors.Class(err)
	if r.Unreachable = class == connectors.ErrUnavailable || class == connectors.ErrLogin; r.Unreachable {
		r.Enhanced = "4.4.1"
	} else {
		r.Host = t.o.Host // it answered
	}
	return r
}

// refused is for what the provider will never take.
func (t *Transport) refused(ctx context.Context, key string, err error) delivery.Result {
	r := t.refusal(word(err), sentence(err))
	if settled := t.settle(ctx, key, proof.Result{State: proof.Refused, Class: word(err), Text: r.Text}); settled != nil {
		return later("the provider refuses it, and the De-Mail record cannot be written: " + settled.Error())
	}
	return r
}

// refusal is the result of what was refused, now or at an earlier attempt, by the word for its class.
func (t *Transport) refusal(class, sentence string) delivery.Result {
	r := delivery.Result{Status: delivery.Refused, Code: 554, Enhanced: "5.0.0", Text: sentence, Host: t.o.Host}
	switch class {
	case word(connectors.ErrNoSuchAddress):
		r.Code, r.Enhanced = 550, "5.1.1"
	case word(connectors.ErrNotEntitled):
		r.Code, r.Enhanced = 550, "5.7.1"
	case word(connectors.ErrTooLarge):
		r.Code, r.Enhanced = 552, "5.3.4"
	}
	return r
}

// later is for what is tried again, and nothing is in doubt of.
func later(text string) delivery.Result {
	return delivery.Result{Status: delivery.Deferred, Enhanced: "4.3.0", Text: text}
}

// doubt is for what is asked for again.
func doubt(text string) delivery.Result {
	return delivery.Result{Status: delivery.Deferred, Text: text, Doubt: true}
}

// text is an error for operators.
func text(err error) string { return strings.TrimPrefix(err.Error(), "connectors: ") }

// word is the class of an error in a word, as the record has it.
func word(err error) string {
	switch connectors.Class(err) {
	case connectors.ErrUnavailable:
		return "unavailable"
	case connectors.ErrRejected:
		return "rejected"
	case connectors.ErrNoSuchAddress:
		return "no-such-address"
	case connectors.ErrNotEntitled:
		return "not-entitled"
	case connectors.ErrTooLarge:
		return "too-large"
	case connectors.ErrLogin:
		return "login-failed"
	case connectors.ErrNotFound:
		return "not-found"
	}
	return "in-doubt"
}

// sentence tells the sender why the provider refuses a message: in our words, with the provider's code.
func sentence(err error) string {
	e, _ := errors.AsType[*connectors.Error](err)
	if e == nil {
		e = new(connectors.Error)
	}
	s := "the De-Mail provider refuses the message"
	switch connectors.Class(err) {
	case connectors.ErrNoSuchAddress:
		s = "the De-Mail provider knows no such address, or cannot reach it with these options"
		if len(e.Addresses) > 0 {
			s = "the De-Mail provider cannot reach " + list(e.Addresses) + ", so the message was sent to nobody"
		}
	case connectors.ErrNotEntitled:
		s = "the De-Mail account may not send this message, or not with these options"
	case connectors.ErrTooLarge:
		s = "the message is larger than the De-Mail provider takes"
	}
	if code := safetext.Line(e.Code, 60); code != "" {
		s += " (" + code + ")"
	}
	return s
}

// list names addresses, the first five of them.
func list(addresses []demail.Address) string {
	var names []string
	for _, a := range addresses[:min(len(addresses), 5)] {
		names = append(names, a.String())
	}
	if more := len(addresses) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return cmp.Or(strings.Join(names, ", "), "an address")
}
