package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// errLongest is why an attempt that lasts too long is cut. It counts as an attempt.
var errLongest = errors.New("the attempt lasted too long")

// stored is content as the store has it.
type stored struct {
	ctx   context.Context
	store queue.Store
	id    mail.ID
	size  int64
}

// Open opens it in the store.
func (c stored) Open() (io.ReadCloser, error) { return c.store.Open(c.ctx, c.id) }

// Size is its length.
func (c stored) Size() int64 { return c.size }

// storedContent is the Prepare that changes nothing.
func storedContent(store queue.Store) Prepare {
	return Whole(func(ctx context.Context, c queue.Claim) (mail.Content, func(), error) {
		return stored{ctx, store, c.Message.Envelope.ID, c.Message.Size}, nil, nil
	})
}

// tried is what an attempt came to: a Result for each due recipient of the claim, none where the attempt was
// cut before anything was done. Variants take the place of a message that was protected; release comes after
// they were put.
type tried struct {
	results  []Result
	variants []queue.New
	release  func()
}

// try attempts a claim once. A fault in what it calls does not end the process: the message stays.
func (s *Scheduler) try(ctx context.Context, c queue.Claim) (done tried) {
	if ctx.Err() != nil {
		return tried{}
	}
	defer func() {
		if v := recover(); v != nil {
			s.o.Log.WithField("id", c.Message.Envelope.ID).WithField("stack", string(debug.Stack())).
				Errorf("A fault in the gateway (%T) interrupted an attempt; please report it. The message is tried again later.", v)
			done.results = repeat(Result{Status: Deferred, Enhanced: "4.3.0", Text: "a fault in the gateway, see its log", hidden: !c.Message.Envelope.Internal}, len(c.Due))
			done.variants = nil
		}
	}()
	if c.Destination == queue.Quarantine { // what got there by itself stays
		return tried{results: repeat(Result{Status: Held, Enhanced: "4.7.0", Text: heldQuarantine}, len(c.Due))}
	}
	if c.Message.IsPending() {
		return s.protect(ctx, c)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Longest, errLongest)
	defer cancel()
	return tried{results: s.deliver(ctx, c)}
}

// deliver attempts a message that may leave, by each of the ways that lead to its recipients at this moment, unless
// an operator chose one. The content is prepared for each on its own: what is decrypted for the company must not go
// with it to others, where a rescue or a reload has brought them together.
func (s *Scheduler) deliver(ctx context.Context, c queue.Claim) []Result {
	results := make([]Result, len(c.Due))
	for first := range c.Due {
		if results[first].Status != "" {
			continue
		}
		route, err := s.routeOf(&c.Message, c.Due[first])
		if err != nil {
			results[first] = Result{Status: Deferred, Enhanced: "4.4.4", Text: err.Error()}
			continue
		}
		group := s.sameWay(c, results, first, route)
		part := c
		part.Destination, part.Due = route.Name, nil
		for _, i := range group {
			part.Due = append(part.Due, c.Due[i])
		}
		done := s.deliverBy(ctx, route, part)
		if done == nil {
			done = repeat(Result{Status: Deferred, Enhanced: "4.3.0", Text: "the attempt was cut"}, len(group))
		}
		for k, r := range done {
			results[group[k]] = r
		}
	}
	return results
}

// sameWay lists the recipients without a result, from the first on, that a route leads to.
func (s *Scheduler) sameWay(c queue.Claim, results []Result, first int, route Route) []int {
	group := []int{first}
	for i := first + 1; i < len(c.Due); i++ {
		if other, err := s.routeOf(&c.Message, c.Due[i]); err == nil && other.Name == route.Name && results[i].Status == "" {
			group = append(group, i)
		}
	}
	return group
}

// deliverBy attempts a message by one way, to the due recipients of c; nil where it was cut before anything was done.
func (s *Scheduler) deliverBy(ctx context.Context, route Route, c queue.Claim) []Result {
	parts, release, err := s.o.Prepare(ctx, c)
	if release != nil {
		defer release()
	}
	if err != nil {
		return s.unprepared(ctx, c, err)
	}
	results := repeat(Result{Status: Deferred, Enhanced: "4.3.0", Text: "the gateway did not prepare the message for this recipient", hidden: !c.Message.Envelope.Internal}, len(c.Due))
	for _, part := range parts {
		for k, r := range s.deliverPart(ctx, route, c, part) {
			if at := slices.Index(c.Due, part.Rows[k]); at >= 0 {
				results[at] = r
			}
		}
	}
	return results
}

