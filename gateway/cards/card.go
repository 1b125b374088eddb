package cards

import (
	"cmp"
	"context"
	"slices"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/piv"
	"github.com/siegel-mail/siegel/smartcard/tcos"
)

// cardDevice is a card in a reader, in a wallet of its own: its PINs are handed to no other card.
type cardDevice struct {
	wallet  *smartcard.Wallet
	card    *smartcard.Card
	monitor *smartcard.Monitor
}

func newCard(h *Holder, g *group) (device, error) {
	wallet, err := smartcard.New(smartcard.Options{
		Transport: h.o.Transport, Families: families(g.members), PINs: g.pin, Memory: h.o.Memory, FingerprintKey: h.o.FingerprintKey,
		Timeout: h.o.Timeout, Now: h.o.Now,
	})
	if err != nil {
		return nil, err
	}
	d := &cardDevice{wallet: wallet}
	selection := g.members[0].Selection // a serial number may be written in capitals here and not there
	if d.card, err = wallet.Card(selection); err != nil {
		return nil, err
	}
	w := smartcard.Watching{Changed: h.changed}
	for _, e := range g.members {
		w.Bindings = append(w.Bindings, smartcard.Binding{Name: e.Name, Selection: selection, Want: e.Want})
	}
	d.monitor, err = wallet.Monitor(w)
	return d, err
}

// families are those that a card may be of. The number of the PIN takes the place of those that the card names where all entries agree on it.
func families(members []Entry) []smartcard.Family {
	ref := members[0].PINRef
	for _, e := range members {
		if refText(e.PINRef) != refText(ref) {
			ref = nil
		}
	}
	all := []smartcard.Family{tcos.New(tcos.Options{PINRef: ref}), piv.New(piv.Options{PINRef: ref})}
	return slices.DeleteFunc(all, func(f smartcard.Family) bool { return f.Name() != cmp.Or(members[0].Family, f.Name()) })
}

func (d *cardDevice) key(ctx context.Context, e Entry) (*opened, error) {
	k, err := d.card.Key(ctx, e.Want)
	if err != nil {
		return nil, err
	}
	return &opened{k, func(ctx context.Context) hard { return k.WithContext(ctx) }}, nil
}

func (d *cardDevice) run(ctx context.Context) { _ = d.monitor.Run(ctx) } // its error is that of ctx
func (d *cardDevice) look()                   { d.monitor.Look() }
func (d *cardDevice) close()                  { d.wallet.Close() }

func (d *cardDevice) status(name string) smartcard.Status {
	s, _ := d.monitor.Status(name)
	return s
}
