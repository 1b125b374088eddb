// Package tcos speaks to cards with T-Systems' system TCOS: TeleSec NetKey and signature cards. What it knows of their files is what
// OpenSC and GnuPG ask for, and can be told otherwise. Whether a PIN may be presented is not decided here.
package tcos

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Options says what is other than usual; the zero value suits the cards that are known.
type Options struct {
	Applications []Application // in place of Applications()
	PINRef       *byte         // of the PIN that opens every key, in place of those that the application names
	PINPerUse    bool          // every key asks for it before each use
}

// New is the family.
func New(o Options) smartcard.Family {
	if o.Applications == nil {
		o.Applications = Applications()
	}
	return family{o}
}

type family struct{ o Options }

// Name implements smartcard.Family.
func (family) Name() string { return "tcos" }

const (
	fileMF    uint16 = 0x3F00
	fileGDO   uint16 = 0x2F02 // the serial number
	maxFile          = 16 << 10
	maxPiece         = 0xE0 // octets that are read at once
	maxSerial        = 32
)

func speak(ch *smartcard.Channel) {
	ch.Speak(apdu.TCOS, apdu.Options{Extended: true, MaxAnswer: maxFile})
}

// Recognise implements smartcard.Family: the card has one of the applications, and a serial number.
func (f family) Recognise(ch *smartcard.Channel) (smartcard.Applet, error) {
	speak(ch)
	a := &applet{o: f.o}
	var unclear error
	for i, app := range f.o.Applications {
		sw, err := enter(ch, app)
		switch {
		case err != nil:
			return nil, err
		case sw == apdu.OK:
			a.apps = append(a.apps, i)
		case !sw.Refuses():
			unclear = fmt.Errorf("%w: asked for the application %s: %v", smartcard.ErrAnswer, app.Name, sw)
		}
	}
	if a.apps == nil {
		return nil, nil
	}
	if unclear != nil { // half of the keys would be missing
		return nil, unclear
	}
	serial, err := serial(ch)
	if err != nil {
		return nil, err
	}
	a.id = smartcard.Identity{Family: f.Name(), Serial: serial, Label: f.o.Applications[a.apps[0]].Name}
	if known(ch.ATR()) {
		a.id.Label += " (TCOS 3)"
	}
	return a, nil
}

func enter(ch *smartcard.Channel, app Application) (apdu.Status, error) {
	steps := []apdu.Command{{INS: apdu.Select, P1: 0x04, P2: 0x0C, Data: app.AID}}
	if app.Directory != 0 {
		steps = append(steps, apdu.Command{INS: apdu.Select, P2: 0x0C, Data: number(fileMF)},
			apdu.Command{INS: apdu.Select, P1: 0x01, P2: 0x0C, Data: number(app.Directory)})
	}
	sw := apdu.OK
	for _, c := range steps {
		r, err := ch.Send(c)
		if sw = r.Status; err != nil || sw != apdu.OK {
			return sw, err
		}
	}
	return sw, nil
}

// serial is the object 5A of EF.GDO (ISO 7816-15 and what all TCOS cards have).
func serial(ch *smartcard.Channel) (string, error) {
	if _, err := ch.Do(apdu.Command{INS: apdu.Select, P2: 0x0C, Data: number(fileMF)}); err != nil {
		return "", err
	}
	data, err := file(ch, fileGDO)
	if err != nil {
		return "", err
	}
	n, ok, err := apdu.Find(data, 0x5A)
	if err != nil || !ok || len(n) == 0 || len(n) > maxSerial {
		return "", fmt.Errorf("%w: a TCOS card without a serial number (file 2F02)", smartcard.ErrUnsupported)
	}
	return hex.EncodeToString(n), nil
}

