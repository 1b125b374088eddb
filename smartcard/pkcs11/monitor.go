package pkcs11

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// Binding is a token that a program is bound to.
type Binding struct {
	Name      string // of the configuration
	Selection Selection
	Want      Want // the key
}

// Watching says what a Monitor watches.
type Watching struct {
	Bindings []Binding
	// Changed is told each change of a condition once, those of one token in their order, one call at a time. It must return soon.
	Changed func(before, now smartcard.Status)
	Soon    time.Duration // before a certificate expires, when that becomes the condition; 30 days
	// Every is how often a token that works is looked at; 30 seconds. Modules tell of no change without taking a call for themselves that some
	// never return from, so they are asked. One in trouble is looked at sooner, from 2 seconds on.
	Every time.Duration
}

// lookTimeout is how long one look may take, and lookFirst how soon a token in trouble is looked at again.
const (
	lookTimeout = 15 * time.Second
	lookFirst   = 2 * time.Second
)

// Monitor knows how each bound token is, in the conditions of cards. It presents no PIN. Operations tell it how they ended, so that it learns of
// a token that has vanished with the first of them.
type Monitor struct {
	o     Watching
	now   func() time.Time
	bound []*bound

	telling sync.Mutex // held while Changed is called
}

// bound is a binding with what is known of its token.
type bound struct {
	Binding
	m     *Monitor
	token *Token
	poke  chan struct{} // holds one token: an operation has ended in a way that says something new

	mu     sync.Mutex
	status smartcard.Status
}

// Monitor makes a monitor; Run starts it. Names of bindings are different.
func (w *Wallet) Monitor(o Watching) (*Monitor, error) {
	o.Soon, o.Every = cmp.Or(o.Soon, 30*24*time.Hour), cmp.Or(o.Every, 30*time.Second)
	m := &Monitor{o: o, now: w.o.Now}
	for _, b := range o.Bindings {
		if slices.ContainsFunc(m.bound, func(o *bound) bool { return o.Name == b.Name }) {
			return nil, fmt.Errorf("pkcs11: two tokens have the name %q", b.Name)
		}
		t, err := w.Token(b.Selection)
		if err != nil {
			return nil, err
		}
		m.bound = append(m.bound, &bound{Binding: b, m: m, token: t, poke: make(chan struct{}, 1),
			status: smartcard.Status{Name: b.Name, Token: true, Condition: smartcard.Asking, Since: w.o.Now(), Text: "the token has not been looked at yet"}})
	}
	return m, nil
}

// Run watches until ctx ends, and returns its error when nothing of it runs any more, but for a call that a module does not return from.
func (m *Monitor) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, b := range m.bound {
		stop := b.token.observe(b.heard)
		all.Go(func() {
			defer stop()
			b.run(ctx)
		})
	}
	all.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// All is how the tokens are, in the order of their bindings. It asks no token.
func (m *Monitor) All() []smartcard.Status {
	var all []smartcard.Status
	for _, b := range m.bound {
		all = append(all, b.current())
	}
	return all
}

// Status is how one token is; ok is false where no binding has this name. It asks no token.
func (m *Monitor) Status(name string) (s smartcard.Status, ok bool) {
	for _, b := range m.bound {
		if b.Name == name {
			return b.current(), true
		}
	}
	return smartcard.Status{}, false
}

// Look has all tokens looked at now: what they need, as a PIN, may have been put right.
func (m *Monitor) Look() {
	for _, b := range m.bound {
		select {
		case b.poke <- struct{}{}:
		default:
		}
	}
}

