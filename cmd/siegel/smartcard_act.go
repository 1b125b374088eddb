package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// cardActFlags are common to what a human does with the PIN of a card.
type cardActFlags struct {
	Name string `arg:"" optional:"" help:"The key of the configuration whose card is meant. Without it the card that --reader and --serial find."`
	cardFlags
	PINRef  string `name:"pin-ref" placeholder:"HEX" help:"The number of the PIN, where the card has several: two hexadecimal digits, as siegel smartcard list shows them."`
	Config  string `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration of the gateway, whose audit log and memory of PINs this is for (${default})."`
	Alone   bool   `name:"without-gateway" help:"This machine has no gateway: nothing is remembered, and there is no audit log."`
	Yes     bool   `short:"y" help:"Do not ask whether it is meant."`
	secrets *cardSecrets
}

// cardAct is one PIN of one card, before which a human stands.
type cardAct struct {
	card      *smartcard.Card // nil for a token
	unlock    func(ctx context.Context, value secret.String) error
	token     bool // of a PKCS #11 module
	pad       bool // the token asks for its PIN by itself
	described survey.Card
	reader    string
	pin       smartcard.PIN
	state     survey.PIN
	close     func()
}

// open finds the card and its PIN. Nothing is presented.
func (f *cardActFlags) open(ctx context.Context, t smartcard.Transport) (*cardAct, error) {
	if f.Name != "" && f.selection() != (smartcard.Selection{}) {
		return nil, usageError("a key of the configuration names its card; leave --reader and --serial out")
	}
	if f.Name != "" && f.Alone {
		return nil, usageError("--without-gateway goes with --serial or --reader: names are those of a configuration")
	}
	f.secrets = &cardSecrets{file: f.Config, prepared: map[pinOf]secret.String{}}
	if !f.Alone {
		err := f.secrets.load()
		if err == nil && f.secrets.pins.memory == nil {
			err = errNoState
		}
		if err != nil {
			return nil, fmt.Errorf("%w\nWhat is done with PINs stands in the gateway's audit log, and is remembered. Run this as root or as the gateway's user; on a machine without a gateway say --without-gateway", err)
		}
	}
	entry, only := configs.Smartcard{}, f.selection()
	if f.Name != "" {
		var ok bool
		if entry, ok = f.secrets.config.Smartcard(strings.TrimPrefix(f.Name, "card:")); !ok {
			return nil, usageError(fmt.Sprintf("%s has no smart card named %q; it has: %s", clean(f.Config), clean(f.Name), f.secrets.names()))
		}
		if entry.PKCS11.Given() {
			return f.openToken(ctx, entry)
		}
		only = entry.Selection()
	}
	d, err := openCards(t, only, f.secrets.pins, cardFamilies(entry)...)
	if err != nil {
		return nil, err
	}
	a, err := f.find(ctx, d, only, entry)
	if err != nil {
		d.close()
		return nil, err
	}
	a.close = d.close
	return a, nil
}

func (f *cardActFlags) find(ctx context.Context, d *cardDesk, only smartcard.Selection, entry configs.Smartcard) (*cardAct, error) {
	card, err := d.Wallet.Card(only)
	if err != nil {
		return nil, err
	}
	state, err := card.State(ctx)
	if err != nil {
		if errors.Is(err, smartcard.ErrAmbiguous) {
			return nil, errors.New("there are several cards; say which one by --serial or --reader (siegel smartcard list shows them)")
		}
		return nil, printable(err)
	}
	a := &cardAct{card: card, reader: state.Reader, described: survey.Describe(state, time.Now())}
	if a.pin, err = f.choose(state, a.described, entry); err != nil {
		return nil, err
	}
	a.state = survey.DescribePIN(a.pin, state.PINs[a.pin])
	a.unlock = func(ctx context.Context, value secret.String) error { return card.Unlock(ctx, a.pin, value) }
	return a, nil
}

