package pkcs11

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// Token is one token, wherever its module has it now. Operations of this program take their turns in the order in which they were asked for,
// decryption in a line of its own: where there are both, each gets every second turn.
type Token struct {
	o      Options
	want   Selection
	module *module
	turn   turns.Queue
	signed atomic.Uint64

	mu        sync.Mutex
	observers []*func(error)
}

// Want says which key of a token is meant.
type Want struct {
	// Fingerprint is the SHA-256 of its certificate, in hexadecimal digits; colons and case do not matter.
	Fingerprint string
	// Binding allows a key that is marked for non-repudiation.
	Binding bool
	// Certificate is the certificate itself, for a token that holds the key and no certificate; may be nil.
	Certificate *x509.Certificate
}

// digits is the fingerprint as KeyInfo.Fingerprint writes it.
func (w Want) digits() string { return strings.ToLower(strings.ReplaceAll(w.Fingerprint, ":", "")) }

// Key finds a key by its certificate, and asks for no PIN: the private key is looked for when it is used.
func (t *Token) Key(ctx context.Context, w Want) (*Key, error) {
	k, err := use(ctx, t, func(c *connection) (*Key, error) {
		info, err := c.info(w.digits(), w.Certificate)
		return &Key{token: t, info: info, can: c.can, ctx: context.Background(), count: new(atomic.Uint64)}, err
	})
	switch {
	case err != nil:
		return nil, err
	case k.info.Binding() && !w.Binding:
		return nil, fmt.Errorf("%w: %s", smartcard.ErrNonRepudiation, k.info.Name)
	}
	return k, nil
}

// State reads what the token holds, and asks for no PIN. Its Reader is what the module calls the slot. A token hides its private keys until
// someone has logged in: Keys are those whose certificates it shows.
func (t *Token) State(ctx context.Context) (smartcard.State, error) {
	return use(ctx, t, (*connection).look)
}

// Unlock presents a PIN once, because a human says that it is right: also one that was refused before, and where the token says that few tries
// are left; not where the PIN is locked. A token with a PIN pad asks its holder instead, and value is not used.
func (t *Token) Unlock(ctx context.Context, value secret.String) error {
	_, err := use(ctx, t, func(c *connection) (struct{}, error) { return struct{}{}, t.unlock(c, value) })
	return err
}

// Forgive says that PINs of this token which were refused may be presented again: a human has looked after them.
func (t *Token) Forgive(ctx context.Context) error {
	_, err := use(ctx, t, func(c *connection) (struct{}, error) {
		card := c.identity().String()
		return struct{}{}, errors.Join(t.o.Memory.Forget(ctx, card, c.pin()), t.o.Memory.Forget(ctx, card, c.markedPIN()))
	})
	return err
}

// Signatures is how many signatures were made with all keys of the token, in this process.
func (t *Token) Signatures() uint64 { return t.signed.Load() }

// Waiting is how many wait for the token.
func (t *Token) Waiting() int { return t.turn.Length() }

// String names the token as it was asked for.
func (t *Token) String() string {
	text := "token"
	if t.want.Token != "" {
		text += fmt.Sprintf(" %q", safetext.Line(t.want.Token, 64))
	}
	if t.want.Serial != "" {
		text += " with the serial number " + safetext.Line(t.want.Serial, 64)
	}
	return text
}

// observe has f called after each operation, until the returned function is.
func (t *Token) observe(f func(error)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observers = append(t.observers, &f)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.observers = slices.DeleteFunc(t.observers, func(o *func(error)) bool { return o == &f })
	}
}

// tell tells the observers.
func (t *Token) tell(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.observers {
		(*f)(err)
	}
}

// quiet is whether observers are not told.
type quiet bool

const quietly quiet = true

// use calls f with a session when it is the token's turn. Where the token has gone meanwhile, or its session is dead, it is opened anew, once.
func use[T any](ctx context.Context, t *Token, f func(*connection) (T, error), q ...quiet) (out T, err error) {
	return useIn(ctx, t, turns.House, f, q...)
}

// useIn is use in a line.
func useIn[T any](ctx context.Context, t *Token, l turns.Line, f func(*connection) (T, error), q ...quiet) (out T, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.Timeout)
	defer cancel()
	if len(q) == 0 {
		defer func() { t.tell(err) }()
	}
	if err := t.enter(ctx, l); err != nil {
		return out, err
	}
	defer t.turn.Leave()
	return call(ctx, t.module, func() (T, error) {
		kept := t.module.conns[t] != nil
		out, err := once(ctx, t, f)
		if err != nil && kept && ctx.Err() == nil && fresh(err) {
			out, err = once(ctx, t, f)
		}
		return out, err
	})
}

// waitError says that the turn has not come, so that nothing is known of the token.
type waitError struct{ err error }

// Error says what was waited for.
func (e *waitError) Error() string { return "pkcs11: waiting for the token: " + e.err.Error() }

// Unwrap is why the turn has not come.
func (e *waitError) Unwrap() error { return e.err }

// unheard tells whether an error says nothing of the token: its turn has not come.
func unheard(err error) bool {
	_, ok := errors.AsType[*waitError](err)
	return ok
}

// enter waits for the token's turn.
func (t *Token) enter(ctx context.Context, l turns.Line) error {
	switch err := t.turn.Enter(ctx, l, t.module.hung()); {
	case err == nil:
		return nil
	case errors.Is(err, turns.ErrGone):
		return ErrHung
	case errors.Is(err, turns.ErrFull):
		return &waitError{smartcard.ErrBusy}
	default:
		return &waitError{err}
	}
}

// once looks for the token where no session is open, and calls f. It closes the session after an error that another operation in it might
// suffer from.
func once[T any](ctx context.Context, t *Token, f func(*connection) (T, error)) (T, error) {
	var none T
	c, err := t.connection(ctx)
	if err != nil {
		return none, err
	}
	out, err := f(c)
	err = translate(err)
	if err != nil && !harmless(err) {
		delete(t.module.conns, t)
		c.close()
	}
	return out, err
}

// connection is the open session, or a new one.
func (t *Token) connection(ctx context.Context) (c *connection, err error) {
	m := t.module
	defer func() {
		if err == nil {
			c.ctx = ctx
		}
	}()
	if c := m.conns[t]; c != nil {
		return c, nil
	}
	if err := m.ready(); err != nil {
		return nil, err
	}
	c, err = t.find()
	if err != nil && ctx.Err() == nil && smartcard.Temporary(err) {
		ok, e := m.restart()
		if e != nil {
			return nil, e
		}
		if ok {
			c, err = t.find()
		}
	}
	if err != nil {
		return nil, err
	}
	m.conns[t] = c
	return c, nil
}

// label and serial number of tokens are filled up with spaces, or by some with zeros.
func trim(s string) string { return strings.Trim(s, " \x00") }

// printable is a name for people from octets that a token has chosen.
func printable(b []byte) string {
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return hex.EncodeToString(b[:min(len(b), 32)])
		}
	}
	return safetext.Line(string(b), 64)
}
