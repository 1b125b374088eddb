package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// errTokenTools says what only others do with the PIN of a token.
var errTokenTools = usageError("the PIN of a token is changed and unblocked by the tools of its maker, or pkcs11-tool (--change-pin, --init-pin); what is done here is that the right one is presented once, by siegel smartcard unlock NAME without --puk")

// openToken finds the token of an entry, and its PIN. Nothing is presented.
func (f *cardActFlags) openToken(ctx context.Context, entry configs.Smartcard) (*cardAct, error) {
	w, err := pkcs11.New(pkcs11.Options{Memory: f.secrets.pins.memory, FingerprintKey: f.secrets.pins.key})
	if err != nil {
		return nil, err
	}
	a, err := tokenAct(ctx, w, pkcs11.Selection{Module: entry.PKCS11.Module.String(), Token: entry.PKCS11.Token, Serial: entry.PKCS11.Serial})
	if err != nil {
		w.Close()
		return nil, err
	}
	a.close = func() { _ = w.Close() } // a module that hangs ends with the process
	return a, nil
}

func tokenAct(ctx context.Context, w *pkcs11.Wallet, s pkcs11.Selection) (*cardAct, error) {
	token, err := w.Token(s)
	if err != nil {
		return nil, err
	}
	state, err := token.State(ctx)
	if err != nil {
		return nil, printable(err)
	}
	a := &cardAct{reader: state.Reader, described: survey.Describe(state, time.Now()), token: true,
		unlock: func(ctx context.Context, value secret.String) error { return token.Unlock(ctx, value) }}
	for a.pin = range state.PINs { // the one of its user
		a.state, a.pad = survey.DescribePIN(a.pin, state.PINs[a.pin]), state.PINs[a.pin].Pad
		return a, nil
	}
	return nil, errors.New("the token asks for no PIN")
}

// value is the PIN that a human presents: the first line of a file, or what is typed; at the token itself where it has a PIN pad.
func (c *smartcardUnlockCmd) value(a *cardAct, tell func(string)) (secret.String, error) {
	if !a.pad {
		return c.secret(c.PINFile, "PIN: ", "")
	}
	if c.PINFile != "" {
		return secret.String{}, usageError("the token has a PIN pad and takes no PIN from here; leave --pin-file out")
	}
	tell(fmt.Sprintf("Type the PIN at the PIN pad of %s.", clean(a.reader)))
	return secret.String{}, nil
}
