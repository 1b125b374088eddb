package cards

import (
	"context"
	"strings"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// tokenDevice is a token of a PKCS #11 module.
type tokenDevice struct {
	token   *pkcs11.Token
	monitor *pkcs11.Monitor
}

// newToken makes the device of a token. h.mu is held.
func newToken(h *Holder, g *group) (device, error) {
	if h.tokens == nil {
		w, err := pkcs11.New(pkcs11.Options{PINs: h.tokenPIN, Memory: h.o.Memory, FingerprintKey: h.o.FingerprintKey, Timeout: h.o.Timeout, Now: h.o.Now})
		if err != nil {
			return nil, err
		}
		h.tokens = w
	}
	t := g.members[0].Token
	selection := pkcs11.Selection{Module: t.Module, Token: t.Label, Serial: t.Serial}
	token, err := h.tokens.Token(selection)
	if err != nil {
		return nil, err
	}
	w := pkcs11.Watching{Changed: h.changed}
	for _, e := range g.members {
		w.Bindings = append(w.Bindings, pkcs11.Binding{Name: e.Name, Selection: selection, Want: e.wantOfToken()})
	}
	m, err := h.tokens.Monitor(w)
	return &tokenDevice{token, m}, err
}

// wantOfToken says which key is meant. A token may hold the key alone: then its certificate is the first of the chain.
func (e Entry) wantOfToken() pkcs11.Want {
	w := pkcs11.Want{Fingerprint: e.Want.Fingerprint, Binding: e.Want.Binding}
	if len(e.Chain) > 0 && fingerprintOf(e.Chain[0]) == strings.ToLower(strings.ReplaceAll(e.Want.Fingerprint, ":", "")) {
		w.Certificate = e.Chain[0]
	}
	return w
}

// tokenPIN is the PIN of a token: that of the entry which names it so, in the set that is in force, or will be.
func (h *Holder) tokenPIN(_ context.Context, named pkcs11.Selection, _ smartcard.Identity, _ smartcard.PIN) (secret.String, error) {
	s := h.current()
	if s == nil {
		h.mu.Lock()
		s = h.next
		h.mu.Unlock()
	}
	if s != nil {
		for _, e := range s.entries {
			t := e.Token
			if t.Module == named.Module && t.Label == named.Token && strings.EqualFold(t.Serial, named.Serial) && !e.PIN.IsZero() {
				return e.PIN, nil
			}
		}
	}
	return secret.String{}, nil
}

func (d *tokenDevice) key(ctx context.Context, e Entry) (*opened, error) {
	k, err := d.token.Key(ctx, e.wantOfToken())
	if err != nil {
		return nil, err
	}
	return &opened{k, func(ctx context.Context) hard { return k.WithContext(ctx) }}, nil
}

func (d *tokenDevice) run(ctx context.Context) { _ = d.monitor.Run(ctx) } // its error is that of ctx
func (d *tokenDevice) look()                   { d.monitor.Look() }
func (d *tokenDevice) close()                  {} // the wallet of all tokens lets go of it at the end

func (d *tokenDevice) status(name string) smartcard.Status {
	s, _ := d.monitor.Status(name)
	return s
}
