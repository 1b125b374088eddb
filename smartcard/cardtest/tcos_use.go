package cardtest

import (
	"crypto"
	"crypto/rsa"
	"slices"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// environment is what MANAGE SECURITY ENVIRONMENT has chosen.
type environment struct {
	signs, deciphers     byte // references of keys; 0 for none
	signAlg, decipherAlg byte // 0 for none
}

// Algorithms that MANAGE SECURITY ENVIRONMENT names.
const (
	algSign       byte = 0x02 // PKCS #1 v1.5, padded by the card
	algRaw        byte = 0x0A // no padding
	algPKCS1      byte = 0x1A // padding of PKCS #1 v1.5, removed by the card
	maxBareDigest      = 48   // octets that are signed where no algorithm was named
)

// verify is VERIFY; without data it asks for the counter.
func (c *TCOS) verify(a apdu.Command) apdu.Status {
	p := c.reference(a.P2)
	switch {
	case a.P1 != 0:
		return apdu.BadP1P2
	case p == nil:
		return apdu.NoReference
	case len(a.Data) == 0:
		return p.state()
	}
	return p.present(a.Data, &c.counts)
}

// reference finds a PIN; local ones are in the directory NKS.
func (c *TCOS) reference(ref byte) *pin {
	p := c.pins[ref]
	if p == nil || p.local && c.df.id != fileNKS {
		return nil
	}
	return p
}

// nullPIN is what GnuPG presents as the old value where none was set.
func nullPIN() []byte { return make([]byte, 6) }

// change is CHANGE REFERENCE DATA: old and new value (P1 00), or the first one (01) where none was set.
func (c *TCOS) change(a apdu.Command) apdu.Status {
	p := c.reference(a.P2)
	if p == nil {
		return apdu.NoReference
	}
	switch {
	case a.P1 == 1 && p.null:
		return p.set(a.Data)
	case a.P1 != 0:
		return apdu.BadP1P2
	case p.null:
		if len(a.Data) < 6 || !slices.Equal(a.Data[:6], nullPIN()) {
			return apdu.Unsatisfied
		}
		return p.set(a.Data[6:])
	case len(a.Data) < len(p.value):
		return apdu.BadData
	}
	old, value := a.Data[:len(p.value)], a.Data[len(p.value):]
	if len(value) < p.short || len(value) > p.long {
		return apdu.BadData
	}
	if sw := p.present(old, &c.counts); sw != apdu.OK {
		return sw
	}
	return p.set(value)
}

// unblock is RESET RETRY COUNTER: PUK and new PIN (P1 00), the PUK alone (01), or after VERIFY of the PUK the new PIN (02) or nothing (03).
func (c *TCOS) unblock(a apdu.Command) apdu.Status {
	p, puk := c.reference(a.P2), c.pins[TCOSPUK]
	if p == nil || p == puk {
		return apdu.NoReference
	}
	value := a.Data
	switch a.P1 {
	case 0, 1:
		if len(a.Data) < len(puk.value) {
			return apdu.BadData
		}
		if sw := puk.present(a.Data[:len(puk.value)], &c.counts); sw != apdu.OK {
			return sw
		}
		puk.verified = false
		value = a.Data[len(puk.value):]
	case 2, 3:
		if !puk.verified {
			return apdu.NotAuthorized
		}
	default:
		return apdu.BadP1P2
	}
	p.verified = false
	if a.P1 == 1 || a.P1 == 3 {
		if len(value) > 0 {
			return apdu.BadData
		}
		p.left = p.max
		return apdu.OK
	}
	return p.set(value)
}

// manage is MANAGE SECURITY ENVIRONMENT, SET: a key and an algorithm for signatures (B6) or for decipherment (B8).
func (c *TCOS) manage(a apdu.Command) apdu.Status {
	if a.P1 != 0x41 && a.P1 != 0xC1 {
		return apdu.Unsupported
	}
	ref, err := byteOf(a.Data, 0x84)
	if err == nil && ref == 0 {
		ref, err = byteOf(a.Data, 0x83)
	}
	alg, err2 := byteOf(a.Data, 0x80)
	k := c.keys[ref]
	switch {
	case err != nil || err2 != nil:
		return apdu.BadData
	case k == nil || c.df.id != fileNKS:
		return apdu.NoReference
	case a.P2 == 0xB6 && k.signs && (alg == 0 || alg == algSign):
		c.env.signs, c.env.signAlg = ref, alg
	case a.P2 == 0xB8 && k.deciphers && (alg == 0 || alg == algRaw || alg == algPKCS1):
		c.env.deciphers, c.env.decipherAlg = ref, alg
	default:
		return apdu.Unsupported
	}
	return apdu.OK
}

// byteOf is the value of an object of one octet; 0 where it is missing.
func byteOf(b []byte, tag apdu.Tag) (byte, error) {
	v, ok, err := apdu.Find(b, tag)
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 1 {
		return 0, apdu.ErrTLV
	}
	return v[0], nil
}

// perform is PERFORM SECURITY OPERATION: a signature (9E 9A) or a decipherment (80 86).
func (c *TCOS) perform(a apdu.Command) ([]byte, apdu.Status) {
	switch {
	case a.P1 == 0x9E && a.P2 == 0x9A:
		return c.sign(a.Data)
	case a.P1 == 0x80 && a.P2 == 0x86:
		return c.decipher(a.Data)
	}
	return nil, apdu.BadP1P2
}

// sign pads what it gets (a DigestInfo) by PKCS #1 v1.5. Without a key chosen it takes the signature key.
func (c *TCOS) sign(data []byte) ([]byte, apdu.Status) {
	ref := c.env.signs
	if ref == 0 {
		ref = KeySignature
	}
	k, sw := c.open(ref)
	if sw != apdu.OK {
		return nil, sw
	}
	if len(data) == 0 || len(data) > k.key.Size()-11 || c.env.signAlg == 0 && len(data) > maxBareDigest {
		return nil, apdu.BadLc
	}
	out, err := rsa.SignPKCS1v15(nil, k.key, crypto.Hash(0), data)
	if err != nil {
		return nil, apdu.BadData
	}
	c.used(k)
	c.counts.Signatures++
	return out, apdu.OK
}

// decipher is the private operation on a block of the key's length, after an octet that says how it is padded. Hosts sign by it too,
// with what they have padded themselves; the card cannot tell, and counts a decipherment.
func (c *TCOS) decipher(data []byte) ([]byte, apdu.Status) {
	if c.env.deciphers == 0 {
		return nil, apdu.Unsatisfied
	}
	k, sw := c.open(c.env.deciphers)
	if sw != apdu.OK {
		return nil, sw
	}
	if len(data) != k.key.Size()+1 {
		return nil, apdu.BadLc
	}
	if data[0] != 0x00 && data[0] != 0x02 && data[0] != 0x81 {
		return nil, apdu.BadData
	}
	out, ok := rawRSA(k.key, data[1:])
	if ok && c.env.decipherAlg == algPKCS1 {
		out, ok = unpad(out)
	}
	if !ok {
		return nil, apdu.BadData
	}
	c.used(k)
	c.counts.Deciphered++
	return out, apdu.OK
}

// open finds a key that a PIN has opened.
func (c *TCOS) open(ref byte) (*tcosKey, apdu.Status) {
	k := c.keys[ref]
	if k == nil || c.df.id != fileNKS {
		return nil, apdu.NoReference
	}
	for _, p := range k.pins {
		if c.pins[p].verified {
			return k, apdu.OK
		}
	}
	return nil, apdu.NotAuthorized
}

// used takes the PINs of the signature key away where it asks for them each time.
func (c *TCOS) used(k *tcosKey) {
	if !c.perUse || k.ref != KeySignature {
		return
	}
	for _, p := range k.pins {
		c.pins[p].verified = false
	}
}

// unpad removes the padding of PKCS #1 v1.5 for encryption (RFC 8017, 7.2.2), in no constant time.
func unpad(b []byte) ([]byte, bool) {
	if b[0] != 0 || b[1] != 2 {
		return nil, false
	}
	i := slices.Index(b[2:], 0)
	if i < 8 {
		return nil, false
	}
	return b[2+i+1:], true
}
