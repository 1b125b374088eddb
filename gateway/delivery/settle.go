package delivery

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/track"
)

// settlement is what is recorded about one claim.
type settlement struct {
	s        *Scheduler
	h        *hold
	now      time.Time
	started  time.Time
	terms    terms
	ends     time.Time     // when the recipients are given up
	shift    time.Duration // by what the clock was set since the message came
	outcomes []queue.Outcome
	results  []Result // of the outcomes
	told     []report.Recipient
	reports  []queue.New
	variants []queue.New // that take the place of the message
}

// settle records the results of a claim's due recipients and returns when the earliest of them is to be
// tried again; zero where none is. An attempt that was cut leaves no trace where it came to nothing.
func (s *Scheduler) settle(h *hold, done tried, terms terms, started time.Time) time.Time {
	defer s.leases.release(h)
	if done.release != nil {
		defer done.release()
	}
	t := settlement{s: s, h: h, now: s.clock.look(), started: started, terms: terms, variants: done.variants}
	t.shift = s.clock.shift(h.claim.Message.Envelope.Received)
	if t.ends = terms.ends(&h.claim.Message); !t.ends.IsZero() {
		t.ends = t.ends.Add(t.shift)
	}
	cut := h.ctx.Err() != nil
	for k, r := range done.results {
		if !cut || r.Status != Deferred {
			t.add(h.claim.Due[k], r)
		}
	}
	t.report()
	err := t.commit()
	if t.variants != nil && errors.Is(err, queue.ErrDamaged) {
		t.setAside(err)
		err = t.commit()
	}
	if err != nil {
		t.unsettled(err)
		return time.Time{}
	}
	t.record()
	t.entered(t.variants)
	for _, r := range t.reports {
		s.Wake(r.Destinations...)
	}
	if len(t.outcomes) < len(h.claim.Due) && !errors.Is(context.Cause(h.ctx), errStopping) {
		return t.now.Add(storePause)
	}
	return t.next()
}

// settleNothing hands a claim back.
func (s *Scheduler) settleNothing(h *hold) time.Time {
	defer s.leases.release(h)
	s.giveBack(h.claim)
	return time.Time{}
}

// postpone settles a claim that is not tried since its destination is down.
func (s *Scheduler) postpone(h *hold, last Result, terms terms) time.Time {
	last.judged, last.Doubt = false, false // it was said of another message
	return s.settle(h, tried{results: repeat(last, len(h.claim.Due))}, terms, s.o.Now())
}

// add turns the result for a row into its outcome, and into a line of a report where its sender wants one.
func (t *settlement) add(row int, r Result) {
	m := &t.h.claim.Message
	rcpt := &m.Recipients[row]
	ends := t.endOf(rcpt)
	expired := !ends.IsZero() && !t.now.Before(ends)
	if m.Envelope.DeMail != nil {
		r = unsure(r, expired)
	}
	if m.IsArchive() {
		r = patiently(r)
	}
	if wasAside(m, row) && r.Status != aside {
		r.silence()
	}
	o := queue.Outcome{Index: row, Reply: r.Reply(), Tried: t.started, Hidden: r.hidden && r.Status != Delivered, Quarantine: r.aside}
	line := t.line(rcpt.Recipient, r)
	switch {
	case r.Status == aside:
		o.State = queue.Held
	case r.Status == Delivered:
		o.State = queue.Delivered
		if line.Action = report.Relayed; r.Reports || r.hidden {
			line.Action = "" // the next hop tells, or nobody may
		}
	case r.Status == protected:
		o.State = queue.Delivered // it is gone with this commit; the variants are delivered from here on
	case m.Envelope.Fetched && (r.Status == Refused || expired):
		o.State = queue.Held
	case r.Status == Refused:
		o.State, line.Action = queue.Failed, report.Failed
	case r.Status == Held, expired && (r.hidden || rcpt.Hidden || r.Doubt):
		o.State = queue.Held
		if r.Doubt && !strings.HasPrefix(rcpt.LastReply, heldInDoubt) {
			line.Action = report.Delayed
		}
	case expired && m.IsPending():
		o.State = queue.Failed
		t.returned(&line)
	case expired:
		o.State, line.Action = queue.Failed, report.Failed
		if !line.Insecure {
			line.Status = "4.4.7"
		}
	default:
		o.State, o.Next = queue.Queued, t.now.Add(max(t.terms.retry.Wait(rcpt.Attempts+1), r.Pause))
		if !ends.IsZero() && o.Next.After(ends) {
			o.Next = ends
		}
		if !r.before.IsZero() && o.Next.After(r.before) {
			o.Next = r.before
		}
		if !r.hidden && !rcpt.Hidden && t.delayed(begun(m), rcpt) {
			line.Action, line.RetryUntil = report.Delayed, ends
		}
	}
	t.outcomes, t.results = append(t.outcomes, o), append(t.results, r)
	if line.Action != "" && !m.IsArchive() && report.Wanted(m.Envelope.From, rcpt.Recipient, line.Action) {
		t.told = append(t.told, line)
	}
}

