package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// smartcardSimulateCmd puts a card in software into a virtual reader.
type smartcardSimulateCmd struct {
	Family string `required:"" enum:"tcos,piv" help:"tcos (a NetKey with TCOS 3) or piv."`
	VPCD   string `name:"vpcd" default:"${vpcd}" placeholder:"HOST:PORT" help:"Where the virtual reader listens (package vsmartcard-vpcd); the second one of a machine one port higher."`
	PIN    string `name:"pin" default:"123456" help:"PIN of the card: six to eight digits."`
	PUK    string `name:"puk" default:"12345678" help:"PUK of the card: eight digits."`
	Null   bool   `name:"nullpin" help:"With tcos: a card whose holder has not set the PIN yet."`
}

// retry is how long a reader that is away is left alone.
const retry = 500 * time.Millisecond

// Run keeps the card in the reader until the command is interrupted.
func (c *smartcardSimulateCmd) Run(w io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return c.simulate(ctx, w)
}

// simulate is Run until ctx ends.
func (c *smartcardSimulateCmd) simulate(ctx context.Context, w io.Writer) error {
	fmt.Fprintln(w, "SIMULATED CARD. Its keys are made anew each time and lie in this process; its PIN stands below. It is for rehearsals: nothing it signs proves")
	fmt.Fprintln(w, "anything, and nothing encrypted for it is safe.")
	card, keys, err := c.make()
	if err != nil {
		return err
	}
	if err := c.describe(w, card, keys); err != nil {
		return err
	}
	told := "" // what was said last, said once
	say := func(text string) {
		if text != told {
			fmt.Fprintln(w, text)
		}
		told = text
	}
	for {
		inserted := inserted{Card: card, tell: func() { say("The card is in the reader. Ctrl-C pulls it.") }}
		err := cardtest.ServeVPCD(ctx, c.VPCD, &inserted)
		if err == nil {
			fmt.Fprintln(w, "The card is pulled; its keys are gone.")
			return nil
		}
		switch {
		case errors.Is(err, cardtest.ErrNoVPCD):
			say(fmt.Sprintf("No virtual reader at %s. Install vsmartcard-vpcd and start pcscd (systemctl start pcscd); the card goes in when it is there.", c.VPCD))
		case errors.Is(err, cardtest.ErrEjected):
			say(fmt.Sprintf("The reader at %s has gone, as when pcscd ends; the card goes in again when it is back.", c.VPCD))
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retry):
		}
	}
}

// inserted is a card that tells when the reader looks at it first.
type inserted struct {
	cardtest.Card
	tell func()
}

// ATR is cardtest.Card.
func (i *inserted) ATR() []byte {
	if i.tell != nil {
		i.tell()
		i.tell = nil
	}
	return i.Card.ATR()
}

// simulatedKey is a key of a card, for the table.
type simulatedKey struct {
	name        string
	certificate []byte
}

// make makes the card and lists its keys.
func (c *smartcardSimulateCmd) make() (cardtest.Card, []simulatedKey, error) {
	if c.Family == "piv" {
		if c.Null {
			return nil, nil, errors.New("--nullpin is for --family tcos; a PIV card is never without a PIN")
		}
		card, err := cardtest.NewPIV(cardtest.PIVOptions{PIN: c.PIN, PUK: c.PUK})
		if err != nil {
			return nil, nil, err
		}
		var keys []simulatedKey
		for _, slot := range []byte{cardtest.SlotAuthentication, cardtest.SlotSignature, cardtest.SlotKeyManagement, cardtest.SlotCardAuthentication} {
			keys = append(keys, simulatedKey{fmt.Sprintf("%02X", slot), card.Certificate(slot)})
		}
		return card, keys, nil
	}
	card, err := cardtest.NewTCOS(cardtest.TCOSOptions{PIN: c.PIN, PIN1: c.PIN, PIN2: c.PIN, PUK: c.PUK, NullPIN: c.Null})
	if err != nil {
		return nil, nil, err
	}
	var keys []simulatedKey
	for _, ref := range []byte{cardtest.KeySignature, cardtest.KeyEncryption, cardtest.KeyAuthentication} {
		keys = append(keys, simulatedKey{fmt.Sprintf("%02X", ref), card.Certificate(ref)})
	}
	return card, keys, nil
}

// describe prints what an administrator needs to know of the card.
func (c *smartcardSimulateCmd) describe(w io.Writer, card cardtest.Card, keys []simulatedKey) error {
	pin := c.PIN
	if c.Null {
		pin = "not set yet (NullPIN)"
	}
	name := map[string]string{"tcos": "NetKey with TCOS 3, simulated", "piv": "PIV card, simulated"}[c.Family]
	fmt.Fprintf(w, "\n%s; ATR %X\nPIN %s, PUK %s\n\n", name, card.ATR(), pin, c.PUK)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tCERTIFICATE\tALGORITHM\tUNTIL\tSHA-256")
	for _, k := range keys {
		cert, err := x509.ParseCertificate(k.certificate)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%X\n", k.name, cert.Subject.CommonName, cert.PublicKeyAlgorithm, cert.NotAfter.Format(time.DateOnly), sha256.Sum256(cert.Raw))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
