package smartcard

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// minTries is how many tries must be left before a PIN is presented: if it is wrong, two remain for a human.
const minTries = 3

// maxTries is more than any card can say are left.
const maxTries = 16

// PINSource hands out the PIN of a card. It is asked each time one is needed. The empty secret means that there is none.
type PINSource func(ctx context.Context, card Identity, p PIN) (secret.String, error)

// PINState is what a card says of a PIN.
type PINState struct {
	Known     bool // Tries is what the card says
	Tries     int
	Presented bool // and accepted, since the last reset; the card says no counter then
	Blocked   bool
	Null      bool // none has been set yet
	Transport bool // the card has the PIN that it was sent with
	Missing   bool // the card has no PIN of this number
	Few       bool // tries were lost since the last success, and the token does not say how many
	Status    apdu.Status
}

// policy presents PINs of one card, by the rules in the package comment.
type policy struct {
	card   Identity
	source PINSource
	memory Memory
	key    []byte // of fingerprints
	now    func() time.Time
	ample  map[byte]bool // by reference: the PIN was accepted when enough tries were left; acceptance lowers none
}

// pinState asks for the counter: VERIFY without data (ISO 7816-4, 11.6.6; NIST SP 800-73-4, part 2, 3.2.1).
func pinState(ch *Channel, p PIN) (PINState, error) {
	r, err := ch.Send(apdu.Command{INS: apdu.Verify, P2: p.Ref})
	if err != nil {
		return PINState{}, err
	}
	s := PINState{Status: r.Status}
	if len(r.Data) > 0 { // no card says anything here: this answer is to something else
		return s, nil
	}
	if n, ok := r.Status.Tries(); ok {
		s.Known, s.Tries, s.Blocked = true, n, n == 0
		return s, nil
	}
	switch r.Status {
	case apdu.OK:
		s.Presented = true
	case apdu.Blocked:
		s.Known, s.Blocked = true, true
	case apdu.Unsatisfied:
		s.Null = ch.family == apdu.TCOS // GnuPG, app-nks
	case apdu.Unusable:
		s.Transport = true
	case apdu.NoReference:
		s.Missing = true
	}
	return s, nil
}

// open sees to it that the card counts the PIN as presented; with fresh, that it is presented now.
func (po *policy) open(ch *Channel, a Applet, p PIN, fresh bool) error {
	s, err := pinState(ch, p)
	if err == nil && s.Presented && fresh {
		if err = a.Renounce(ch, p); err == nil {
			s, err = pinState(ch, p)
		}
	}
	if err != nil {
		return err
	}
	if s.Presented {
		if !fresh {
			return nil
		}
		// The card has accepted a PIN and does not say its counter: it is full, and we have seen that a full one is enough. If what becomes
		// of this try is not learned, it counts as refused, since no counter can then be lower than this.
		if !po.ample[p.Ref] {
			return po.fail(p, PINNoCounter, s, nil)
		}
		s.Known, s.Tries = true, maxTries
	}
	if reason, ok := s.obstacle(); ok {
		return po.fail(p, reason, s, nil)
	}
	return po.present(ch, p, s)
}

// obstacle is why no PIN may be presented in this state.
func (s PINState) obstacle() (Reason, bool) {
	switch {
	case s.Blocked:
		return PINBlocked, true
	case s.Null:
		return PINNull, true
	case s.Transport:
		return PINTransport, true
	case s.Missing:
		return PINNotHere, true
	case !s.Known:
		return PINNoCounter, true
	case s.Tries < minTries:
		return PINFewTries, true
	}
	return 0, false
}