// line is what a report says of a result. Words that are neither the next hop's nor made for the sender are for
// operators: they name hosts and causes inside. So does the company's own server, of which the outside learns the
// status alone.
func (t *settlement) line(to mail.Recipient, r Result) report.Recipient {
	line := report.Recipient{
		Recipient: to, Status: r.Enhanced, Remote: r.Remote, LastTried: t.started,
		DeMail: t.h.claim.Message.Envelope.DeMail != nil, Doubt: r.Doubt,
	}
	switch inside := !t.h.claim.Message.Envelope.Internal; {
	case inside && r.Remote:
	case inside && r.Status == Refused:
		line.Diagnostic = r.Reply()
	case inside && r.Insecure:
		line.Status = "4.4.2" // a connection that failed: what is demanded inside is nobody's affair
	case inside:
	case r.Remote || r.Status == Refused || r.Insecure:
		line.Insecure = r.Insecure
		line.Diagnostic, line.Host, line.Said = r.Reply(), r.Host, r.refusal.saidOf(to.Address)
	}
	return line
}

// endOf is when a recipient is given up. What a person released has the time that it got then, however long it waited.
func (t *settlement) endOf(rcpt *queue.Recipient) time.Time {
	m := &t.h.claim.Message
	if rcpt.Quarantine == "" || t.ends.IsZero() || m.Expires.IsZero() {
		return t.ends
	}
	return m.Expires.Add(t.shift)
}

// delayed reports whether this attempt is the first one after the time at which a sender is told of a
// delay, so that it is told once. Who waited for a person knows of it.
func (t *settlement) delayed(begun time.Time, rcpt *queue.Recipient) bool {
	if t.terms.delayAfter <= 0 || rcpt.Quarantine != "" {
		return false
	}
	limit := begun.Add(t.terms.delayAfter + t.shift)
	return !t.started.Before(limit) && rcpt.LastTried.Before(limit)
}

// report writes the notification to the sender, if there is something to tell.
func (t *settlement) report() {
	if len(t.told) == 0 {
		return
	}
	m := &t.h.claim.Message
	r, err := t.s.notify(*m, t.headerOf, t.told)
	if err != nil {
		t.s.o.Log.WithField("id", m.Envelope.ID).WithError(err).Error("The sender cannot be told what became of the message.")
		return
	}
	t.reports = []queue.New{r}
}

// headerOf reads the header that a report quotes, without which its reader cannot tell which message it is about.
func (t *settlement) headerOf(id mail.ID) (header []byte, err error) {
	err = t.insist(func() (err error) {
		header, err = t.s.headerOf(id)
		return err
	}, queue.ErrNotFound, queue.ErrDamaged)
	return header, err
}

// errReport is the error of a report in whose making the gateway has a fault.
var errReport = errors.New("delivery: a fault interrupted the making of a report; please report it")

// notify writes a notification to the sender of m, ready for the queue; read gives the header of m. A fault there, in
// what reads the header of a stranger, does not end the process, which would come upon the same message again.
func (s *Scheduler) notify(m queue.Message, read func(mail.ID) ([]byte, error), told []report.Recipient) (_ queue.New, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.o.Log.WithField("id", m.Envelope.ID).WithField("stack", string(debug.Stack())).Errorf("A fault in the gateway (%T) interrupted the making of a report.", v)
			err = errReport
		}
	}()
	destination, err := s.o.Router.Destination(m.Envelope.From)
	if err != nil {
		return queue.New{}, err
	}
	header, err := read(m.Envelope.ID)
	if err != nil {
		s.o.Log.WithField("id", m.Envelope.ID).WithError(err).Warn("The header of the message cannot be read for the report to its sender.")
	}
	if m.IsPending() {
		header = report.Identify(header)
	}
	now, lifetime := s.o.Now(), s.o.Lifetime
	if route, err := s.o.Router.Route(m.Envelope.From); err == nil && route.Lifetime > 0 {
		lifetime = route.Lifetime
	}
	env, content := report.New(s.texts(), now, s.o.Hostname, report.Original{Envelope: m.Envelope, Header: header}, told)
	return queue.New{
		Envelope: env, Destinations: []string{destination}, Content: s.signedReport(m.Envelope.ID, content), Origin: m.Origin,
		Note: "report: " + string(told[0].Action), Due: now, Expires: now.Add(lifetime),
	}, nil
}

