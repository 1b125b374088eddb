package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smartcard"
)

// errNoState says that no gateway has run here yet.
var errNoState = errors.New("the gateway's state folder is not there: it has not run on this machine yet")

// gatewayMemory is what the gateway of a configuration remembers of PINs, and the key of its fingerprints. The gateway may run, and use it too.
func gatewayMemory(c *configs.Config) (smartcard.Memory, []byte, error) {
	state := c.State.String()
	if _, err := os.Stat(state); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: %w", clean(state), errNoState)
	}
	path, key, fingerprints, err := pinMemory(c)
	if err != nil {
		return nil, nil, err
	}
	var opened smartcard.Memory
	err = snapshot.AsOwner(state, func() (err error) {
		opened, err = openPINMemory(path, key)
		return err
	})
	return ownedMemory{state, opened}, fingerprints, err
}

// ownedMemory is a memory that is used as the user to whom the state folder belongs, so that the gateway can still read what root has written.
type ownedMemory struct {
	state string
	smartcard.Memory
}

// Recall implements smartcard.Memory.
func (m ownedMemory) Recall(ctx context.Context, f smartcard.Fingerprint) (a smartcard.Attempt, ok bool, err error) {
	err = snapshot.AsOwner(m.state, func() (err error) {
		a, ok, err = m.Memory.Recall(ctx, f)
		return err
	})
	return a, ok, err
}

// Note implements smartcard.Memory.
func (m ownedMemory) Note(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	return snapshot.AsOwner(m.state, func() error { return m.Memory.Note(ctx, f, a) })
}

// Supersede implements smartcard.Memory.
func (m ownedMemory) Supersede(ctx context.Context, f smartcard.Fingerprint, a smartcard.Attempt) error {
	return snapshot.AsOwner(m.state, func() error { return m.Memory.Supersede(ctx, f, a) })
}

// Forget implements smartcard.Memory.
func (m ownedMemory) Forget(ctx context.Context, card string, p smartcard.PIN) error {
	return snapshot.AsOwner(m.state, func() error { return m.Memory.Forget(ctx, card, p) })
}

// Unsettled implements smartcard.Memory.
func (m ownedMemory) Unsettled(ctx context.Context, card string, p smartcard.PIN) (found map[smartcard.Fingerprint]smartcard.Attempt, err error) {
	err = snapshot.AsOwner(m.state, func() (err error) {
		found, err = m.Memory.Unsettled(ctx, card, p)
		return err
	})
	return found, err
}

// pinMemory is where the memory of refused PINs is kept in the state folder, with the keys of it and of its fingerprints. Both are derived
// from the at-rest key.
func pinMemory(c *configs.Config) (path string, key, fingerprints []byte, err error) {
	k, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return "", nil, nil, err
	}
	k = k.Derive("smart cards")
	return filepath.Join(c.State.String(), "smartcards", "pins"), k.MAC([]byte("memory")), k.MAC([]byte("fingerprints")), nil
}

// openPINMemory opens the memory of refused PINs, beside whoever else has it open.
func openPINMemory(path string, key []byte) (*smartcard.FileMemory, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return smartcard.OpenMemory(path, key)
}
