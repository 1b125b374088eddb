package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardUnlockCmd lets a human present a PIN once, or unblock it by the PUK.
type smartcardUnlockCmd struct {
	cardActFlags
	PUK        bool   `name:"puk" help:"The PIN is blocked: set a new one by the PUK."`
	PINFile    string `name:"pin-file" placeholder:"FILE" help:"File whose first line is the PIN; without it the PIN is asked for, or is the first line of standard input."`
	PUKFile    string `name:"puk-file" placeholder:"FILE" help:"With --puk: file whose first line is the PUK."`
	NewPINFile string `name:"new-pin-file" placeholder:"FILE" help:"With --puk: file whose first line is the new PIN."`
}

// Run does what was asked for, once somebody has agreed to what it may cost.
func (c *smartcardUnlockCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	if c.PUK && c.PINFile != "" || !c.PUK && (c.PUKFile != "" || c.NewPINFile != "") {
		return usageError("--pin-file is for the PIN; --puk-file and --new-pin-file go with --puk")
	}
	ctx, stop := interrupted()
	defer stop()
	a, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer a.close()
	if c.PUK && a.token {
		return errTokenTools
	}
	if c.PUK {
		return c.unblock(ctx, k, a)
	}
	return c.unlock(ctx, k, a)
}

// unlock presents the PIN.
func (c *smartcardUnlockCmd) unlock(ctx context.Context, k *kong.Kong, a *cardAct) error {
	switch a.state.State {
	case survey.PINBlocked:
		if a.token {
			return fmt.Errorf("%s is blocked, so it was not presented; have it set anew by the tool of the token's maker, or pkcs11-tool --init-pin", a.who())
		}
		return fmt.Errorf("%s is blocked, so it was not presented; say --puk to set a new one by the PUK", a.who())
	case survey.PINNull, survey.PINTransport, survey.PINMissing:
		return fmt.Errorf("%s: %s", a.who(), a.state.Words)
	}
	cost := wrong(a.state.Tries)
	if a.token && a.state.Tries == nil {
		cost = "The token does not say how many tries are left. A wrong one costs a try where it counts them."
	}
	if err := c.agreed(k, fmt.Sprintf("%s is presented once, because you say that it is right.\n%s", a.who(), cost)); err != nil {
		return err
	}
	value, err := c.value(a, func(text string) { fmt.Fprintln(k.Stderr, text) })
	if err != nil {
		return err
	}
	if err := c.note("smartcard-unlock", a, ""); err != nil {
		return err
	}
	good := "The card has accepted the PIN; all of its tries are there again, and the gateway may present this PIN."
	if a.token {
		good = "The token has accepted the PIN, and the gateway may present it."
	}
	return c.done(k.Stdout, "smartcard-unlock", a, a.unlock(ctx, value), good)
}

// unblock sets a new PIN by the PUK.
func (c *smartcardUnlockCmd) unblock(ctx context.Context, k *kong.Kong, a *cardAct) error {
	question := fmt.Sprintf("%s gets a new value by the PUK, whatever it was before.\nA wrong PUK costs one of its tries. When none is left the card cannot be unblocked by anybody but who issued it, and often not at all.", a.who())
	if err := c.agreed(k, question); err != nil {
		return err
	}
	puk, err := c.secret(c.PUKFile, "PUK: ", "")
	if err != nil {
		return err
	}
	value, err := c.secret(c.NewPINFile, "New PIN: ", "New PIN, again: ")
	if err != nil {
		return err
	}
	if err := c.note("smartcard-unblock", a, "by the PUK"); err != nil {
		return err
	}
	return c.done(k.Stdout, "smartcard-unblock", a, a.card.Unblock(ctx, a.pin, puk, value),
		"The PIN has its new value and all of its tries. Put it where the configuration has its PIN, and have the gateway read that: siegel reload")
}

// secret is the first line of a file; without one it is asked for, twice where there is a second question.
func (f *cardActFlags) secret(file, question, again string) (secret.String, error) {
	var v secret.String
	var err error
	switch {
	case file != "":
		v, err = passwordFrom(file, question)
	case again != "":
		v, err = f.secrets.in.readTwice(question, again)
	default:
		v, err = f.secrets.in.read(question)
	}
	if err == nil && v.IsZero() {
		err = fmt.Errorf("%sis empty; nothing was done", question)
	}
	return v, err
}
