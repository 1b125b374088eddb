package delivery

import (
	"context"
	"strings"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// protect has a message protected that waits for it. No transport sees the message, wherever it is queued.
// ctx is that of the lease: the variants are read under it while they are put.
func (s *Scheduler) protect(ctx context.Context, c queue.Claim) tried {
	if s.o.Protect == nil {
		return tried{results: repeat(Result{Status: Held, Enhanced: "4.3.0", Text: "held, since nothing here protects it"}, len(c.Due))}
	}
	variants, release, err := s.o.Protect(ctx, c)
	done := tried{variants: variants, release: release}
	switch {
	case err != nil:
		done.variants, done.results = nil, s.unprepared(ctx, c, err)
	case ctx.Err() != nil: // the lease ends, and another gets the message
		done.variants = nil
	default:
		ids := make([]string, len(variants))
		for i, v := range variants {
			ids[i] = string(v.Envelope.ID)
		}
		done.results = repeat(Result{Status: protected, Text: "protected; goes on as " + strings.Join(ids, ", ")}, len(c.Due))
	}
	return done
}

// heldQuarantine is the reply of what was in quarantine and was to be tried though nobody released it.
const heldQuarantine = "held: it is in quarantine; siegel quarantine release delivers it"

// setAside holds a message whose content turned out to be damaged while its variants were put.
func (t *settlement) setAside(err error) {
	t.s.o.Log.WithField("id", t.h.claim.Message.Envelope.ID).WithError(err).Error("The stored message is damaged; it is held.")
	t.variants = nil
	for i := range t.outcomes {
		t.results[i] = Result{Status: Held, Enhanced: "4.3.0", Text: err.Error()}
		t.outcomes[i].State, t.outcomes[i].Reply = queue.Held, t.results[i].Reply()
	}
}

// protectTerms are the limits of a destination whose messages wait for their protection.
func (o *Options) protectTerms() terms {
	return o.terms(Route{Concurrency: o.PerProtection, Retry: o.ProtectRetry})
}

// entered makes the variants known that took the place of a message.
func (t *settlement) entered(variants []queue.New) {
	for _, v := range variants {
		if t.s.o.Entered != nil {
			t.s.o.Entered(v)
		}
		t.s.Wake(v.Destinations...)
	}
}

// returned is the line of a report for a recipient whose message was not protected in time: it says what it waited for.
func (t *settlement) returned(line *report.Recipient) {
	line.Action, line.Status, line.Diagnostic = report.Failed, "5.7.5", t.h.claim.Message.Note // RFC 3463, 3.8: a key was not available
	if t.s.o.Waits == nil {
		return
	}
	if said := t.s.o.Waits(t.h.claim.Message); said.ID != "" {
		line.Said = []texts.Said{said}
	}
}

// kindOf is the kind of event that an outcome is; empty where the event was recorded elsewhere.
func kindOf(o queue.Outcome, r Result) track.Kind {
	switch {
	case r.Status == protected:
		return ""
	case r.Status == aside:
		return track.Quarantined
	case o.State == queue.Delivered:
		return track.Delivered
	case o.State == queue.Failed:
		return track.Failed
	case o.State == queue.Held:
		return track.Held
	}
	return track.Deferred
}
