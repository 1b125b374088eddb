package cardtest

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// PIV slots (NIST SP 800-73-4, part 1, 5).
const (
	SlotAuthentication     byte = 0x9A
	SlotSignature          byte = 0x9C // asks for the PIN before each use
	SlotKeyManagement      byte = 0x9D
	SlotCardAuthentication byte = 0x9E // asks for no PIN
	SlotRetired            byte = 0x82 // the first of twenty
)

// References of the PIN and the PUK of a PIV card.
const (
	PIVPIN byte = 0x80
	PIVPUK byte = 0x81
)

// PIVOptions says what card is made; the zero value is a whole one.
type PIVOptions struct {
	PIN, PUK string // six to eight digits, eight; "123456" and "12345678"
	Tries    int    // of each, 15 at most; 3
	Serial   uint32 // 12345678
	// Keys are those of the slots: RSA of 2048 or 3072 bits, P-256 or P-384. Without them the slots 9A and 9D hold RSA-2048, 9C and 9E P-256.
	Keys map[byte]crypto.Signer
	// Issue makes the certificates; a simulated authority does where it is nil.
	Issue Issue
	// Now is the time of the simulated authority; time.Now where it is nil.
	Now func() time.Time
}

// PIV is a simulated PIV card (NIST SP 800-73-4) with the additions of Yubico that its tool asks for. It cannot be written to.
type PIV struct {
	chip
	serial   uint32
	pin, puk pin
	selected bool
	fresh    bool // the PIN was presented since a key was used last
	slots    map[byte]*pivSlot
	objects  map[string][]byte // by tag, in hexadecimal
}

type pivSlot struct {
	id          byte
	algorithm   byte
	key         crypto.Signer
	certificate []byte
}

// pivATR is that of a YubiKey 5, which OpenSC asks for what cards of SP 800-73-4 can do.
const pivATR = "3bfd1300008131fe158073c021c057597562694b657940"

// NewPIV makes a PIV card. It takes as long as making its keys does, where no keys are given.
func NewPIV(o PIVOptions) (*PIV, error) {
	o.PIN, o.PUK = cmp.Or(o.PIN, "123456"), cmp.Or(o.PUK, "12345678")
	o.Tries, o.Serial = cmp.Or(o.Tries, 3), cmp.Or(o.Serial, 12345678)
	if err := cmp.Or(digits(o.PIN, 6, 8), digits(o.PUK, 8, 8)); err != nil {
		return nil, err
	}
	if o.Tries < 1 || o.Tries > 15 {
		return nil, fmt.Errorf("cardtest: %d tries; a card counts 1 to 15", o.Tries)
	}
	c := &PIV{serial: o.Serial, pin: pivPIN(o.PIN, o.Tries), puk: pivPIN(o.PUK, o.Tries), slots: map[byte]*pivSlot{}}
	c.atr, _ = hex.DecodeString(pivATR)
	c.chains, c.run = true, c.command
	c.loose = true // QUIRK: Yubico's tool asks for no data where it wants all
	c.forget = func() { c.selected, c.fresh, c.pin.verified, c.puk.verified = false, false, false, false }
	if err := c.fill(o); err != nil {
		return nil, err
	}
	c.objects = c.allObjects()
	return c, nil
}

// pivPIN is padded to eight octets (SP 800-73-4, part 2, 2.4.3).
func pivPIN(s string, tries int) pin {
	return pin{value: pad(s), left: tries, max: tries, short: 8, long: 8}
}

func pad(s string) []byte { return append([]byte(s), bytes.Repeat([]byte{0xFF}, 8-len(s))...) }

// fill makes what keys and certificates are missing.
func (c *PIV) fill(o PIVOptions) (err error) {
	if o.Keys == nil {
		if o.Keys, err = pivKeys(); err != nil {
			return err
		}
	}
	if o.Issue, err = issuer(o.Issue, o.Now); err != nil {
		return err
	}
	for id, key := range o.Keys {
		algorithm, ok := pivAlgorithm(key.Public())
		if _, known := pivTag(id); !ok || !known {
			return fmt.Errorf("cardtest: slot %02X does not hold a %T", id, key.Public())
		}
		der, err := o.Issue(pivUse(id), key.Public())
		if err != nil {
			return err
		}
		c.slots[id] = &pivSlot{id, algorithm, key, der}
	}
	return nil
}

