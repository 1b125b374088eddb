package piv

import (
	"bytes"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// References of PINs (SP 800-73-4, part 1, table 3).
const (
	pinGlobal      byte = 0x00
	pinApplication byte = 0x80
)

// pinLength is that of PINs and PUKs on the card, filled up with FF (SP 800-73-4, part 2, 2.4.3).
const pinLength = 8

// PIN implements smartcard.Applet.
func (a *applet) PIN(_ smartcard.KeyInfo, ref byte) smartcard.PIN {
	p := smartcard.PIN{Ref: ref, Name: "the PIN", Min: 6, Max: pinLength, Padded: pinLength}
	if ref == pinGlobal {
		p.Name = "the global PIN"
	}
	return p
}

// PINs implements smartcard.Applet: that of the application, which every card has, and the global one, which few have (table 3).
func (a *applet) PINs(ch *smartcard.Channel) ([]smartcard.PIN, error) {
	if err := a.Reach(ch, smartcard.PIN{}); err != nil {
		return nil, err
	}
	all := []smartcard.PIN{a.PIN(smartcard.KeyInfo{}, pinApplication)}
	for _, ref := range []byte{pinGlobal, a.pinRef} {
		if ref == pinApplication || ref == all[len(all)-1].Ref {
			continue
		}
		r, err := ch.Send(apdu.Command{INS: apdu.Verify, P2: ref})
		if err != nil {
			return nil, err
		}
		if _, counts := r.Status.Tries(); counts || r.Status == apdu.OK || r.Status == apdu.Blocked || ref == a.pinRef {
			all = append(all, a.PIN(smartcard.KeyInfo{}, ref))
		}
	}
	return all, nil
}

// Reach implements smartcard.Applet.
func (a *applet) Reach(ch *smartcard.Channel, _ smartcard.PIN) error {
	return a.Enter(ch, smartcard.KeyInfo{})
}

// PUK implements smartcard.Applet: the standard has no way to ask for its counter.
func (a *applet) PUK(smartcard.PIN) (smartcard.PIN, bool) {
	return smartcard.PIN{Ref: 0x81, Name: "the PUK", Min: pinLength, Max: pinLength, Padded: pinLength}, false
}

// Change implements smartcard.Applet: CHANGE REFERENCE DATA (SP 800-73-4, part 2, 3.2.2).
func (a *applet) Change(p smartcard.PIN, old, value []byte) apdu.Command {
	return apdu.Command{INS: apdu.ChangeReference, P2: p.Ref, Data: filled(old, value)}
}

// Unblock implements smartcard.Applet: RESET RETRY COUNTER (SP 800-73-4, part 2, 3.2.3).
func (a *applet) Unblock(p smartcard.PIN, puk, value []byte) apdu.Command {
	return apdu.Command{INS: apdu.ResetRetryCounter, P2: p.Ref, Data: filled(puk, value)}
}

// filled is two codes one after the other, in octets of their own.
func filled(codes ...[]byte) []byte {
	b := bytes.Repeat([]byte{0xFF}, pinLength*len(codes))
	for i, c := range codes {
		copy(b[i*pinLength:(i+1)*pinLength], c)
	}
	return b
}
