package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/internal/turns"
)

// Options is what a Wallet is made of.
type Options struct {
	// PINs hands out PINs; without it, tokens that ask for one are of no use, but for those with a PIN pad.
	PINs   PINSource
	Memory smartcard.Memory
	// FingerprintKey makes what Memory keeps worthless to others: at least 32 octets, the same in every run.
	FingerprintKey []byte
	Timeout        time.Duration    // of one operation with its wait at most; 30 seconds
	MaxWaiting     int              // for one token, to sign and to decrypt each; 256
	Now            func() time.Time // time.Now

	load func(path string) (cryptoki, error) // in tests
}

// PINSource hands out the PIN of a token, which is the one of the selection. It is asked each time one is needed. The empty secret means that
// there is none. Labels and serial numbers are chosen by who makes a token: what a PIN is for is told by the whole selection, with its module.
type PINSource func(ctx context.Context, s Selection, token smartcard.Identity, p smartcard.PIN) (secret.String, error)

// Selection says which token is meant.
type Selection struct {
	Module string // the path of the module, absolute
	// Token is the label of the token, Serial its serial number. One may be empty. Both are wanted where two tokens are alike: OpenSC shows a
	// card with several PINs as several tokens, which have the serial number in common.
	Token, Serial string
}

// Wallet is the tokens of one program.
type Wallet struct {
	o Options

	mu      sync.Mutex
	modules map[string]*module // by the path with links resolved
	tokens  map[Selection]*Token
	closed  bool
}

// New makes a wallet. It loads no module.
func New(o Options) (*Wallet, error) {
	switch {
	case o.Memory == nil:
		return nil, errors.New("pkcs11: a wallet needs a memory")
	case len(o.FingerprintKey) < 32:
		return nil, fmt.Errorf("pkcs11: the key of fingerprints has %d octets, and needs 32", len(o.FingerprintKey))
	}
	o.FingerprintKey = bytes.Clone(o.FingerprintKey)
	o.Timeout, o.MaxWaiting = cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.MaxWaiting, 256)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.load == nil {
		o.load = load
	}
	return &Wallet{o: o, modules: map[string]*module{}, tokens: map[Selection]*Token{}}, nil
}

// Token is the token of a selection, the same one for the same selection. Neither it nor the module need be there: they are looked for when
// the token is used.
func (w *Wallet) Token(s Selection) (*Token, error) {
	switch {
	case !filepath.IsAbs(s.Module):
		return nil, fmt.Errorf("pkcs11: the module %q: its path must be absolute", s.Module)
	case s.Token == "" && s.Serial == "":
		return nil, errors.New("pkcs11: name the label of the token, its serial number, or both")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	t := w.tokens[s]
	if t == nil {
		t = &Token{o: w.o, want: s, module: w.module(s.Module), turn: turns.Queue{Most: w.o.MaxWaiting}}
		w.tokens[s] = t
	}
	return t, nil
}

// module is that of a path; one that has several names is one.
func (w *Wallet) module(path string) *module {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	m := w.modules[path]
	if m == nil {
		m = newModule(path, w.o)
		w.modules[path] = m
	}
	return m
}

// Close logs out of all tokens and finalises the modules, when what they are busy with has ended; they are of no use afterwards. A module that
// hangs is left to itself when Timeout has passed, and ErrHung is returned. A second call does nothing.
func (w *Wallet) Close() error {
	w.mu.Lock()
	w.closed = true
	modules := w.modules
	w.modules, w.tokens = nil, nil
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), w.o.Timeout)
	defer cancel()
	for _, m := range modules {
		close(m.quit)
	}
	var errs []error
	for _, m := range modules {
		select {
		case <-m.done:
			errs = append(errs, m.end)
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("%s: %w", m.path, ErrHung))
		}
	}
	return errors.Join(errs...)
}
