package delivery

import "strings"

// heldInDoubt begins the reply of what is held since the next hop may have it. Its sender was told.
const heldInDoubt = InDoubt + "held"

// unsure is the result for a De-Mail, which must never be reported as undelivered while a provider may have it: that it
// has not, its transport alone can say. Where something else came between, nothing of it is final.
func unsure(r Result, expired bool) Result {
	final := r.Status == Refused || expired && r.Status == Deferred
	if r.judged && !r.Doubt || !final {
		return r
	}
	r.Status, r.Doubt, r.Code, r.Enhanced = Held, true, 0, ""
	if !strings.HasPrefix(r.Reply(), heldInDoubt) {
		r.Text = "held, since nothing says that the De-Mail provider does not have it; siegel demail show tells what is known, siegel queue release asks again: " + r.Text
	}
	return r
}

// isLast reports whether a claim is a De-Mail whose time is over. It is tried also where the account is down: only an
// attempt tells whether its sender may be told that it was not delivered.
func (s *Scheduler) isLast(h *hold, t terms) bool {
	m := &h.claim.Message
	ends := t.ends(m)
	return m.Envelope.DeMail != nil && !ends.IsZero() && !s.o.Now().Before(ends.Add(s.clock.shift(m.Envelope.Received)))
}
