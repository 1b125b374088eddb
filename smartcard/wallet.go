package smartcard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// Options is what a Wallet is made of.
type Options struct {
	Transport Transport
	Families  []Family // asked in this order
	// PINs hands out PINs; without it, keys that ask for one are of no use.
	PINs   PINSource
	Memory Memory
	// FingerprintKey makes what Memory keeps worthless to others: at least 32 octets, the same in every run.
	FingerprintKey []byte
	Timeout        time.Duration    // of one operation with its wait at most; 30 seconds
	MaxWaiting     int              // for one card, to sign and to decrypt each; 256
	Now            func() time.Time // time.Now
}

// Selection says which card is meant: the one with the serial number, in a reader whose name matches the pattern (as path.Match does, where
// square brackets mean themselves). Either may be empty.
type Selection struct{ Reader, Serial string }

// Check is the error of a pattern that cannot be one.
func (s Selection) Check() error {
	if _, err := path.Match(escape(s.Reader), ""); err != nil {
		return fmt.Errorf("smartcard: the pattern %q of a reader: %w", s.Reader, err)
	}
	return nil
}

// Wallet is the cards of one program.
type Wallet struct {
	o   Options
	met *acquaintances

	mu     sync.Mutex
	cards  map[Selection]*Card
	closed bool
}

// New makes a wallet. It asks no card.
func New(o Options) (*Wallet, error) {
	switch {
	case o.Transport == nil || len(o.Families) == 0 || o.Memory == nil:
		return nil, errors.New("smartcard: a wallet needs a transport, families and a memory")
	case len(o.FingerprintKey) < 32:
		return nil, fmt.Errorf("smartcard: the key of fingerprints has %d octets, and needs 32", len(o.FingerprintKey))
	}
	o.FingerprintKey = bytes.Clone(o.FingerprintKey)
	o.Timeout, o.MaxWaiting = cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.MaxWaiting, 256)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Wallet{o: o, met: &acquaintances{all: map[string]acquaintance{}}, cards: map[Selection]*Card{}}, nil
}

// Card is the card of a selection, the same one for the same selection. It need not be in a reader: it is looked for when it is used.
// Name a card in the same way everywhere, so that all who use it wait in one queue.
func (w *Wallet) Card(s Selection) (*Card, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	c := w.cards[s]
	if c == nil {
		c = &Card{o: w.o, met: w.met, want: s, turn: turns.Queue{Most: w.o.MaxWaiting}}
		w.cards[s] = c
	}
	return c, nil
}

// Close lets go of all cards, when what they are busy with has ended; they are of no use afterwards. A second call does nothing.
func (w *Wallet) Close() error {
	w.mu.Lock()
	w.closed = true
	cards := w.cards
	w.cards = nil
	w.mu.Unlock()
	for _, c := range cards {
		c.close()
	}
	return nil
}

// matches tells whether a reader's name fits a pattern.
func matches(pattern, name string) bool {
	if pattern == "" || pattern == name {
		return true
	}
	ok, err := path.Match(escape(pattern), slashless(name))
	return ok && err == nil
}

// escape takes the meaning from square brackets, which names of readers hold, and from slashes.
func escape(pattern string) string {
	var b bytes.Buffer
	for _, r := range slashless(pattern) {
		if r == '[' || r == ']' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// slashless lets an asterisk match slashes.
func slashless(s string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte("/"), []byte{0}))
}

// recognise finds the family of a card.
func recognise(families []Family, ch *Channel) (Applet, error) {
	for _, f := range families {
		a, err := f.Recognise(ch)
		if err != nil {
			return nil, fmt.Errorf("smartcard: asking whether the card is of the family %s: %w", f.Name(), err)
		}
		if a != nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%w; its ATR is %X", ErrUnknownCard, ch.ATR())
}

// connection is a link to a card that is known.
type connection struct {
	link   Link
	applet Applet
	reader string
	dead   bool      // the link is of no more use
	keys   []KeyInfo // nil until they were read
	policy *policy
}

// connect links to the card in a reader and finds out what it is.
func connect(ctx context.Context, o Options, reader string) (*connection, error) {
	link, err := o.Transport.Connect(ctx, reader)
	if err != nil {
		return nil, err
	}
	c := &connection{link: link, reader: reader}
	err = c.transact(ctx, func(ch *Channel) (err error) {
		c.applet, err = recognise(o.Families, ch)
		return err
	})
	if err != nil {
		link.Close()
		return nil, err
	}
	c.policy = &policy{card: c.applet.Identity(), source: o.PINs, memory: o.Memory, key: o.FingerprintKey, now: o.Now}
	return c, nil
}

// transact calls f within a transaction.
func (c *connection) transact(ctx context.Context, f func(*Channel) error) error {
	if err := c.link.Begin(ctx); err != nil {
		return err
	}
	ch := &Channel{ctx: ctx, link: c.link}
	err := f(ch)
	ch.link = gone{c.link}
	if c.link.End() != nil {
		c.dead = true // what was done is done: the next one finds another link
	}
	return err
}

// gone is the link of a channel whose transaction has ended.
type gone struct{ Link }

// Transmit refuses.
func (gone) Transmit(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("smartcard: the transaction has ended")
}

// list reads the keys once per connection: who renews a card's certificates connects to it anew.
func (c *connection) list(ch *Channel) ([]KeyInfo, error) {
	if c.keys == nil {
		keys, err := c.applet.Keys(ch)
		if err != nil {
			return nil, err
		}
		c.keys = append([]KeyInfo{}, keys...)
	}
	return c.keys, nil
}
