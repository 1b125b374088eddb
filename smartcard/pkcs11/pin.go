package pkcs11

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
)

// maxDoubts is how often in a row a PIN that was accepted before may be presented again whose answer was lost.
const maxDoubts = 1

// login is what a token says of the PIN of its user.
type login struct {
	token tokenInfo
	in    bool // logged in
}

// login asks the token; the slot first, since some modules learn only so that a card was pulled.
func (c *connection) login() (l login, err error) {
	switch _, there, err := c.lib.slot(c.slot); {
	case err != nil:
		return l, err
	case !there:
		return l, &Error{Call: "C_GetSlotInfo", Code: pkcs11.CKR_TOKEN_NOT_PRESENT, Text: "no token"}
	}
	if l.token, err = c.lib.token(c.slot); err != nil {
		return l, err
	}
	state, err := c.lib.state(c.session)
	l.in = state == pkcs11.CKS_RO_USER_FUNCTIONS || state == pkcs11.CKS_RW_USER_FUNCTIONS
	return l, err
}

// state is in the terms of cards.
func (l login) state() smartcard.PINState {
	t := l.token
	s := smartcard.PINState{Presented: l.in, Blocked: t.has(pkcs11.CKF_USER_PIN_LOCKED), Null: !t.has(pkcs11.CKF_USER_PIN_INITIALIZED),
		Transport: t.has(pkcs11.CKF_USER_PIN_TO_BE_CHANGED), Few: t.has(pkcs11.CKF_USER_PIN_COUNT_LOW),
		Pad: l.pad()}
	switch {
	case s.Blocked:
		s.Known = true
	case t.has(pkcs11.CKF_USER_PIN_FINAL_TRY):
		s.Known, s.Tries = true, 1
	}
	return s
}

// obstacle is why no PIN may be presented.
func (l login) obstacle() (smartcard.Reason, bool) {
	switch s := l.state(); {
	case s.Blocked:
		return smartcard.PINBlocked, true
	case s.Null:
		return smartcard.PINNull, true
	case s.Transport:
		return smartcard.PINTransport, true
	case s.Known, s.Few:
		return smartcard.PINFewTries, true
	}
	return 0, false
}

// pad tells whether the token asks for its PIN by itself.
func (l login) pad() bool { return l.token.has(pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH) }

// loginRequired is the flag of tokens that hide their private keys until someone has logged in.
const loginRequired = pkcs11.CKF_LOGIN_REQUIRED

// logIn sees to it that the user is logged in; for one operation, where user is CKU_CONTEXT_SPECIFIC.
func (t *Token) logIn(c *connection, user uint) error {
	if !c.token.has(loginRequired) {
		return nil
	}
	l, err := c.login()
	if err != nil {
		return err
	}
	if l.in && user == pkcs11.CKU_USER {
		return nil
	}
	p, err := t.prepare(c, l)
	if err != nil {
		return err
	}
	defer clear(p.value)
	return t.present(c, l, user, p)
}

// prepared is a PIN that may be presented.
type prepared struct {
	value       []byte // none where the token asks for it
	fingerprint smartcard.Fingerprint
	attempt     smartcard.Attempt // that is about to begin
}

// prepare gets the PIN, if it may be presented. It presents and notes nothing.
func (t *Token) prepare(c *connection, l login) (p prepared, err error) {
	if reason, ok := l.obstacle(); ok {
		return p, c.refuse(reason, l, nil)
	}
	switch last, known, err := t.o.Memory.Recall(c.ctx, t.mark(c)); {
	case err != nil:
		return p, c.refuse(smartcard.PINMemory, l, err)
	case known && last.Outcome == smartcard.Refused:
		return p, c.refuse(smartcard.PINFewTries, l, nil)
	}
	if p.value, err = t.value(c, l); err != nil {
		return p, err
	}
	p.fingerprint, p.attempt = t.fingerprint(c, p.value), t.attempt(c)
	if err = t.mayTry(c, l, &p); err != nil {
		clear(p.value)
	}
	return p, err
}

// mayTry looks at what became of this PIN before, and of others.
func (t *Token) mayTry(c *connection, l login, p *prepared) error {
	last, known, err := t.o.Memory.Recall(c.ctx, p.fingerprint)
	if err != nil {
		return c.refuse(smartcard.PINMemory, l, err)
	}
	lost, err := t.o.Memory.Unsettled(c.ctx, p.attempt.Card, c.pin())
	if err != nil {
		return c.refuse(smartcard.PINMemory, l, err)
	}
	delete(lost, p.fingerprint)
	switch {
	case known && last.Outcome == smartcard.Refused:
		return c.refuse(smartcard.PINRefusedOnce, l, nil)
	case len(lost) > 0, known && last.Outcome != smartcard.Accepted && (!last.Proven || last.Doubts >= maxDoubts):
		return c.refuse(smartcard.PINDoubtful, l, nil)
	}
	p.attempt.Proven, p.attempt.Doubts = last.Proven, last.Doubts
	if known && last.Outcome != smartcard.Accepted {
		p.attempt.Doubts++ // once more: the token says that no PIN was refused, and this one was right
	}
	return nil
}

// attempt is one that is about to begin.
func (t *Token) attempt(c *connection) smartcard.Attempt {
	p := c.pin()
	return smartcard.Attempt{Outcome: smartcard.Unsettled, Card: c.identity().String(), Ref: p.Ref, Application: p.Application, At: t.o.Now()}
}

// value is the PIN; none where the token asks for it.
func (t *Token) value(c *connection, l login) ([]byte, error) {
	if l.pad() {
		return nil, nil
	}
	if t.o.PINs == nil {
		return nil, c.refuse(smartcard.PINMissing, l, nil)
	}
	text, err := t.o.PINs(c.ctx, t.want, c.identity(), c.pin())
	switch {
	case err != nil:
		return nil, c.refuse(smartcard.PINUnreadable, l, err)
	case text.IsZero():
		return nil, c.refuse(smartcard.PINMissing, l, nil)
	}
	return c.checked(text, l)
}