func issuer(issue Issue, now func() time.Time) (Issue, error) {
	if issue != nil {
		return issue, nil
	}
	if now == nil {
		now = time.Now
	}
	return SimulatedCA(now())
}

func pivKeys() (map[byte]crypto.Signer, error) {
	keys := map[byte]crypto.Signer{}
	for _, slot := range []byte{SlotAuthentication, SlotSignature, SlotKeyManagement, SlotCardAuthentication} {
		var err error
		if slot == SlotSignature || slot == SlotCardAuthentication {
			keys[slot], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		} else {
			keys[slot], err = rsa.GenerateKey(rand.Reader, 2048)
		}
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// pivAlgorithm is the number of a key's algorithm (NIST SP 800-78-5, table 8).
func pivAlgorithm(public crypto.PublicKey) (byte, bool) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		switch k.Size() {
		case 256:
			return 0x07, true
		case 384:
			return 0x05, true
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

func pivUse(slot byte) Use {
	switch slot {
	case SlotAuthentication:
		return Authentication
	case SlotSignature:
		return Signature
	case SlotCardAuthentication:
		return CardAuthentication
	}
	return Encryption
}

// Certificate is that of a slot, in DER; nil where the slot is empty.
func (c *PIV) Certificate(slot byte) []byte {
	if s := c.slots[slot]; s != nil {
		return bytes.Clone(s.certificate)
	}
	return nil
}

// Tries is how many are left for the PIN or the PUK.
func (c *PIV) Tries(ref byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ref == PIVPUK {
		return c.puk.left
	}
	return c.pin.left
}

func (c *PIV) command(a apdu.Command) ([]byte, apdu.Status) {
	if a.CLA != 0 {
		return nil, apdu.UnknownCLA
	}
	if a.INS == apdu.Select {
		return c.selectApplication(a)
	}
	if !c.selected {
		return nil, apdu.UnknownINS
	}
	switch a.INS {
	case apdu.GetData:
		return c.getData(a)
	case apdu.Verify:
		return nil, c.verify(a)
	case apdu.ChangeReference:
		return nil, c.change(a)
	case apdu.ResetRetryCounter:
		return nil, c.unblock(a)
	case apdu.GeneralAuthenticate:
		return c.authenticate(a)
	case insVersion:
		return []byte{5, 4, 3}, apdu.OK
	case insSerial:
		return []byte{byte(c.serial >> 24), byte(c.serial >> 16), byte(c.serial >> 8), byte(c.serial)}, apdu.OK
	case insMetadata:
		return c.metadata(a)
	}
	return nil, apdu.UnknownINS
}

func (c *PIV) verify(a apdu.Command) apdu.Status {
	switch {
	case a.P2 != PIVPIN:
		return apdu.NoReference
	case a.P1 == 0xFF && len(a.Data) == 0: // SP 800-73-4, part 2, 3.2.1: the PIN counts as not presented
		c.pin.verified, c.fresh = false, false
		return apdu.OK
	case a.P1 != 0:
		return apdu.BadP1P2
	case len(a.Data) == 0:
		return c.pin.state()
	}
	sw := c.pin.present(a.Data, &c.counts)
	c.fresh = sw == apdu.OK
	return sw
}

// change is CHANGE REFERENCE DATA: the old value and the new one, eight octets each.
func (c *PIV) change(a apdu.Command) apdu.Status {
	p := &c.pin
	switch {
	case a.P1 != 0:
		return apdu.BadP1P2
	case a.P2 == PIVPUK:
		p = &c.puk
	case a.P2 != PIVPIN:
		return apdu.NoReference
	}
	if len(a.Data) != 16 {
		return apdu.BadData
	}
	if sw := p.present(a.Data[:8], &c.counts); sw != apdu.OK {
		return sw
	}
	return p.set(a.Data[8:])
}

// unblock is RESET RETRY COUNTER: the PUK and the new PIN.
func (c *PIV) unblock(a apdu.Command) apdu.Status {
	if a.P1 != 0 || a.P2 != PIVPIN {
		return apdu.NoReference
	}
	if len(a.Data) != 16 {
		return apdu.BadData
	}
	if sw := c.puk.present(a.Data[:8], &c.counts); sw != apdu.OK {
		return sw
	}
	c.pin.verified = false
	return c.pin.set(a.Data[8:])
}
