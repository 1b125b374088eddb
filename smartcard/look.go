package smartcard

import (
	"context"
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// sight is what is seen of a card without a PIN.
type sight struct {
	identity Identity
	reader   string
	key      KeyInfo // the wanted one
	pin      PINState
	policy   *policy
}

// look looks at the card in its turn, as a signature would: what it reads is what the next signature needs, and is kept for it. It presents no
// PIN. After an error the sight holds what was seen until then.
func (c *Card) look(ctx context.Context, w Want) (sight, error) {
	var s sight
	err := c.inTurn(ctx, turns.House, func(ch *Channel) error {
		s = sight{identity: c.conn.applet.Identity(), reader: c.conn.reader, policy: c.conn.policy}
		wanted := w.digits()
		if wanted == "" {
			return nil
		}
		key, err := c.conn.key(ch, wanted, w.PINRef)
		if err != nil {
			return err
		}
		s.key = key
		if key.PIN == nil {
			return nil
		}
		if err := c.conn.applet.Enter(ch, key); err != nil {
			return err
		}
		s.pin, err = c.conn.policy.look(ch, *key.PIN)
		return err
	})
	if err != nil {
		return s, err
	}
	if s.key.Certificate != nil && s.key.Binding() && !w.Binding {
		return s, ErrNonRepudiation
	}
	if s.key.PIN == nil {
		return s, nil
	}
	return s, s.policy.forecast(ctx, *s.key.PIN, s.pin)
}

// digits is the fingerprint as KeyInfo.Fingerprint writes it.
func (w Want) digits() string { return strings.ToLower(strings.ReplaceAll(w.Fingerprint, ":", "")) }

// forecast is what would keep a PIN from being presented; nil where nothing would. It presents and notes nothing.
func (po *policy) forecast(ctx context.Context, p PIN, s PINState) error {
	if s.Presented {
		return nil
	}
	if reason, ok := s.obstacle(); ok && reason != PINFewTries {
		return po.fail(p, reason, s, nil)
	}
	value, err := po.value(ctx, p, s)
	if err != nil {
		return err
	}
	defer clear(value)
	last, known, err := po.memory.Recall(ctx, NewFingerprint(po.key, po.card, p, value))
	if err != nil {
		return po.fail(p, PINMemory, s, err)
	}
	if reason, ok := last.obstacle(known); ok {
		return po.fail(p, reason, s, nil)
	}
	if s.Tries < minTries {
		return po.fail(p, PINFewTries, s, nil)
	}
	return nil
}

// observer is told how operations with a card have ended. It must return at once.
type observer func(err error)

// observe has f called after each operation, until the returned function is.
func (c *Card) observe(f observer) (stop func()) {
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.observers == nil {
		c.observers = map[int]observer{}
	}
	c.observed++
	id := c.observed
	c.observers[id] = f
	return func() {
		c.telling.Lock()
		defer c.telling.Unlock()
		delete(c.observers, id)
	}
}

// tell tells the observers.
func (c *Card) tell(err error) {
	c.telling.Lock()
	defer c.telling.Unlock()
	for _, f := range c.observers {
		f(err)
	}
}

// waitError says that the turn has not come, so that nothing is known of the card.
type waitError struct{ err error }

// Error says what was waited for.
func (e *waitError) Error() string { return "smartcard: waiting for the card: " + e.err.Error() }

// Unwrap is why the turn has not come.
func (e *waitError) Unwrap() error { return e.err }

// unheard tells whether an error says nothing of the card: its turn has not come.
func unheard(err error) bool {
	_, ok := errors.AsType[*waitError](err)
	return ok
}