// checked is a PIN, if it can be one.
func (c *connection) checked(text secret.String, l login) ([]byte, error) {
	if !valid(text.Reveal(), c.pin()) {
		return nil, c.refuse(smartcard.PINForm, l, nil)
	}
	return []byte(text.Reveal()), nil
}

// present presents a PIN once. What it is about to do is noted before, what became of it after.
func (t *Token) present(c *connection, l login, user uint, p prepared) error {
	f, a := p.fingerprint, p.attempt
	if err := t.o.Memory.Note(c.ctx, f, a); err != nil {
		return c.refuse(smartcard.PINMemory, l, err)
	}
	said := c.lib.login(c.session, user, p.value)
	ctx := context.WithoutCancel(c.ctx) // the answer is there: it must be noted
	reason, settled := outcome(said)
	switch {
	case is(said, pkcs11.CKR_USER_ALREADY_LOGGED_IN): // the PIN was not looked at
		a.Outcome = smartcard.Accepted
		if err := t.o.Memory.Note(ctx, f, a); err != nil {
			return c.refuse(smartcard.PINMemory, l, err)
		}
		return nil
	case said == nil:
		a.Outcome = smartcard.Accepted
		if err := t.settle(ctx, c, f, a, false); err != nil {
			return c.refuse(smartcard.PINMemory, l, err)
		}
		return nil
	case settled:
		a.Outcome = smartcard.Refused
		now, err := c.login()
		_, shows := now.obstacle()
		if err == nil {
			l = now
		}
		return c.refuse(reason, l, joined(said, t.settle(ctx, c, f, a, err != nil || !shows)))
	}
	return c.refuse(smartcard.PINUnsettled, l, translate(said))
}

// settle notes what became of a PIN. mute is whether the token shows no flag after it has refused one, as PKCS #11 allows: then a mark in
// Memory stands for the flag.
func (t *Token) settle(ctx context.Context, c *connection, f smartcard.Fingerprint, a smartcard.Attempt, mute bool) error {
	mark := t.mark(c)
	last, known, err := t.o.Memory.Recall(ctx, mark)
	if err == nil && (mute || known && last.Outcome == smartcard.Refused) {
		m := a
		m.Application = c.markedPIN().Application
		err = t.o.Memory.Note(ctx, mark, m)
	}
	if a.Outcome != smartcard.Accepted {
		return errors.Join(err, t.o.Memory.Note(ctx, f, a))
	}
	a.Proven, a.Doubts = true, 0
	return errors.Join(err, t.o.Memory.Supersede(ctx, f, a))
}

// markedPIN stands for no PIN, but for one of the token having been refused since the last success.
func (c *connection) markedPIN() smartcard.PIN {
	p := c.pin()
	p.Application += " (refused)"
	return p
}

// mark is the fingerprint of it.
func (t *Token) mark(c *connection) smartcard.Fingerprint {
	return smartcard.NewFingerprint(t.o.FingerprintKey, c.identity(), c.markedPIN(), nil)
}

// joined keeps both errors.
func joined(said, noted error) error {
	if noted == nil {
		return said
	}
	return fmt.Errorf("%w; and it could not be noted: %w", said, noted)
}

// outcome is what an answer to C_Login says of the PIN; settled is false where it says nothing.
func outcome(err error) (reason smartcard.Reason, settled bool) {
	switch {
	case is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE):
		return smartcard.PINRefused, true
	case is(err, pkcs11.CKR_PIN_LOCKED):
		return smartcard.PINBlocked, true
	case is(err, pkcs11.CKR_PIN_EXPIRED):
		return smartcard.PINTransport, true
	case is(err, pkcs11.CKR_USER_PIN_NOT_INITIALIZED):
		return smartcard.PINNull, true
	case is(err, pkcs11.CKR_FUNCTION_CANCELED, pkcs11.CKR_CANCEL, pkcs11.CKR_FUNCTION_REJECTED):
		return smartcard.PINMissing, true // at a PIN pad: nobody has typed one. It is not asked for again until a human says so
	}
	return 0, false
}

// unlock is Token.Unlock.
func (t *Token) unlock(c *connection, text secret.String) error {
	l, err := c.login()
	if err != nil {
		return err
	}
	switch reason, _ := l.obstacle(); reason {
	case smartcard.PINBlocked, smartcard.PINNull, smartcard.PINTransport:
		return c.refuse(reason, l, nil)
	}
	if l.in {
		// The token accepts a PIN only from who is logged out.
		if err := c.lib.logout(c.session); err != nil {
			return err
		}
	}
	var value []byte
	if !l.pad() {
		if value, err = c.checked(text, l); err != nil {
			return err
		}
		defer clear(value)
	}
	return t.present(c, l, pkcs11.CKU_USER, prepared{value, t.fingerprint(c, value), t.attempt(c)})
}

// refuse is an error of the PIN of the token.
func (c *connection) refuse(r smartcard.Reason, l login, err error) error {
	e := &smartcard.PINError{Card: c.identity(), PIN: c.pin(), Reason: r, Tries: -1, Err: err, Token: true}
	if s := l.state(); s.Known {
		e.Tries = s.Tries
	}
	return e
}

// fingerprint stands for a PIN of the token; without a value for one that was typed at a PIN pad.
func (t *Token) fingerprint(c *connection, value []byte) smartcard.Fingerprint {
	return smartcard.NewFingerprint(t.o.FingerprintKey, c.identity(), c.pin(), value)
}
