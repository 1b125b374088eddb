package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// simulatedCard is a card whose keys can be kept.
type simulatedCard interface {
	cardtest.Card
	Kept() cardtest.Kept
}

// pulled is the last word.
func pulled(keep string) string {
	if keep == "" {
		return "The card is pulled; its keys are gone."
	}
	return "The card is pulled; its keys are kept in " + keep + "."
}

// make makes the card anew, or again from what was kept, and keeps it where that is asked for.
func (c *smartcardSimulateCmd) make() (simulatedCard, error) {
	if c.Family == "piv" && c.Null {
		return nil, errors.New("--nullpin is for --family tcos; a PIV card is never without a PIN")
	}
	kept, err := c.kept()
	if err != nil {
		return nil, err
	}
	if kept != nil {
		return c.again(*kept)
	}
	card, err := c.anew()
	if err != nil || c.Keep == "" {
		return card, err
	}
	return card, keepCard(c.Keep, card.Kept())
}

func (c *smartcardSimulateCmd) piv() cardtest.PIVOptions {
	return cardtest.PIVOptions{PIN: c.PIN, PUK: c.PUK}
}

func (c *smartcardSimulateCmd) tcos() cardtest.TCOSOptions {
	return cardtest.TCOSOptions{PIN: c.PIN, PIN1: c.PIN, PIN2: c.PIN, PUK: c.PUK, NullPIN: c.Null}
}

func (c *smartcardSimulateCmd) anew() (simulatedCard, error) {
	if c.Family != "piv" {
		o := c.tcos()
		o.Serial = c.Serial
		return cardtest.NewTCOS(o)
	}
	o := c.piv()
	if c.Serial != "" {
		n, err := strconv.ParseUint(c.Serial, 10, 32)
		if err != nil || n == 0 {
			return nil, usageError("--serial of a PIV card has up to nine digits, and is not zero")
		}
		o.Serial = uint32(n)
	}
	return cardtest.NewPIV(o)
}

// again is the card of a file.
func (c *smartcardSimulateCmd) again(k cardtest.Kept) (simulatedCard, error) {
	switch {
	case k.Family != c.Family:
		return nil, fmt.Errorf("%s keeps a card of the family %s; name that, or another file", c.Keep, k.Family)
	case c.Serial != "" && c.Serial != k.Serial:
		return nil, fmt.Errorf("%s keeps the card %s; leave --serial away, or name another file", c.Keep, k.Serial)
	case k.Family == "piv":
		return k.PIV(c.piv())
	}
	return k.TCOS(c.tcos())
}

// kept is what the file holds; nil where it is not there yet, or none is named.
func (c *smartcardSimulateCmd) kept() (*cardtest.Kept, error) {
	if c.Keep == "" {
		return nil, nil
	}
	f, err := os.Open(c.Keep)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	k, err := cardtest.ReadKept(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name another file, or remove it for a new card", c.Keep, err)
	}
	return &k, nil
}

// keepCard writes a file that was not there, for its owner's eyes, whole or not at all.
func keepCard(path string, k cardtest.Kept) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".simulated-card-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = k.Write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // never over another file
}
