// Package piv speaks to PIV cards (NIST SP 800-73-4): which objects hold certificates, which slots keys, and how a key is used. Whether a
// PIN may be presented is not decided here.
package piv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Options says what is other than usual; the zero value suits every card of the standard.
type Options struct {
	PINRef *byte // the reference of the PIN, in place of 80, the PIN of the application; 00 is the global PIN of the card
}

// New is the family.
func New(o Options) smartcard.Family {
	if o.PINRef != nil {
		return family{*o.PINRef}
	}
	return family{0x80}
}

type family struct{ pinRef byte }

// Name implements smartcard.Family.
func (family) Name() string { return "piv" }

const (
	aid       = "\xA0\x00\x00\x03\x08" // the part of the name that all versions share
	maxObject = 16 << 10               // octets of an object
	insSerial = 0xF8                   // of Yubico's cards
	retired   = 20                     // slots, from 82 on
)

// Tags of objects (SP 800-73-4, part 1, table 3).
const (
	tagCHUID     = "\x5F\xC1\x02"
	tagDiscovery = "\x7E"
)

// Recognise implements smartcard.Family: the card has an application of PIV's name.
func (f family) Recognise(ch *smartcard.Channel) (smartcard.Applet, error) {
	ch.Speak(apdu.PIV, apdu.Options{MaxAnswer: maxObject})
	ok, err := selectPIV(ch)
	if err != nil || !ok {
		return nil, err
	}
	serial, label, err := serial(ch)
	if err != nil {
		return nil, err
	}
	return &applet{id: smartcard.Identity{Family: f.Name(), Serial: serial, Label: label}, pinRef: f.pinRef}, nil
}

func selectPIV(ch *smartcard.Channel) (bool, error) {
	r, err := ch.Send(apdu.Command{INS: apdu.Select, P1: 4, Data: []byte(aid), Ne: apdu.MaxShortAnswer})
	return r.Status == apdu.OK, err
}

// serial is what is printed on Yubico's cards; of others the GUID of the card holder's identifier, or their FASC-N where that is empty
// (SP 800-73-4, part 1, 3.1.2).
func serial(ch *smartcard.Channel) (serial, label string, err error) {
	r, err := ch.Send(apdu.Command{INS: insSerial, Ne: apdu.MaxShortAnswer})
	if err != nil {
		return "", "", err
	}
	if r.Status == apdu.OK && len(r.Data) == 4 {
		n, _ := strconv.ParseUint(hex.EncodeToString(r.Data), 16, 32)
		return strconv.FormatUint(n, 10), "PIV card of Yubico's kind", nil
	}
	if !r.Status.Refuses() { // by another number the card would be taken for another one
		return "", "", fmt.Errorf("%w: asked for its serial number: %v", smartcard.ErrAnswer, r.Status)
	}
	chuid, err := object(ch, tagCHUID)
	if err != nil {
		return "", "", err
	}
	for _, tag := range []apdu.Tag{0x34, 0x30} {
		v, ok, err := apdu.Find(chuid, 0x53, tag)
		if err == nil && ok && len(v) > 0 && len(v) <= 32 && len(bytes.Trim(v, "\x00")) > 0 {
			return hex.EncodeToString(v), "PIV card", nil
		}
	}
	return "", "", fmt.Errorf("%w: a PIV card without a number of its own (CHUID)", smartcard.ErrUnsupported)
}

