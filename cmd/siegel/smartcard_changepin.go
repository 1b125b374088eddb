package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardChangePINCmd gives a PIN another value.
type smartcardChangePINCmd struct {
	cardActFlags
	PINFile    string `name:"pin-file" placeholder:"FILE" help:"File whose first line is the present PIN, or the transport PIN; without it that is asked for, or is the first line of standard input. A PIN that was never set (NullPIN) has none."`
	NewPINFile string `name:"new-pin-file" placeholder:"FILE" help:"File whose first line is the new PIN; without it that is asked for twice, or is the next line of standard input."`
}

// Run changes the PIN, once somebody has agreed to what it may cost.
func (c *smartcardChangePINCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	ctx, stop := interrupted()
	defer stop()
	a, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	defer a.close()
	if a.token {
		return errTokenTools
	}
	question := fmt.Sprintf("%s gets a new value; for that the present one is presented once.\n%s", a.who(), wrong(a.state.Tries))
	present := "Present PIN: "
	switch a.state.State {
	case survey.PINMissing:
		return fmt.Errorf("%s: %s", a.who(), a.state.Words)
	case survey.PINBlocked:
		return fmt.Errorf("%s is blocked; set a new one by the PUK: siegel smartcard unlock --puk", a.who())
	case survey.PINNull:
		question = fmt.Sprintf("%s has never been set (NullPIN), and is set now. Who set it cannot be undone: a card that was to come with a NullPIN proves by it that nobody has used it before.", a.who())
	case survey.PINTransport:
		present = "Transport PIN, from the letter that came with the card: "
		question = fmt.Sprintf("%s is still the transport PIN, and is replaced by one of your own. The transport PIN is presented once; a wrong one costs a try.", a.who())
	}
	if err := c.agreed(k, question); err != nil {
		return err
	}
	var old secret.String
	if a.state.State != survey.PINNull {
		if old, err = c.secret(c.PINFile, present, ""); err != nil {
			return err
		}
	}
	value, err := c.secret(c.NewPINFile, fmt.Sprintf("New PIN, %d to %d characters: ", a.pin.Min, a.pin.Max), "New PIN, again: ")
	if err != nil {
		return err
	}
	if err := c.note("smartcard-change-pin", a, ""); err != nil {
		return err
	}
	return c.done(k.Stdout, "smartcard-change-pin", a, a.card.ChangePIN(ctx, a.pin, old, value),
		"The PIN has its new value. Put it where the configuration has its PIN, and have the gateway read that: siegel reload")
}
