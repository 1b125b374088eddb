package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// tokenDesk is the tokens of a PKCS #11 module, before which a command stands.
type tokenDesk struct {
	wallet *pkcs11.Wallet
	want   pkcs11.Selection
	found  map[string]pkcs11.Selection // by what told tells them apart by
}

// openDesk opens the readers, or the tokens of a module where one is named.
func (f tokenFlags) openDesk(t smartcard.Transport, c cardFlags, p cardPINs) (*cardDesk, error) {
	switch {
	case f.Module == "" && f.Token != "":
		return nil, usageError("--token goes with --module, whose token it is")
	case f.Module == "":
		return openCards(t, c.selection(), p)
	case c.Reader != "":
		return nil, usageError("--reader is for cards in readers, and --module for tokens; give one of the two")
	}
	if p.memory == nil {
		p.memory, p.key = smartcard.ForThisRun(), make([]byte, 32)
		if _, err := rand.Read(p.key); err != nil {
			return nil, err
		}
	}
	source := func(ctx context.Context, _ pkcs11.Selection, token smartcard.Identity, pin smartcard.PIN) (secret.String, error) {
		if p.source == nil {
			return secret.String{}, nil
		}
		return p.source(ctx, token, pin)
	}
	w, err := pkcs11.New(pkcs11.Options{PINs: source, Memory: p.memory, FingerprintKey: p.key})
	if err != nil {
		return nil, err
	}
	want := pkcs11.Selection{Module: f.Module, Token: f.Token, Serial: c.selection().Serial}
	return &cardDesk{Options: survey.Options{Now: time.Now}, tokens: &tokenDesk{w, want, map[string]pkcs11.Selection{}}}, nil
}

func (d *tokenDesk) close() { _ = d.wallet.Close() } // a module that hangs ends with the process

// look looks at the tokens that are wanted; one in trouble is told of in its place.
func (d *tokenDesk) look(ctx context.Context) ([]survey.Reader, error) {
	tokens, err := d.wallet.Tokens(ctx, d.want.Module)
	if err != nil {
		return nil, fmt.Errorf("the module %s: %w", clean(d.want.Module), printable(err))
	}
	all := []survey.Reader{}
	for _, s := range tokens {
		if d.want.Token != "" && d.want.Token != s.Token || d.want.Serial != "" && !strings.EqualFold(d.want.Serial, s.Serial) {
			continue
		}
		r := survey.Reader{Name: s.Token, State: survey.Failed, Remedy: "look at what the module speaks to, and ask again"}
		token, err := d.wallet.Token(s)
		var state smartcard.State
		if err == nil {
			state, err = token.State(ctx)
		}
		if err != nil {
			r.Problem = err.Error()
		} else {
			c := survey.Describe(state, time.Now())
			r = survey.Reader{Name: state.Reader, State: survey.HasCard, Card: &c}
			d.found[told(r)] = s
		}
		all = append(all, r)
	}
	return all, nil
}

// told tells tokens apart.
func told(r survey.Reader) string {
	return fmt.Sprintf("%q %q %q", r.Name, r.Card.Label, r.Card.Serial)
}

// key is the key of a certificate that look has found.
func (d *tokenDesk) key(ctx context.Context, one chosen, binding bool) (survey.Signer, error) {
	token, err := d.wallet.Token(d.found[told(one.reader)])
	if err != nil {
		return nil, err
	}
	k, err := token.Key(ctx, pkcs11.Want{Fingerprint: one.certificate.Fingerprint, Binding: binding})
	if err != nil {
		return nil, err
	}
	return k.WithContext(ctx), nil
}