// object is GET DATA (SP 800-73-4, part 2, 3.1.2); empty where the card has none.
func object(ch *smartcard.Channel, tag string) ([]byte, error) {
	c := apdu.Command{INS: apdu.GetData, P1: 0x3F, P2: 0xFF, Data: apdu.Encode(0x5C, []byte(tag)), Ne: apdu.MaxShortAnswer}
	data, err := ch.Do(c)
	if refused, ok := errors.AsType[*apdu.Error](err); ok {
		if refused.Status.Refuses() {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: %w", smartcard.ErrAnswer, err)
	}
	return data, err
}

// applet is one card.
type applet struct {
	id     smartcard.Identity
	pinRef byte
}

// Identity implements smartcard.Applet.
func (a *applet) Identity() smartcard.Identity { return a.id }

// Enter implements smartcard.Applet. Where the application is selected already it is not selected again: some cards then forget the PIN.
func (a *applet) Enter(ch *smartcard.Channel, _ smartcard.KeyInfo) error {
	ch.Speak(apdu.PIV, apdu.Options{MaxAnswer: maxObject})
	discovery, err := object(ch, tagDiscovery)
	if err != nil {
		return err
	}
	if name, ok, err := apdu.Find(discovery, 0x7E, 0x4F); err == nil && ok && bytes.HasPrefix(name, []byte(aid)) {
		return nil
	}
	ok, err := selectPIV(ch)
	if err == nil && !ok {
		err = fmt.Errorf("%w: the PIV application is gone", smartcard.ErrAnswer)
	}
	return err
}

// Renounce implements smartcard.Applet (SP 800-73-4, part 2, 3.2.1: VERIFY with P1 FF).
func (a *applet) Renounce(ch *smartcard.Channel, p smartcard.PIN) error {
	_, err := ch.Send(apdu.Command{INS: apdu.Verify, P1: 0xFF, P2: p.Ref})
	return err
}

// Keys implements smartcard.Applet.
func (a *applet) Keys(ch *smartcard.Channel) ([]smartcard.KeyInfo, error) {
	if err := a.Enter(ch, smartcard.KeyInfo{}); err != nil {
		return nil, err
	}
	var all []smartcard.KeyInfo
	for _, s := range slots() {
		data, err := object(ch, s.tag)
		if err != nil {
			return nil, err
		}
		cert := certificate(data)
		if cert == nil {
			continue
		}
		k := smartcard.KeyInfo{Ref: int(s.ref), Name: fmt.Sprintf("%s (%02X)", s.name, s.ref), Certificate: cert, PerUse: s.ref == 0x9C}
		k.Operations = operations(s, cert)
		if s.ref != 0x9E { // SP 800-73-4, part 1, table 5: the PIN is not asked for
			p := a.PIN(k, a.pinRef)
			k.PIN = &p
		}
		all = append(all, k)
	}
	return all, nil
}

type slot struct {
	ref    byte
	tag    string // of the object with the certificate
	name   string
	agrees bool // its key opens keys of messages
}

// slots are those of SP 800-73-4, part 1, table 4b.
func slots() []slot {
	all := []slot{{0x9A, "\x5F\xC1\x05", "authentication", false}, {0x9C, "\x5F\xC1\x0A", "signature", false},
		{0x9D, "\x5F\xC1\x0B", "key management", true}, {0x9E, "\x5F\xC1\x01", "card authentication", false}}
	for i := range byte(retired) {
		all = append(all, slot{0x82 + i, string([]byte{0x5F, 0xC1, 0x0D + i}), "retired key management", true})
	}
	return all
}

// operations is what the key of a slot can do.
func operations(s slot, cert *x509.Certificate) smartcard.Operation {
	if _, ok := algorithm(cert); !ok {
		return 0
	}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		return smartcard.RawRSA
	}
	if !s.agrees {
		return smartcard.SignEC
	}
	if cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		return smartcard.SignEC | smartcard.AgreeEC
	}
	return smartcard.AgreeEC
}

// algorithm is the number of the key's algorithm (NIST SP 800-78-5, table 8; 16 is Yubico's).
func algorithm(cert *x509.Certificate) (byte, bool) {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 1024:
			return 0x06, true
		case 2048:
			return 0x07, true
		case 3072:
			return 0x05, true
		case 4096:
			return 0x16, true
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return 0x11, true
		case elliptic.P384():
			return 0x14, true
		}
	}
	return 0, false
}

// Compute implements smartcard.Applet: GENERAL AUTHENTICATE (SP 800-73-4, part 2, 3.2.4).
func (a *applet) Compute(ch *smartcard.Channel, key smartcard.KeyInfo, op smartcard.Operation, input []byte) ([]byte, error) {
	alg, ok := algorithm(key.Certificate)
	if !ok || !key.Can(op) || op == smartcard.PadRSA {
		return nil, fmt.Errorf("%w: slot %02X", smartcard.ErrUnsupported, key.Ref)
	}
	tag := apdu.Tag(0x81)
	if op == smartcard.AgreeEC {
		tag = 0x85
	}
	template := apdu.Encode(0x7C, apdu.Encode(0x82), apdu.Encode(tag, input))
	data, err := ch.Do(apdu.Command{INS: apdu.GeneralAuthenticate, P1: alg, P2: byte(key.Ref), Data: template, Ne: apdu.MaxShortAnswer})
	if err != nil {
		return nil, err
	}
	out, ok, err := apdu.Find(data, 0x7C, 0x82)
	if err != nil || !ok || len(out) == 0 {
		return nil, fmt.Errorf("%w: no result in what GENERAL AUTHENTICATE gave", smartcard.ErrAnswer)
	}
	return out, nil
}
