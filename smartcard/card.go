package smartcard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// Card is one card, wherever it is now. Each operation is a transaction of the card; those of this program take their turns in the order
// in which they were asked for, decryption in a line of its own: where there are both, each gets every second turn.
type Card struct {
	o    Options
	met  *acquaintances
	want Selection
	turn turns.Queue

	signed    atomic.Uint64
	telling   sync.Mutex
	observed  int // who ever was, to tell them apart
	observers map[int]observer

	closed atomic.Bool
	conn   *connection // by who has the turn
}

// State is what a card holds.
type State struct {
	Identity Identity
	Reader   string
	Keys     []KeyInfo
	PINs     map[PIN]PINState // of those that open a key, and of others that the card has
}

// State reads what the card holds, and asks for no PIN.
func (c *Card) State(ctx context.Context) (State, error) {
	var s State
	err := c.do(ctx, func(ch *Channel) error {
		keys, err := c.conn.list(ch)
		if err != nil {
			return err
		}
		s = State{Identity: c.conn.applet.Identity(), Reader: c.conn.reader, Keys: slices.Clone(keys), PINs: map[PIN]PINState{}}
		return c.conn.pins(ch, s)
	})
	return s, err
}

// pins reads the states of the PINs of the card.
func (c *connection) pins(ch *Channel, s State) error {
	pins, err := c.applet.PINs(ch)
	if err != nil {
		return err
	}
	for _, k := range s.Keys {
		if k.PIN != nil {
			pins = append(pins, *k.PIN)
		}
	}
	for _, p := range pins {
		if _, ok := s.PINs[p]; ok {
			continue
		}
		if err := c.applet.Reach(ch, p); err != nil {
			return err
		}
		state, err := c.policy.look(ch, p)
		if _, memory := errors.AsType[*PINError](err); err != nil && !memory { // what is remembered matters when one is presented
			return err
		}
		s.PINs[p] = state
	}
	return nil
}

// Forgive says that the PINs of this card which were refused may be presented again: a human has looked after them.
func (c *Card) Forgive(ctx context.Context, p PIN) error {
	return c.do(ctx, func(*Channel) error { return c.o.Memory.Forget(ctx, c.conn.applet.Identity().String(), p) })
}

// Waiting is how many wait for the card.
func (c *Card) Waiting() int { return c.turn.Length() }

// Signatures is how many were made with the keys of the card, in this process.
func (c *Card) Signatures() uint64 { return c.signed.Load() }

// do is an operation: inTurn, and who watches the card is told how it has ended.
func (c *Card) do(ctx context.Context, f func(*Channel) error) error {
	return c.doIn(ctx, turns.House, f)
}

// doIn is do in a line.
func (c *Card) doIn(ctx context.Context, l turns.Line, f func(*Channel) error) error {
	err := c.inTurn(ctx, l, f)
	c.tell(err)
	return err
}

// inTurn calls f within a transaction when it is its turn. Where the card was reset, or a link from before is dead, it is opened anew, once.
func (c *Card) inTurn(ctx context.Context, l turns.Line, f func(*Channel) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if err := c.turn.Enter(ctx, l, nil); errors.Is(err, turns.ErrFull) {
		return &waitError{ErrBusy}
	} else if err != nil {
		return &waitError{err}
	}
	defer c.turn.Leave()
	if c.closed.Load() {
		return errClosed
	}
	kept := c.conn != nil
	err := c.once(ctx, f)
	if err == nil || ctx.Err() != nil {
		return err
	}
	away, ok := errors.AsType[*outage](err)
	if ok && away != ErrBusy && (kept || away == ErrReset) {
		err = c.once(ctx, f)
	}
	return err
}

// once looks for the card where it is not known to be, and calls f. It lets go of the card where the link may be dead, or the answer to one
// command could be taken for that to another.
func (c *Card) once(ctx context.Context, f func(*Channel) error) error {
	if c.conn == nil {
		conn, err := find(ctx, c.o, c.met, c.want)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	err := c.conn.transact(ctx, f)
	if c.conn.dead || err != nil && !harmless(err) {
		c.drop()
	}
	return err
}

// harmless tells errors after which the link is still good: those that the card has clearly said, and ours.
func harmless(err error) bool {
	if Temporary(err) || errors.Is(err, ErrAnswer) {
		return false
	}
	if _, ok := errors.AsType[*PINError](err); ok {
		return true
	}
	_, ok := errors.AsType[*apdu.Error](err)
	return ok || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrDecryption)
}

func (c *Card) drop() {
	if c.conn != nil {
		c.conn.link.Close()
		c.conn = nil
	}
}

// close lets go of the card when it is its turn. Who waits is told at once.
func (c *Card) close() {
	c.closed.Store(true)
	c.turn.EnterLast()
	defer c.turn.Leave()
	c.drop()
}