// run looks at the token again and again.
func (b *bound) run(ctx context.Context) {
	for pause := lookFirst; ; {
		wait := b.m.o.Every
		if b.look(ctx) {
			pause = lookFirst
		} else {
			wait, pause = min(pause, wait), min(2*pause, wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-b.poke:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look asks the token how it is; ok tells that it can be used, or that it has no time to answer because others use it.
func (b *bound) look(ctx context.Context) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := use(ctx, b.token, func(c *connection) (sight, error) { return b.token.sight(c, b.Want) }, quietly)
	switch {
	case errors.Is(err, errClosed), errors.Is(err, context.Canceled), unheard(err):
		return true
	case err != nil:
		b.set(conditionOf(err), sentence(err), err, s)
		return false
	}
	condition, text, _ := smartcard.Judge(s.key, b.m.now(), b.m.o.Soon)
	seen := fmt.Sprintf("the token %q is in slot %q", safetext.Line(s.identity.Label, 32), s.reader)
	if text != "" {
		seen += "; " + text
	}
	b.set(condition, seen, nil, s)
	return true
}

// sight is what is seen of a token without a PIN.
type sight struct {
	identity smartcard.Identity
	reader   string
	key      smartcard.KeyInfo
	pin      smartcard.PINState
}

// sight looks at a token as a signature would, and presents no PIN. After an error it holds what was seen until then.
func (t *Token) sight(c *connection, w Want) (s sight, err error) {
	l, err := c.login()
	if err != nil {
		return s, err
	}
	s.identity, s.reader, s.pin = c.identity(), c.slotName, l.state()
	if s.key, err = c.info(w.digits(), w.Certificate); err != nil {
		return s, err
	}
	if s.key.Binding() && !w.Binding {
		return s, fmt.Errorf("%w: %s", smartcard.ErrNonRepudiation, s.key.Name)
	}
	if l.in || !c.token.has(loginRequired) {
		_, err = c.key(s.key.Certificate)
		return s, err
	}
	p, err := t.prepare(c, l)
	clear(p.value)
	return s, err
}

// set notes how the token is, and tells a condition that is another one.
func (b *bound) set(c smartcard.Condition, text string, err error, s sight) {
	b.mu.Lock()
	before := b.status
	now := &b.status
	now.Text, now.Err = text, err
	if c != now.Condition {
		now.Condition, now.Since = c, b.m.now()
	}
	if s.identity != (smartcard.Identity{}) {
		now.Identity, now.Reader, now.PIN = s.identity, s.reader, s.pin
	}
	if s.key.Certificate != nil {
		now.Key = s.key
	}
	b.mu.Unlock()
	if c == before.Condition || b.m.o.Changed == nil {
		return
	}
	b.m.telling.Lock()
	defer b.m.telling.Unlock()
	b.m.o.Changed(before, b.current())
}

// current is the status with what is counted elsewhere.
func (b *bound) current() smartcard.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Signatures, s.Waiting = b.token.Signatures(), b.token.Waiting()
	return s
}

// heard is told how operations with the token have ended.
func (b *bound) heard(err error) {
	usable := b.current().Condition.Usable()
	if err == nil && usable || err != nil && (!usable || !telling(err)) {
		return
	}
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

// telling tells errors that say something of the token.
func telling(err error) bool {
	return !unheard(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, errClosed) && !errors.Is(err, smartcard.ErrUnsupported) &&
		!errors.Is(err, smartcard.ErrDecryption)
}

// conditionOf is the condition that the failure of a look stands for.
func conditionOf(err error) smartcard.Condition {
	switch {
	case errors.Is(err, ErrHung):
		return smartcard.ModuleHangs
	case errors.Is(err, ErrStart), errors.Is(err, ErrModule):
		return smartcard.NoModule
	case errors.Is(err, ErrMissing):
		return smartcard.NoSupport
	case errors.Is(err, ErrNoKey), errors.Is(err, ErrManyKeys):
		return smartcard.NoKey
	case errors.Is(err, ErrTrouble):
		return smartcard.Failing
	}
	return smartcard.ConditionOf(err)
}

// sentence is an error without the name of its package, on one line.
func sentence(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	return safetext.Line(strings.TrimPrefix(strings.TrimPrefix(text, "pkcs11: "), "smartcard: "), 512)
}