// headerOf reads the header of a stored message: the one the outside sees.
func (s *Scheduler) headerOf(id mail.ID) (header []byte, err error) {
	err = s.store(func(ctx context.Context) error {
		r, err := s.o.Store.Open(ctx, id)
		if err != nil {
			return err
		}
		defer r.Close()
		header, err = report.ReadHeader(r)
		return err
	})
	return header, err
}

// commit settles with the store; what was delivered and is not recorded is delivered again.
func (t *settlement) commit() error {
	within := storeTimeout
	if t.variants != nil {
		within = t.s.o.Longest // they are written with it, however large they are
	}
	return t.insist(func() error {
		return t.s.storeWithin(within, func(ctx context.Context) error {
			return t.s.o.Store.Settle(ctx, t.h.claim, t.outcomes, slices.Concat(t.reports, t.variants))
		})
	}, queue.ErrLeaseLost, queue.ErrNotFound, queue.ErrDamaged)
}

// insist asks the store again, as long as the lease lasts, while it is in trouble: unless it says one of final.
func (t *settlement) insist(ask func() error, final ...error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, storePause) {
		err := ask()
		if err == nil || slices.ContainsFunc(final, func(f error) bool { return errors.Is(err, f) }) {
			return err
		}
		stopped := errors.Is(context.Cause(t.h.ctx), errStopping)
		if stopped || t.s.o.Now().Add(wait).After(t.s.leases.end(t.h)) {
			return err
		}
		timer := time.NewTimer(wait)
		<-timer.C
	}
}

// unsettled tells the operator that the outcome of an attempt is not in the queue.
func (t *settlement) unsettled(err error) {
	log := t.s.o.Log.WithField("id", t.h.claim.Message.Envelope.ID).WithError(err)
	if len(t.outcomes) == 0 {
		log.Info("The message passed to another before it was tried.")
		return
	}
	log.Error("What became of the message could not be recorded; it is tried again and may arrive twice.")
}

// next is the earliest time of another attempt.
func (t *settlement) next() (next time.Time) {
	for _, o := range t.outcomes {
		if o.State == queue.Queued && (next.IsZero() || o.Next.Before(next)) {
			next = o.Next
		}
	}
	return next
}

// record makes the events: one for all recipients that fared alike, and one for the report.
func (t *settlement) record() {
	m := &t.h.claim.Message
	from := m.Envelope.From.String()
	for i := 0; i < len(t.outcomes); {
		o, r := t.outcomes[i], t.results[i]
		e := track.Event{
			Time: t.now, Kind: kindOf(o, r), ID: m.Envelope.ID, Origin: m.Origin, From: from, Size: m.Size,
			Direction:   m.Envelope.Direction(),
			Destination: t.h.claim.Destination, Host: r.Host, TLS: r.TLS, Reply: o.Reply, Next: o.Next,
			Attempt: m.Recipients[o.Index].Attempts + 1, Elapsed: t.now.Sub(t.started),
		}
		for ; i < len(t.outcomes) && t.outcomes[i].State == o.State && t.results[i] == r; i++ {
			e.To = append(e.To, m.Recipients[t.outcomes[i].Index].Address.String())
		}
		if m.IsArchive() { // its recipient is nobody of whom the record is to tell
			e.From, e.To = "", nil
			if e.Kind == track.Delivered {
				e.Kind = track.Archived
			}
		}
		if e.Kind != "" {
			t.s.o.Recorder.Record(e)
		}
		if o.State == queue.Held && m.Envelope.Fetched && r.Status != aside && t.s.o.Kept != nil {
			t.s.o.Kept(*m, e.To, o.Reply)
		}
	}
	for _, r := range t.reports {
		t.s.o.Recorder.Record(track.Event{
			Time: t.now, Kind: track.Reported, ID: r.Envelope.ID, Origin: m.Origin, To: []string{from},
			Direction: r.Envelope.Direction(),
			Size:      r.Content.Size(), Destination: r.Destinations[0],
		})
	}
}
