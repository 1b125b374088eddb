package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
)

// The steps that concern the key.
const (
	stepReader = "reader"
	stepCard   = "card"
	stepPIN    = "PIN"
	stepKey    = "key"
)

// key looks at the key of the client certificate. It returns false where there is no use in going on: the provider would not let the gateway in,
// and some count that.
func (w *demailWay) key(ctx context.Context) bool {
	t := w.account.TLS
	if card, ok := t.Card(); ok {
		return w.card(ctx, card.Name)
	}
	if key, ok := t.Vault(); ok {
		_, err := presentVault(w.keys.vaults, key)(ctx)
		if err != nil {
			return w.say(stepKey, stepBad, "See whether the vault is unsealed and can be reached, and whether the gateway's role may use the key.", "%s: %v", key.Reference, late(ctx, err))
		}
		return w.say(stepKey, stepGood, "", "%s; %s", key.Reference, ofCertificate(key.Chain[0]))
	}
	if pair, ok := t.Pair(); ok {
		return w.say(stepKey, stepGood, "", "a file; %s", ofCertificate(pair.Leaf))
	}
	return w.say(stepKey, stepLook, "", "none: the gateway shows no certificate, and logs in by name and password")
}

// ofCertificate says in a few words what a certificate is.
func ofCertificate(c *x509.Certificate) string {
	kind := c.PublicKeyAlgorithm.String()
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		kind = fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		kind = "EC " + k.Curve.Params().Name
	}
	return fmt.Sprintf("%s, %s, valid until %s", c.Subject, kind, c.NotAfter.UTC().Format(time.DateOnly))
}

// card looks at reader, card and PIN, as the gateway watches them: a PIN that must not be presented is not presented here either.
func (w *demailWay) card(ctx context.Context, name string) bool {
	now, err := w.look(ctx, name)
	if err != nil {
		return w.say(stepCard, stepBad, "", "%v", late(ctx, err))
	}
	condition := now.Condition
	text := string(condition)
	if now.Text != "" {
		text += ": " + now.Text
	}
	fails := func(step string, after ...string) bool {
		w.say(step, stepBad, now.Advice(), "%s", text)
		w.skip("the "+step+" is not ready", after...)
		return false
	}
	place, what := now.Reader, now.Identity.String()
	if now.Token {
		place = "a PKCS#11 module"
	}
	switch condition {
	case smartcard.NoSupport, smartcard.NoService, smartcard.NoReader, smartcard.NoModule, smartcard.ModuleHangs:
		return fails(stepReader, stepCard, stepPIN)
	}
	w.say(stepReader, stepGood, "", "%s", orDash(place))
	switch {
	case condition.Usable(), strings.HasPrefix(string(condition), "pin-"):
	default:
		return fails(stepCard, stepPIN)
	}
	if c := now.Key.Certificate; c != nil {
		what += "; " + ofCertificate(c)
	}
	switch condition {
	case smartcard.CertificateEnded, smartcard.CertificateEarly, smartcard.CertificateEnds:
		w.say(stepCard, stepLook, now.Advice(), "%s; %s", what, text)
	default:
		w.say(stepCard, stepGood, "", "%s", what)
	}
	if !condition.Usable() {
		return fails(stepPIN)
	}
	tries := "it is presented where the card asks for it"
	if now.PIN.Known {
		tries = fmt.Sprintf("%d tries are left; it is presented when the key is used", now.PIN.Tries)
	}
	return w.say(stepPIN, stepGood, "", "%s", tries)
}

// lookEvery is how often it is asked whether a look at a card has ended.
const lookEvery = 50 * time.Millisecond

// look waits until a card was looked at.
func (w *demailWay) look(ctx context.Context, name string) (smartcard.Status, error) {
	for {
		if s := w.status(name); s.Condition != smartcard.Asking {
			return s, nil
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return smartcard.Status{}, ctx.Err()
		case <-timer.C:
		}
	}
}

// status is how a card is.
func (w *demailWay) status(name string) smartcard.Status {
	for _, s := range w.cards.Status() {
		if s.Name == name {
			return s
		}
	}
	return smartcard.Status{Name: name, Condition: smartcard.Asking} // it is not in force yet
}

// watch has the cards watched until the function that it returns is called.
func (w *demailWay) watch(ctx context.Context) (stop func()) {
	watching, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.keys.cards.Run(watching)
	}()
	return func() { cancel(); <-done }
}

// noKey tells why the certificate could not be shown: the PIN is presented when the key is used, and not before.
func (w *demailWay) noKey(step string, err error) {
	card, ok := w.account.TLS.Card()
	if !ok {
		w.say(step, stepBad, "See what is said of the key above.", "%v", err)
		return
	}
	now := w.status(card.Name)
	todo := now.Advice()
	if refused, ok := errors.AsType[*smartcard.PINError](err); ok {
		now.Condition = smartcard.ConditionOf(refused)
		w.say(stepPIN, stepBad, now.Advice(), "%v", refused)
		todo = ""
	}
	w.say(step, stepBad, todo, "%v", err)
}
