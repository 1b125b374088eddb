package smartcard

import (
	"context"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Unlock presents a PIN once because a human says so, also where the gateway would not: fewer than three tries are left, or it was refused
// before. Where none is left it is not presented. What becomes of it is noted in Memory: one that is accepted may be presented again by
// all who share it, and one whose answer is lost counts as refused.
func (c *Card) Unlock(ctx context.Context, p PIN, value secret.String) error {
	return c.act(ctx, p, func(ch *Channel, po *policy, s PINState, send func(apdu.Command) (apdu.Status, error)) error {
		reason, not := s.impossible()
		switch {
		case not && !s.Presented:
			return po.fail(p, reason, s, nil)
		case value.IsZero():
			return po.fail(p, PINMissing, s, nil)
		case !p.takes(value, p.Min):
			return po.fail(p, PINForm, s, nil)
		}
		t, err := po.suspect(ctx, p, s, value)
		if err != nil {
			return err
		}
		sw, err := send(apdu.Command{INS: apdu.Verify, P2: p.Ref, Data: pad([]byte(value.Reveal()), p.Padded)})
		if err != nil {
			return po.fail(p, PINUnsettled, PINState{}, err)
		}
		return po.settle(ch, p, t.f, t.Attempt, s, sw)
	})
}

// ChangePIN gives a PIN another value. Where none has been set yet (NullPIN), old is not used; where the card still has its transport PIN,
// old is that. Like Unlock it is a human act, and it presents old once. Where the answer is lost neither of the two is presented again
// before a human has unlocked the right one.
func (c *Card) ChangePIN(ctx context.Context, p PIN, old, value secret.String) error {
	return c.act(ctx, p, func(ch *Channel, po *policy, s PINState, send func(apdu.Command) (apdu.Status, error)) error {
		reason, not := s.impossible()
		switch {
		case not && reason != PINNull && reason != PINTransport && !s.Presented:
			return po.fail(p, reason, s, nil)
		case old.IsZero() && !s.Null:
			return po.fail(p, PINMissing, s, nil)
		case !s.Null && !p.takes(old, 1):
			return po.fail(p, PINForm, s, nil)
		case !p.takes(value, p.Min):
			return po.fail(p, PINNewForm, s, nil)
		}
		if s.Null {
			old = secret.String{}
		}
		t, err := po.suspect(ctx, p, s, old)
		if err != nil {
			return err
		}
		sw, err := send(c.conn.applet.Change(p, []byte(old.Reveal()), []byte(value.Reveal())))
		if err != nil {
			return po.fail(p, PINUnsettled, PINState{}, err)
		}
		if sw == apdu.OK {
			return po.replaced(ctx, p, s, value)
		}
		return po.unchanged(ch, p, t, s, sw)
	})
}

// Unblock gives a PIN another value and all of its tries, by the PUK of its card. It is a human act too. Where no try of the PUK is left
// it is not presented; where the card has a counter for it, the error of a wrong one says how many are left.
func (c *Card) Unblock(ctx context.Context, p PIN, puk, value secret.String) error {
	return c.act(ctx, p, func(ch *Channel, po *policy, s PINState, send func(apdu.Command) (apdu.Status, error)) error {
		code, counts := c.conn.applet.PUK(p)
		switch {
		case s.Missing:
			return po.fail(p, PINNotHere, s, nil)
		case puk.IsZero():
			return po.fail(code, PINMissing, PINState{}, nil)
		case !code.takes(puk, code.Min):
			return po.fail(code, PINForm, PINState{}, nil)
		case !p.takes(value, p.Min):
			return po.fail(p, PINNewForm, s, nil)
		}
		if counts {
			left, err := pinState(ch, code)
			if err != nil {
				return err
			}
			if left.Blocked {
				return po.fail(p, PUKBlocked, left, nil)
			}
		}
		sw, err := send(c.conn.applet.Unblock(p, []byte(puk.Reveal()), []byte(value.Reveal())))
		left, refused := sw.Tries()
		switch {
		case err != nil:
			return po.fail(p, PINUnsettled, PINState{}, err)
		case sw == apdu.OK:
			return po.replaced(ctx, p, s, value)
		case refused, sw == apdu.NotAuthorized:
			return po.fail(p, PUKRefused, PINState{Known: refused, Tries: left}, nil)
		case sw == apdu.Blocked:
			return po.fail(p, PUKBlocked, PINState{}, nil)
		}
		return ch.refusal(apdu.ResetRetryCounter, sw)
	})
}

// act lets a human do something with a PIN, in one transaction. The command that presents something is sent once, whatever happens.
func (c *Card) act(ctx context.Context, p PIN, f func(*Channel, *policy, PINState, func(apdu.Command) (apdu.Status, error)) error) error {
	var sent bool
	var result error
	err := c.do(ctx, func(ch *Channel) error {
		if sent {
			return result
		}
		a, po := c.conn.applet, c.conn.policy
		if err := a.Reach(ch, p); err != nil {
			return err
		}
		s, err := pinState(ch, p)
		if err == nil && s.Presented {
			if err = a.Renounce(ch, p); err == nil {
				s, err = pinState(ch, p)
			}
		}
		if err != nil {
			return err
		}
		result = f(ch, po, s, func(command apdu.Command) (apdu.Status, error) {
			sent = true
			return ch.present(command)
		})
		return result
	})
	if sent {
		return result
	}
	return err
}

// trial is an attempt by a human.
type trial struct {
	Attempt
	f    Fingerprint
	last Outcome // of the PIN before
}

// suspect notes that a PIN is about to be presented by a human. It counts as refused until the card has accepted it: were its answer lost,
// it could not be told from one that was refused before.
func (po *policy) suspect(ctx context.Context, p PIN, s PINState, value secret.String) (trial, error) {
	v := []byte(value.Reveal())
	defer clear(v)
	t := trial{Attempt: po.attempt(p, s.Tries), f: NewFingerprint(po.key, po.card, p, v)}
	t.Outcome = Refused
	last, _, err := po.memory.Recall(ctx, t.f)
	if err == nil {
		t.Proven, t.last = last.Proven, last.Outcome
		err = po.memory.Note(ctx, t.f, t.Attempt)
	}
	if err != nil {
		return t, po.fail(p, PINMemory, s, err)
	}
	return t, nil
}

// replaced notes that a PIN has another value now.
func (po *policy) replaced(ctx context.Context, p PIN, s PINState, value secret.String) error {
	v := []byte(value.Reveal())
	defer clear(v)
	return po.accepted(context.WithoutCancel(ctx), p, NewFingerprint(po.key, po.card, p, v), po.attempt(p, s.Tries))
}

// unchanged says why the card has not changed a PIN. Where it did not like the new one, and the counter shows that it has not refused the
// old one, that may be presented again if it might before.
func (po *policy) unchanged(ch *Channel, p PIN, t trial, before PINState, sw apdu.Status) error {
	left, refused := sw.Tries()
	switch {
	case refused, sw == apdu.NotAuthorized, sw == apdu.Blocked:
		return po.fail(p, PINRefused, PINState{Known: refused, Tries: left}, nil)
	case sw != apdu.BadData && sw != apdu.WrongLength:
		return po.fail(p, PINUnsettled, PINState{}, ch.refusal(apdu.ChangeReference, sw))
	}
	s, err := po.again(ch, p)
	if err == nil && t.last != Refused && before.Known && s.Known && s.Tries == before.Tries {
		t.Outcome = Unharmed
		err = po.memory.Note(context.WithoutCancel(ch.ctx), t.f, t.Attempt)
	}
	if err != nil {
		return po.fail(p, PINUnsettled, s, err)
	}
	return po.fail(p, PINNewForm, s, ch.refusal(apdu.ChangeReference, sw))
}

// refusal is the error of a status word.
func (ch *Channel) refusal(ins byte, sw apdu.Status) error {
	return apdu.Response{Status: sw}.Err(apdu.Command{INS: ins, Data: []byte{0}}, ch.family)
}
