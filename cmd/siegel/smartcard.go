package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/survey"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// smartcardCmd groups what an administrator does with smart cards: one file for each subcommand, smartcard_NAME.go.
type smartcardCmd struct {
	List     smartcardListCmd      `cmd:"" help:"Show the readers, and the cards in them with certificates and the states of their PINs. Presents no PIN."`
	Probe    smartcardProbeCmd     `cmd:"" help:"Sign random numbers with an authentication key of each card, verify that, and say by which algorithms it can and how long it takes."`
	Bind     smartcardBindCmd      `cmd:"" help:"Write the configuration of a key on a card, after the card was asked which it has. Presents no PIN."`
	Watch    smartcardWatchCmd     `cmd:"" help:"Write a line at each change: readers and cards that come and go, the service. Presents no PIN."`
	Unlock   smartcardUnlockCmd    `cmd:"" help:"Present the PIN of a card or token once because you say that it is right, or unblock that of a card by the PUK."`
	Change   smartcardChangePINCmd `cmd:"" name:"change-pin" help:"Give the PIN of a card another value; also one that was never set, and the transport PIN of a new card."`
	Export   smartcardExportCmd    `cmd:"" name:"export-cert" help:"Write a certificate of a card to a file or to standard output."`
	Status   smartcardStatusCmd    `cmd:"" help:"Ask the running gateway how its cards are, and what to do. Exit code 0: all can be used, 1: not."`
	Simulate smartcardSimulateCmd  `cmd:"" help:"Put a simulated card into a virtual reader of this machine, to rehearse with. It protects nothing."`
}

// cardFlags say which cards a command is for.
type cardFlags struct {
	Reader string `placeholder:"NAME" help:"Only readers of this name, in which * stands for any characters."`
	Serial string `placeholder:"NUMBER" help:"Only the card with this serial number."`
}

// tokenFlags say which tokens a command is for, in place of cards in readers.
type tokenFlags struct {
	Module string `type:"path" placeholder:"FILE" help:"The tokens of this PKCS #11 module, in place of cards in readers. --serial is then theirs."`
	Token  string `placeholder:"LABEL" help:"With --module: only the token with this label."`
}

func (f cardFlags) selection() smartcard.Selection {
	return smartcard.Selection{Reader: f.Reader, Serial: strings.ReplaceAll(f.Serial, " ", "")}
}

// cardDesk is the readers of this machine, before which a command stands.
type cardDesk struct {
	survey.Options
	tokens *tokenDesk // in place of the readers; nil: those
}

// cardPINs are where the PINs of a command come from, and what is remembered of them; the zero value has none.
type cardPINs struct {
	source smartcard.PINSource
	memory smartcard.Memory
	key    []byte // of fingerprints
}

// openCards makes a desk, for cards of some families; without any for those of all. It asks no card.
func openCards(t smartcard.Transport, only smartcard.Selection, p cardPINs, families ...smartcard.Family) (*cardDesk, error) {
	if err := only.Check(); err != nil {
		return nil, usageError("--reader is no name of a reader with * for anything in it; siegel smartcard list shows the names")
	}
	if p.memory == nil {
		p.memory, p.key = smartcard.ForThisRun(), make([]byte, 32)
		if _, err := rand.Read(p.key); err != nil {
			return nil, err
		}
	}
	if len(families) == 0 {
		families = cardFamilies(configs.Smartcard{})
	}
	w, err := smartcard.New(smartcard.Options{Transport: t, Families: families, PINs: p.source, Memory: p.memory, FingerprintKey: p.key})
	if err != nil {
		return nil, err
	}
	return &cardDesk{Options: survey.Options{Transport: t, Wallet: w, Families: families, Only: only, Now: time.Now}}, nil
}

// cardFamilies are those that the card of an entry may be of.
func cardFamilies(e configs.Smartcard) []smartcard.Family {
	var ref *byte
	if n, ok := e.Reference(); ok {
		ref = &n
	}
	all := []smartcard.Family{piv.New(piv.Options{PINRef: ref}), tcos.New(tcos.Options{PINRef: ref})}
	return slices.DeleteFunc(all, func(f smartcard.Family) bool { return e.Family != "" && f.Name() != e.Family })
}

func (d *cardDesk) close() {
	if d.tokens != nil {
		d.tokens.close()
		return
	}
	d.Wallet.Close()
}

// look looks at all that the desk is for. No PIN is presented.
func (d *cardDesk) look(ctx context.Context) ([]survey.Reader, error) {
	if d.tokens != nil {
		return d.tokens.look(ctx)
	}
	return survey.Take(ctx, d.Options)
}

// key is the key of a certificate that look has found.
func (d *cardDesk) key(ctx context.Context, one chosen, binding bool) (survey.Signer, error) {
	if d.tokens != nil {
		return d.tokens.key(ctx, one, binding)
	}
	card, err := d.Wallet.Card(smartcard.Selection{Reader: one.reader.Name, Serial: one.reader.Card.Serial})
	if err != nil {
		return nil, err
	}
	k, err := card.Key(ctx, smartcard.Want{Fingerprint: one.certificate.Fingerprint, Binding: binding})
	if err != nil {
		return nil, err
	}
	return k.WithContext(ctx), nil
}

// interrupted is a context that ends when somebody ends the command.
func interrupted() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// clean is text of a card or reader, safe to print.
func clean(s string) string { return safetext.Line(s, 256) }

// cardName is "tcos 89490176940000000001".
func cardName(c *survey.Card) string { return clean(c.Family + " " + c.Serial) }