// deliverPart attempts what was prepared for some recipients of a claim.
func (s *Scheduler) deliverPart(ctx context.Context, route Route, c queue.Claim, part Prepared) []Result {
	if part.Wait != "" {
		return repeat(Result{Status: Deferred, Enhanced: "4.3.1", Text: part.Wait, hidden: !c.Message.Envelope.Internal}, len(part.Rows))
	}
	if part.Aside != nil {
		return repeat(Result{Status: aside, Text: part.Aside.Why, aside: part.Aside.Details, hidden: !c.Message.Envelope.Internal}, len(part.Rows))
	}
	c.Due = part.Rows
	results := s.send(ctx, route, c, part)
	for i := range results {
		switch {
		case part.silent(c, part.Rows[i]):
			results[i].silence()
		case isSecret(part.Content):
			results[i].hide()
		}
	}
	return results
}

func isSecret(c mail.Content) bool {
	s, ok := c.(Secret)
	return ok && s.Secret()
}

// hide keeps from the sender what depends on secret content: a refusal of it is for an operator.
func (r *Result) hide() {
	r.hidden = r.Content || r.Status == Delivered
	if r.hidden && r.Status == Refused {
		r.Status = Held
		r.Text = "held, since the sender of an encrypted message must not learn that what it holds was refused; release or drop it. The refusal: " + r.Text
	}
}

// silent reports whether nobody outside may learn what becomes of a recipient's copy.
func (p Prepared) silent(c queue.Claim, row int) bool {
	return p.Silent && !c.Message.Envelope.Internal || wasAside(&c.Message, row)
}

// wasAside reports whether a copy of mail from outside was in quarantine, or is, which nobody outside may learn.
func wasAside(m *queue.Message, row int) bool {
	return !m.Envelope.Internal && m.Recipients[row].Quarantine != ""
}

// silence keeps from the sender what became of a copy that is set aside, or was, or would be if other things were in it.
func (r *Result) silence() {
	r.hidden = true
	if r.Status == Refused {
		r.Status = Held
		r.Text = "held, since its sender must not learn what became of it; release or drop it. The refusal: " + r.Text
	}
}

// quiet is a recipient without the wish to be told of successes, which would tell of failures too.
func quiet(r mail.Recipient) mail.Recipient {
	if i := slices.Index(r.Notify, "SUCCESS"); i >= 0 {
		if r.Notify = slices.Delete(slices.Clone(r.Notify), i, i+1); len(r.Notify) == 0 {
			r.Notify = []string{"NEVER"}
		}
	}
	return r
}

// unprepared is the result where there is no content to send.
func (s *Scheduler) unprepared(ctx context.Context, c queue.Claim, err error) []Result {
	log := s.o.Log.WithField("id", c.Message.Envelope.ID).WithError(err)
	var refusal *Refusal
	var wait *Wait
	switch {
	case errors.As(err, &refusal):
		log.Error("The message cannot be prepared for delivery; its sender is told.")
		code := refusal.Code
		if code == 0 {
			code = 554
		}
		return repeat(Result{Status: Refused, Code: code, Enhanced: refusal.Enhanced, Text: refusal.Text, refusal: refusal}, len(c.Due))
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errLongest):
		return nil
	case errors.As(err, &wait):
		log.Info("The message waits for something that is away.")
		r := Result{Status: Deferred, Enhanced: "4.7.5", Text: err.Error(), before: wait.Until, Pause: wait.Pause, hidden: !c.Message.IsPending()}
		r.Unreachable = c.Message.IsPending() && !wait.Alone
		return repeat(r, len(c.Due))
	case errors.Is(err, queue.ErrDamaged):
		log.Error("The stored message is damaged; it is held.")
		return repeat(Result{Status: Held, Enhanced: "4.3.0", Text: err.Error()}, len(c.Due))
	}
	log.Warn("The message cannot be prepared for delivery now.")
	r := Result{Status: Deferred, Enhanced: "4.3.0", Text: "the gateway could not prepare the message: " + err.Error()}
	r.hidden = !c.Message.Envelope.Internal // what is encrypted in it may be why
	return repeat(r, len(c.Due))
}

func repeat(r Result, n int) []Result {
	results := make([]Result, n)
	for i := range results {
		results[i] = r
	}
	return results
}

// send hands what was prepared for the due recipients of c to the transport of a route.
func (s *Scheduler) send(ctx context.Context, route Route, c queue.Claim, part Prepared) []Result {
	secret := isSecret(part.Content)
	to := make([]mail.Recipient, len(c.Due))
	for k, row := range c.Due {
		if to[k] = c.Message.Recipients[row].Recipient; secret || part.silent(c, row) {
			to[k] = quiet(to[k])
		}
	}
	env := c.Message.Envelope
	got := route.Transport.Deliver(ctx, Attempt{
		Destination: route.Name, Origin: c.Message.Origin, Content: part.Content, Key: string(env.ID) + "/" + route.Name, Secret: secret,
		Envelope: env.WithRecipients(env.ID, to),
	})
	results := repeat(Result{Status: Deferred, Enhanced: "4.3.0", Text: fmt.Sprintf("the transport gave %d results for %d recipients", len(got), len(to))}, len(to))
	for k := range results {
		if len(got) == len(to) && got[k].Status != "" {
			results[k] = got[k]
			results[k].judged = true
		}
	}
	return results
}