// present sends the PIN once, if it may be. What it is about to do is noted before.
func (po *policy) present(ch *Channel, p PIN, s PINState) error {
	value, err := po.value(ch.ctx, p, s)
	if err != nil {
		return err
	}
	defer clear(value)
	f := fingerprint(po.key, po.card, p, value)
	attempt := Attempt{Outcome: Unsettled, Tries: s.Tries, Card: po.card.String(), Ref: p.Ref, At: po.now()}
	if err := po.mayTry(ch.ctx, p, f, s); err != nil {
		return err
	}
	if err := po.memory.Note(ch.ctx, f, attempt); err != nil {
		return po.fail(p, PINMemory, s, err)
	}
	c := apdu.Command{INS: apdu.Verify, P2: p.Ref, Data: pad(value, p.Padded)}
	defer clear(c.Data)
	ch.permit = true
	r, err := ch.Send(c)
	ch.permit = false
	if err != nil {
		return po.fail(p, PINUnsettled, PINState{}, err)
	}
	return po.settle(ch.ctx, p, f, attempt, r.Status)
}

// value is the PIN, if it can be one.
func (po *policy) value(ctx context.Context, p PIN, s PINState) ([]byte, error) {
	if po.source == nil {
		return nil, po.fail(p, PINMissing, s, nil)
	}
	text, err := po.source(ctx, po.card, p)
	if err != nil || text.IsZero() {
		return nil, po.fail(p, PINMissing, s, err)
	}
	value := []byte(text.Reveal())
	bad := len(value) < p.Min || len(value) > p.Max
	for _, b := range value {
		bad = bad || p.Digits && (b < '0' || b > '9') || b < 0x20 || b > 0x7E
	}
	if bad {
		clear(value)
		return nil, po.fail(p, PINForm, s, nil)
	}
	return value, nil
}

// mayTry looks at what became of this PIN before.
func (po *policy) mayTry(ctx context.Context, p PIN, f Fingerprint, s PINState) error {
	last, ok, err := po.memory.Recall(ctx, f)
	switch {
	case err != nil:
		return po.fail(p, PINMemory, s, err)
	case !ok || last.Outcome == Accepted:
		return nil
	case last.Outcome == Refused:
		return po.fail(p, PINRefusedOnce, s, nil)
	case s.Tries >= last.Tries:
		return nil // the try has not cost one: the card did not see it, or accepted it
	}
	last.Outcome = Refused
	if err := po.memory.Note(context.WithoutCancel(ctx), f, last); err != nil {
		return po.fail(p, PINMemory, s, err)
	}
	return po.fail(p, PINRefusedOnce, s, nil)
}

// settle notes the answer of the card.
func (po *policy) settle(ctx context.Context, p PIN, f Fingerprint, a Attempt, sw apdu.Status) error {
	ctx = context.WithoutCancel(ctx) // the answer is there: it must be noted
	left, counted := sw.Tries()
	switch {
	case sw == apdu.OK:
		a.Outcome = Accepted
		po.ample[p.Ref] = true
		if err := po.memory.Note(ctx, f, a); err != nil {
			return po.fail(p, PINMemory, PINState{}, err)
		}
		return nil
	case counted, sw == apdu.NotAuthorized, sw == apdu.Blocked, sw == apdu.Unusable, sw == apdu.BadData, sw == apdu.WrongLength:
		a.Outcome = Refused
		delete(po.ample, p.Ref)
		return po.fail(p, PINRefused, PINState{Known: counted, Tries: left}, po.memory.Note(ctx, f, a))
	}
	return po.fail(p, PINUnsettled, PINState{}, fmt.Errorf("%w: VERIFY: %v", ErrAnswer, sw))
}

func (po *policy) fail(p PIN, r Reason, s PINState, err error) error {
	e := &PINError{Card: po.card, PIN: p, Reason: r, Tries: -1, Err: err}
	if s.Known {
		e.Tries = s.Tries
	}
	return e
}

// pad fills a PIN up with FF (SP 800-73-4, part 2, 2.4.3), in octets of its own.
func pad(value []byte, n int) []byte {
	b := append(make([]byte, 0, max(n, len(value))), value...)
	for len(b) < n {
		b = append(b, 0xFF)
	}
	return b
}
