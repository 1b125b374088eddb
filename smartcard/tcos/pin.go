package tcos

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// local marks references that count in one application only (ISO 7816-4, 11.6.6).
const local = 0x80

// pin finds the reference of a key's PIN: the first that the card does not say it lacks, or that it is not set. An answer that says
// neither must not lead to another PIN, which would be presented in place of the right one.
func (a *applet) pin(ch *smartcard.Channel, k Key) (byte, bool, error) {
	if a.o.PINRef != nil {
		return *a.o.PINRef, true, nil
	}
	var unset []byte
	for _, ref := range k.PINs {
		r, err := ch.Send(apdu.Command{INS: apdu.Verify, P2: ref})
		if err != nil {
			return 0, false, err
		}
		switch r.Status {
		case apdu.NoReference:
		case apdu.Unsatisfied:
			unset = append(unset, ref)
		default:
			return ref, true, nil
		}
	}
	if len(k.PINs) == 0 {
		return 0, false, nil
	}
	return append(unset, k.PINs...)[0], true, nil // it cannot be used: the PIN policy says why
}

// PIN implements smartcard.Applet.
func (a *applet) PIN(key smartcard.KeyInfo, ref byte) smartcard.PIN {
	return a.describe(key.Ref>>8, ref)
}

// describe describes a PIN of an application by its reference.
func (a *applet) describe(app int, ref byte) smartcard.PIN {
	l := a.layout(app, ref)
	p := smartcard.PIN{Ref: ref, Name: l.Name, Min: l.Min, Max: l.Max, Digits: true}
	if ref&local != 0 && app >= 0 && app < len(a.o.Applications) {
		p.Application = a.o.Applications[app].Name
	}
	return p
}

// layout is what the application says of a PIN.
func (a *applet) layout(app int, ref byte) PIN {
	if app >= 0 && app < len(a.o.Applications) {
		for _, p := range a.o.Applications[app].PINs {
			if p.Ref == ref {
				return p
			}
		}
	}
	p := PIN{Ref: ref, Name: "the PIN", Min: minPIN, Max: maxPIN, PUK: pukGlobal}
	switch ref {
	case pinGlobal:
		p.Name = "the global PIN"
	case pin1:
		p.Name = "PIN 1"
	case pin2:
		p.Name = "PIN 2"
	}
	return p
}

// of is the application of a PIN; that of a PIN of the whole card is the first that knows it.
func (a *applet) of(p smartcard.PIN) int {
	for _, i := range a.apps {
		app := a.o.Applications[i]
		if p.Application == app.Name || p.Application == "" && slices.ContainsFunc(app.PINs, func(l PIN) bool { return l.Ref == p.Ref }) {
			return i
		}
	}
	return a.apps[0]
}

// PINs implements smartcard.Applet: those of the layout that the card has.
func (a *applet) PINs(ch *smartcard.Channel) ([]smartcard.PIN, error) {
	var all []smartcard.PIN
	for _, i := range a.apps {
		app := a.o.Applications[i]
		var refs []byte
		if a.o.PINRef != nil {
			refs = append(refs, *a.o.PINRef)
		}
		for _, k := range app.Keys {
			refs = append(refs, k.PINs...)
		}
		if err := a.enter(ch, i); err != nil {
			return nil, err
		}
		for _, ref := range refs {
			p := a.describe(i, ref)
			if slices.Contains(all, p) {
				continue
			}
			r, err := ch.Send(apdu.Command{INS: apdu.Verify, P2: ref})
			if err != nil {
				return nil, err
			}
			if r.Status != apdu.NoReference {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// Reach implements smartcard.Applet.
func (a *applet) Reach(ch *smartcard.Channel, p smartcard.PIN) error {
	i := a.of(p)
	if p.Application != "" && a.o.Applications[i].Name != p.Application {
		return fmt.Errorf("%w: it has no application %s", smartcard.ErrUnsupported, p.Application)
	}
	return a.enter(ch, i)
}

// PUK implements smartcard.Applet (GnuPG, app-nks).
func (a *applet) PUK(p smartcard.PIN) (smartcard.PIN, bool) {
	i := a.of(p)
	puk := smartcard.PIN{Ref: a.layout(i, p.Ref).PUK, Name: "the PUK", Min: minPUK, Max: max(maxPIN, p.Max), Digits: true}
	if puk.Ref&local != 0 {
		puk.Application = a.o.Applications[i].Name
	}
	return puk, true
}

// Change implements smartcard.Applet: CHANGE REFERENCE DATA (ISO 7816-4, 11.6.7), with old and new value one after the other.
func (a *applet) Change(p smartcard.PIN, old, value []byte) apdu.Command {
	if len(old) == 0 {
		old = []byte(cmp.Or(a.layout(a.of(p), p.Ref).Null, nullOfOthers))
	}
	return apdu.Command{INS: apdu.ChangeReference, P2: p.Ref, Data: slices.Concat(old, value)}
}

// Unblock implements smartcard.Applet: RESET RETRY COUNTER (ISO 7816-4, 11.6.10), with PUK and new value one after the other.
func (a *applet) Unblock(p smartcard.PIN, puk, value []byte) apdu.Command {
	return apdu.Command{INS: apdu.ResetRetryCounter, P2: p.Ref, Data: slices.Concat(puk, value)}
}