// choose finds the PIN that is meant: that of the number, that of the key of the entry, or the only one.
func (f *cardActFlags) choose(state smartcard.State, described survey.Card, entry configs.Smartcard) (smartcard.PIN, error) {
	var all []smartcard.PIN
	for p := range state.PINs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b smartcard.PIN) int { return strings.Compare(a.String(), b.String()) })
	if f.PINRef != "" {
		ref, err := strconv.ParseUint(f.PINRef, 16, 8)
		if err != nil {
			return smartcard.PIN{}, usageError("--pin-ref takes two hexadecimal digits")
		}
		all = slices.DeleteFunc(all, func(p smartcard.PIN) bool { return p.Ref != byte(ref) })
	} else if p, ok := pinOfKey(state, described, entry); ok {
		return p, nil
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return smartcard.PIN{}, fmt.Errorf("card %s has no such PIN; siegel smartcard list shows those that it has", clean(state.Identity.String()))
	}
	var names []string
	for _, p := range all {
		names = append(names, p.String())
	}
	return smartcard.PIN{}, errors.New("the card has several PINs; say which one by --pin-ref: " + strings.Join(names, ", "))
}

// pinOfKey is the PIN of the key of an entry, or of the one that would be bound.
func pinOfKey(state smartcard.State, described survey.Card, entry configs.Smartcard) (smartcard.PIN, bool) {
	want := entry.Want().Fingerprint
	if want == "" && len(described.Certificates) > 0 {
		want = survey.Rank(described.Certificates, time.Now())[0].Fingerprint
	}
	for _, k := range state.Keys {
		if k.Fingerprint() == want && k.PIN != nil {
			return *k.PIN, true
		}
	}
	return smartcard.PIN{}, false
}

// who names card and PIN.
func (a *cardAct) who() string {
	if a.token {
		return fmt.Sprintf("%s of token %s in slot %s", a.pin, cardName(&a.described), clean(a.reader))
	}
	return fmt.Sprintf("%s of card %s in reader %s", a.pin, cardName(&a.described), clean(a.reader))
}

// agreed asks whether it is meant.
func (f *cardActFlags) agreed(k *kong.Kong, question string) error {
	fmt.Fprintln(k.Stderr, question)
	if f.Yes {
		return nil
	}
	yes, err := confirm(k.Stderr, "Go on?")
	if err == nil && !yes {
		err = errors.New("nothing was done")
	}
	return err
}

// note has an act written into the audit log before it is done; it is not done where that fails.
func (f *cardActFlags) note(what string, a *cardAct, detail string) error {
	if f.Alone {
		return nil
	}
	c := f.secrets.config
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return fmt.Errorf("at_rest.key: %w", err)
	}
	act := certadmin.Act{What: what, File: cardName(&a.described), Detail: strings.TrimSuffix(a.pin.String()+"; "+detail, "; ")}
	if err := noteAct(c, key, act); err != nil {
		return fmt.Errorf("nothing was done, since it could not be written into the audit log: %w", err)
	}
	return nil
}

// done says how an act ended, in the audit log and at the terminal, and has a running gateway look at its cards again.
func (f *cardActFlags) done(w io.Writer, what string, a *cardAct, err error, good string) error {
	if err != nil {
		why := "it failed"
		if e, ok := errors.AsType[*smartcard.PINError](err); ok && (e.Reason == smartcard.PINRefused || e.Reason == smartcard.PUKRefused) {
			why = "the card has refused it"
		}
		err = errors.Join(printable(err), f.note(what+"-failed", a, why))
	}
	if !f.Alone { // where no gateway runs there is nobody to tell
		_ = admin.NewClient(f.secrets.config.Admin.Socket.String()).LookAtSmartcards(context.Background())
	}
	if err == nil {
		_, err = fmt.Fprintln(w, good)
	}
	return err
}

// wrong says what becomes of a wrong PIN or PUK.
func wrong(tries *int) string {
	if tries == nil {
		return "The card does not say how many tries are left. A wrong one costs a try."
	}
	switch *tries {
	case 1:
		return "This is the LAST try: a wrong PIN blocks it, and then only the PUK helps."
	case 2:
		return "2 tries are left. A wrong PIN leaves one, and after that the PIN is blocked; then only the PUK helps."
	}
	return fmt.Sprintf("%d tries are left. A wrong PIN leaves %d; below three the gateway presents none any more, and with the last the PIN is blocked.", *tries, *tries-1)
}
