package pkcs11

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/miekg/pkcs11"
)

// maxTokens bounds how many tokens of a module are listed.
const maxTokens = 64

// Tokens lists the tokens that a module has now, so that one can be named. It opens none and asks for no PIN; one that cannot say what it is
// is left out.
func (w *Wallet) Tokens(ctx context.Context, module string) ([]Selection, error) {
	if !filepath.IsAbs(module) {
		return nil, fmt.Errorf("pkcs11: the module %q: its path must be absolute", module)
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, errClosed
	}
	m := w.module(module)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	return call(ctx, m, func() ([]Selection, error) {
		if err := m.ready(); err != nil {
			return nil, err
		}
		slots, err := m.lib.slots(true)
		if err != nil {
			return nil, m.lost(err)
		}
		var all []Selection
		for _, slot := range slots {
			info, err := m.lib.token(slot)
			if err == nil && info.has(pkcs11.CKF_TOKEN_INITIALIZED) && len(all) < maxTokens {
				all = append(all, Selection{Module: module, Token: trim(info.label), Serial: trim(info.serial)})
			}
		}
		return all, nil
	})
}
