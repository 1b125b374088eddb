package smartcard

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

const (
	// minTries is how many tries must be left before a PIN is presented: if it is wrong, two remain for a human.
	minTries = 3
	// maxDoubts is how often in a row a PIN may be presented again whose answer was lost.
	maxDoubts = 1
	// answerWait is how long a card may take to answer a PIN, whether or not somebody still waits for what follows.
	answerWait = 10 * time.Second
)

// PINSource hands out the PIN of a card. It is asked each time one is needed, while all others wait for the card, so that it returns soon. The
// empty secret means that there is none.
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
	Pad       bool // the token asks for it by a PIN pad of its own
	Status    apdu.Status
}

// policy presents PINs of one card, by the rules in the package comment.
type policy struct {
	card   Identity
	source PINSource
	memory Memory
	key    []byte // of fingerprints
	now    func() time.Time
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

// look asks for the counter, and learns from it what became of tries whose answers were lost.
func (po *policy) look(ch *Channel, p PIN) (PINState, error) {
	s, err := pinState(ch, p)
	if err != nil || !s.Known {
		return s, err
	}
	lost, err := po.memory.Unsettled(ch.ctx, po.card.String(), p)
	for f, a := range lost {
		if next := a.judge(s.Tries); next != a {
			err = po.memory.Note(context.WithoutCancel(ch.ctx), f, next)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		return s, po.fail(p, PINMemory, s, err)
	}
	return s, nil
}

// judge is an attempt without an answer when the counter has been read. A lower one shows that it was refused. An equal one shows that it
// was not, unless another program has since raised the counter by another PIN; for one that the card has accepted before this is not
// assumed, once: at least three tries are left then. A higher one shows that the card has accepted this PIN or another, and not which.
func (a Attempt) judge(tries int) Attempt {
	switch {
	case tries < a.Tries:
		a.Outcome = Refused
	case tries == a.Tries && a.Proven && a.Doubts < maxDoubts:
		a.Outcome = Unharmed
		a.Doubts++
	}
	return a
}

// obstacle is why a PIN may not be presented again after its last attempt, if there was one.
func (a Attempt) obstacle(known bool) (Reason, bool) {
	switch {
	case known && a.Outcome == Refused:
		return PINRefusedOnce, true
	case known && a.Outcome == Unsettled:
		return PINDoubtful, true
	}
	return 0, false
}

// open sees to it that the card counts the PIN as presented; with fresh, that it is presented now.
func (po *policy) open(ch *Channel, a Applet, p PIN, fresh bool) error {
	s, err := po.look(ch, p)
	if err == nil && s.Presented && fresh {
		if err = a.Renounce(ch, p); err == nil {
			s, err = po.look(ch, p)
		}
	}
	if err != nil || s.Presented && !fresh {
		return err
	}
	if reason, ok := s.obstacle(); ok && !s.Presented {
		return po.fail(p, reason, s, nil)
	}
	value, err := po.value(ch.ctx, p, s)
	if err != nil {
		return err
	}
	defer clear(value)
	return po.present(ch, p, s, value)
}

// obstacle is why no PIN may be presented in this state.
func (s PINState) obstacle() (Reason, bool) {
	reason, ok := s.impossible()
	if !ok && s.Tries < minTries {
		return PINFewTries, true
	}
	return reason, ok
}

// impossible is why not even a human may present a PIN in this state.
func (s PINState) impossible() (Reason, bool) {
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
	}
	return 0, false
}

// value is the PIN, if it can be one.
func (po *policy) value(ctx context.Context, p PIN, s PINState) ([]byte, error) {
	if po.source == nil {
		return nil, po.fail(p, PINMissing, s, nil)
	}
	text, err := po.source(ctx, po.card, p)
	switch {
	case err != nil:
		return nil, po.fail(p, PINUnreadable, s, err)
	case text.IsZero():
		return nil, po.fail(p, PINMissing, s, nil)
	case !p.takes(text, p.Min):
		return nil, po.fail(p, PINForm, s, nil)
	}
	return []byte(text.Reveal()), nil
}

// takes tells whether a value has the form of the PIN, and at least so many characters.
func (p PIN) takes(value secret.String, least int) bool {
	text := value.Reveal()
	bad := len(text) < least || len(text) > p.Max
	for _, b := range []byte(text) {
		bad = bad || p.Digits && (b < '0' || b > '9') || b < 0x20 || b > 0x7E
	}
	return !bad
}

// present sends the PIN once, if it may be. What it is about to do is noted before.
func (po *policy) present(ch *Channel, p PIN, s PINState, value []byte) error {
	f := NewFingerprint(po.key, po.card, p, value)
	last, known, err := po.memory.Recall(ch.ctx, f)
	if err != nil {
		return po.fail(p, PINMemory, s, err)
	}
	if s.Presented {
		// The card has accepted a PIN and does not say its counter: it is full then, and not lower than it was when this one was accepted.
		if !known || last.Outcome != Accepted || last.Tries < minTries {
			return po.fail(p, PINNoCounter, s, nil)
		}
		s.Known, s.Tries = true, last.Tries
	}
	if reason, ok := last.obstacle(known); ok {
		return po.fail(p, reason, s, nil)
	}
	next := po.attempt(p, s.Tries)
	next.Proven, next.Doubts = last.Proven, last.Doubts
	if err := po.memory.Note(ch.ctx, f, next); err != nil {
		return po.fail(p, PINMemory, s, err)
	}
	sw, err := ch.present(apdu.Command{INS: apdu.Verify, P2: p.Ref, Data: pad(value, p.Padded)})
	if err != nil {
		return po.fail(p, PINUnsettled, PINState{}, err)
	}
	return po.settle(ch, p, f, next, s, sw)
}

func (po *policy) attempt(p PIN, tries int) Attempt {
	return Attempt{Tries: tries, Card: po.card.String(), Ref: p.Ref, Application: p.Application, At: po.now()}
}

// present sends a command with a PIN or PUK and wipes it. Who waits may go away meanwhile: the answer is waited for.
func (ch *Channel) present(c apdu.Command) (apdu.Status, error) {
	defer clear(c.Data)
	caller := ch.ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), answerWait)
	defer cancel()
	ch.ctx, ch.permit = ctx, true
	r, err := ch.Send(c)
	ch.ctx, ch.permit = caller, false
	if len(r.Data) > 0 { // no card says anything here: this answer is to something else, and its status word means nothing
		return 0, err
	}
	return r.Status, err
}

