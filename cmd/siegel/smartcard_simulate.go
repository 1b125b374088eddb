package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
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
	Serial string `placeholder:"NUMBER" help:"Serial number of the card, where two are rehearsed with: up to nine digits with piv, twenty with tcos."`
	Keep   string `type:"path" placeholder:"FILE" help:"Keep the keys in this file, so that the card is the same one at the next start. Its PINs and their counters are as new each time."`
	Null   bool   `name:"nullpin" help:"With tcos: a card whose holder has not set the PIN yet."`
}

// retry is how long a reader that is away is left alone.
const retry = 500 * time.Millisecond

// Run keeps the card in the reader until the command is interrupted.
func (c *smartcardSimulateCmd) Run(w io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return c.simulate(ctx, os.Stdin, w)
}

// simulate is Run until ctx ends. Each line of in pulls the card, or puts it back.
func (c *smartcardSimulateCmd) simulate(ctx context.Context, in io.Reader, w io.Writer) error {
	keys := "are made anew each time and lie in this process"
	if c.Keep != "" {
		keys = "lie in " + c.Keep
	}
	fmt.Fprintf(w, "SIMULATED CARD. Its keys %s; its PIN stands below. It is for rehearsals: nothing it signs proves\n", keys)
	fmt.Fprintln(w, "anything, and nothing encrypted for it is safe.")
	card, err := c.make()
	if err != nil {
		return err
	}
	if err := c.describe(w, card); err != nil {
		return err
	}
	told := "" // what was said last, said once
	say := func(text string) {
		if text != told {
			fmt.Fprintln(w, text)
		}
		told = text
	}
	hand := hands(ctx, in)
	for {
		inserted := inserted{Card: card, tell: func() { say("The card is in the reader. Enter pulls it and puts it back; Ctrl-C ends.") }}
		byHand, err := c.insert(ctx, &inserted, hand)
		switch {
		case ctx.Err() != nil && err == nil:
			fmt.Fprintln(w, pulled(c.Keep))
			return nil
		case byHand:
			say("The card is pulled. Enter puts it back.")
			select {
			case <-hand:
			case <-ctx.Done():
			}
			continue
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

// insert keeps the card in the reader until a hand pulls it.
func (c *smartcardSimulateCmd) insert(ctx context.Context, card cardtest.Card, hand <-chan struct{}) (byHand bool, err error) {
	within, pull := context.WithCancel(ctx)
	defer pull()
	done := make(chan error, 1)
	go func() { done <- cardtest.ServeVPCD(within, c.VPCD, card) }()
	select {
	case err := <-done:
		return false, err
	case <-hand:
		pull()
		return true, <-done
	}
}

// hands gives something for each line, until nothing more can be read.
func hands(ctx context.Context, in io.Reader) <-chan struct{} {
	hand := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			select {
			case hand <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return hand
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

// describe prints what an administrator needs to know of the card.
func (c *smartcardSimulateCmd) describe(w io.Writer, card simulatedCard) error {
	pin := c.PIN
	if c.Null {
		pin = "not set yet (NullPIN)"
	}
	name := map[string]string{"tcos": "NetKey with TCOS 3, simulated", "piv": "PIV card, simulated"}[c.Family]
	fmt.Fprintf(w, "\n%s; ATR %X\nSerial number %s, PIN %s, PUK %s\n\n", name, card.ATR(), card.Kept().Serial, pin, c.PUK)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tCERTIFICATE\tALGORITHM\tUNTIL\tSHA-256")
	for _, k := range card.Kept().Keys {
		cert, err := x509.ParseCertificate(k.Certificate)
		if err != nil {
			return err
		}
		fmt.Fprintf(table, "%02X\t%s\t%s\t%s\t%X\n", k.Ref, cert.Subject.CommonName, cert.PublicKeyAlgorithm, cert.NotAfter.Format(time.DateOnly), sha256.Sum256(cert.Raw))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}
