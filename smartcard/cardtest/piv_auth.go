package cardtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// authenticate is GENERAL AUTHENTICATE (SP 800-73-4, part 2, 3.2.4): the use of a private key on what the host has padded or hashed.
func (c *PIV) authenticate(a apdu.Command) ([]byte, apdu.Status) {
	s := c.slots[a.P2]
	if s == nil {
		return nil, apdu.NoReference
	}
	if s.algorithm != a.P1 {
		return nil, apdu.BadP1P2
	}
	template, ok, err := apdu.Find(a.Data, 0x7C)
	if err != nil || !ok {
		return nil, apdu.BadData
	}
	challenge, signs, err1 := apdu.Find(template, 0x81)
	peer, agrees, err2 := apdu.Find(template, 0x85)
	_, asks, err3 := apdu.Find(template, 0x82)
	if err1 != nil || err2 != nil || err3 != nil || !asks || signs == agrees {
		return nil, apdu.BadData
	}
	if !c.allowed(s.id) {
		return nil, apdu.NotAuthorized
	}
	c.fresh = false
	var out []byte
	if agrees {
		out, ok = useToAgree(s.key, peer)
	} else {
		out, ok = useToSign(s.key, challenge)
	}
	if !ok {
		return nil, apdu.BadData
	}
	if agrees || s.id != SlotAuthentication && s.id != SlotSignature && s.id != SlotCardAuthentication {
		c.counts.Deciphered++
	} else {
		c.counts.Signatures++
	}
	return apdu.Encode(0x7C, apdu.Encode(0x82, out)), apdu.OK
}

// allowed tells whether the PIN was presented as the slot demands it (SP 800-73-4, part 1, 5.5 and table 5).
func (c *PIV) allowed(slot byte) bool {
	switch slot {
	case SlotCardAuthentication:
		return true
	case SlotSignature:
		return c.pin.verified && c.fresh
	}
	return c.pin.verified
}

func useToSign(key crypto.Signer, in []byte) ([]byte, bool) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return rawRSA(k, in)
	case *ecdsa.PrivateKey:
		if len(in) == 0 || len(in) > (k.Curve.Params().BitSize+7)/8 {
			return nil, false
		}
		out, err := ecdsa.SignASN1(rand.Reader, k, in)
		return out, err == nil
	}
	return nil, false
}

func useToAgree(key crypto.Signer, peer []byte) ([]byte, bool) {
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, false
	}
	return agree(k, peer)
}