// settle notes the answer of the card.
func (po *policy) settle(ch *Channel, p PIN, f Fingerprint, a Attempt, before PINState, sw apdu.Status) error {
	ctx := context.WithoutCancel(ch.ctx) // the answer is there: it must be noted
	left, counted := sw.Tries()
	switch {
	case sw == apdu.OK:
		return po.accepted(ctx, p, f, a)
	case counted, sw == apdu.NotAuthorized, sw == apdu.Blocked, sw == apdu.Unusable, sw == apdu.BadData, sw == apdu.WrongLength:
		a.Outcome = Refused
		return po.fail(p, PINRefused, PINState{Known: counted, Tries: left}, po.memory.Note(ctx, f, a))
	}
	// The answer says nothing of the PIN. Within the transaction nobody else has spoken to the card, so that its counter does.
	unclear := fmt.Errorf("%w: VERIFY: %v", ErrAnswer, sw)
	s, err := po.again(ch, p)
	switch {
	case err != nil || before.Presented:
	case s.Presented:
		return po.accepted(ctx, p, f, a)
	case s.Known && s.Tries < before.Tries:
		a.Outcome = Refused
		return po.fail(p, PINRefused, s, po.memory.Note(ctx, f, a))
	case s.Known && s.Tries == before.Tries && a.Outcome != Refused:
		a.Outcome = Unharmed
		err = po.memory.Note(ctx, f, a)
	}
	if err != nil {
		unclear = fmt.Errorf("%w; %w", unclear, err)
	}
	return po.fail(p, PINUnsettled, PINState{}, unclear)
}

// again asks for the counter after an answer that was not clear, whether or not somebody still waits.
func (po *policy) again(ch *Channel, p PIN) (PINState, error) {
	caller := ch.ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), answerWait)
	defer cancel()
	ch.ctx = ctx
	defer func() { ch.ctx = caller }()
	return pinState(ch, p)
}

func (po *policy) accepted(ctx context.Context, p PIN, f Fingerprint, a Attempt) error {
	a.Outcome, a.Proven, a.Doubts = Accepted, true, 0
	if err := po.memory.Supersede(ctx, f, a); err != nil {
		return po.fail(p, PINMemory, PINState{}, err)
	}
	return nil
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