func number(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// file reads a file of the directory that is selected, as far as its outermost data object goes; empty where there is none.
func file(ch *smartcard.Channel, id uint16) ([]byte, error) {
	r, err := ch.Send(apdu.Command{INS: apdu.Select, P1: 0x02, P2: 0x0C, Data: number(id)})
	if err != nil || r.Status.Refuses() {
		return nil, err
	}
	if r.Status != apdu.OK {
		return nil, fmt.Errorf("%w: SELECT of file %04X: %v", smartcard.ErrAnswer, id, r.Status)
	}
	var data []byte
	for want := 4; len(data) < want; {
		piece := min(maxPiece, want-len(data))
		r, err := ch.Send(apdu.Command{INS: apdu.ReadBinary, P1: byte(len(data) >> 8), P2: byte(len(data)), Ne: piece})
		if err != nil {
			return nil, err
		}
		if r.Status != apdu.OK && r.Status != apdu.EndOfFile && !r.Status.Refuses() {
			return nil, fmt.Errorf("%w: READ BINARY of file %04X: %v", smartcard.ErrAnswer, id, r.Status)
		}
		if len(r.Data) == 0 || len(r.Data) > piece || r.Status.Refuses() {
			return data, nil // no more is there, or may be read
		}
		data = append(data, r.Data...)
		if len(data) == 4 {
			want = min(length(data), maxFile)
		}
	}
	return data, nil
}

// length is how long a data object is that begins with these four octets.
func length(head []byte) int {
	switch n := head[1]; {
	case n < 0x80:
		return 2 + int(n)
	case n == 0x81:
		return 3 + int(head[2])
	case n == 0x82:
		return 4 + int(binary.BigEndian.Uint16(head[2:]))
	}
	return 4
}

// applet is one card.
type applet struct {
	o    Options
	id   smartcard.Identity
	apps []int // of o.Applications, those that the card has
}

// Identity implements smartcard.Applet.
func (a *applet) Identity() smartcard.Identity { return a.id }

// Enter implements smartcard.Applet.
func (a *applet) Enter(ch *smartcard.Channel, key smartcard.KeyInfo) error {
	i := key.Ref >> 8
	if i < 0 || i >= len(a.o.Applications) {
		return fmt.Errorf("%w: key %04X", smartcard.ErrUnsupported, key.Ref)
	}
	return a.enter(ch, i)
}

func (a *applet) enter(ch *smartcard.Channel, i int) error {
	speak(ch)
	sw, err := enter(ch, a.o.Applications[i])
	if err == nil && sw != apdu.OK {
		err = fmt.Errorf("%w: the application %s is gone: %v", smartcard.ErrAnswer, a.o.Applications[i].Name, sw)
	}
	return err
}

// Renounce implements smartcard.Applet; TCOS cannot.
func (a *applet) Renounce(*smartcard.Channel, smartcard.PIN) error { return nil }

// Keys implements smartcard.Applet.
func (a *applet) Keys(ch *smartcard.Channel) ([]smartcard.KeyInfo, error) {
	var all []smartcard.KeyInfo
	for _, i := range a.apps {
		app := a.o.Applications[i]
		for _, k := range app.Keys {
			info, ok, err := a.key(ch, i, k)
			if err != nil {
				return nil, err
			}
			if ok {
				info.Name = fmt.Sprintf("%s (%s, key %02X)", k.Name, app.Name, k.Ref)
				all = append(all, info)
			}
		}
	}
	return all, nil
}

// key reads the certificate of a key, and finds its PIN.
func (a *applet) key(ch *smartcard.Channel, app int, k Key) (smartcard.KeyInfo, bool, error) {
	info := smartcard.KeyInfo{Ref: app<<8 | int(k.Ref), PerUse: k.PINPerUse || a.o.PINPerUse}
	if err := a.Enter(ch, info); err != nil {
		return info, false, err
	}
	for _, id := range k.Certificates {
		data, err := file(ch, id)
		if err != nil {
			return info, false, err
		}
		if info.Certificate = certificate(data); info.Certificate != nil {
			break
		}
	}
	if info.Certificate == nil {
		return info, false, nil
	}
	info.Operations = operations(info.Certificate, k.Operations)
	ref, ok, err := a.pin(ch, k)
	if ok {
		p := a.PIN(info, ref)
		info.PIN = &p
	}
	return info, err == nil, err
}

// Compute implements smartcard.Applet: MANAGE SECURITY ENVIRONMENT chooses key and algorithm, PERFORM SECURITY OPERATION uses it.
func (a *applet) Compute(ch *smartcard.Channel, key smartcard.KeyInfo, op smartcard.Operation, input []byte) ([]byte, error) {
	const (
		padded = 0x02 // the card pads by PKCS #1 v1.5
		bare   = 0x0A // nobody does
	)
	manage := apdu.Command{INS: apdu.ManageSecurity, P1: 0x41, P2: 0xB6}
	use := apdu.Command{INS: apdu.PerformSecurity, P1: 0x9E, P2: 0x9A, Data: input, Ne: apdu.MaxShortAnswer}
	var alg []byte
	switch {
	case !key.Can(op):
		return nil, fmt.Errorf("%w: %s", smartcard.ErrUnsupported, key.Name)
	case op == smartcard.SignEC: // the key names the algorithm (GnuPG, app-nks)
	case op == smartcard.PadRSA:
		alg = apdu.Encode(0x80, []byte{padded})
	case op == smartcard.RawRSA:
		manage.P2, alg = 0xB8, apdu.Encode(0x80, []byte{bare})
		use.P1, use.P2, use.Data = 0x80, 0x86, append([]byte{0x81}, input...)
	default:
		return nil, fmt.Errorf("%w: %s", smartcard.ErrUnsupported, key.Name)
	}
	manage.Data = append(alg, apdu.Encode(0x84, []byte{byte(key.Ref)})...)
	if _, err := ch.Do(manage); err != nil {
		return nil, err
	}
	out, err := ch.Do(use)
	if err == nil && len(out) == 0 {
		err = errors.Join(smartcard.ErrAnswer, errors.New("tcos: a result without octets"))
	}
	if err == nil && op == smartcard.SignEC {
		return signatureValue(key.Certificate, out)
	}
	return out, err
}
