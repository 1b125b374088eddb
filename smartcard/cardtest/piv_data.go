package cardtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"math/big"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Instructions of Yubico's, which its tool and piv-go ask for.
const (
	insMetadata byte = 0xF7
	insSerial   byte = 0xF8
	insVersion  byte = 0xFD
)

// Names and numbers of SP 800-73-4, part 1: the application (2.2), and the objects that tools ask for (table 3).
const (
	pivAID        = "a000000308000010000100"
	pivAIDShort   = 5 // octets that name it at least
	tagCHUID      = "5fc102"
	tagCCC        = "5fc107"
	tagHistory    = "5fc10c"
	tagDiscovery  = "7e"
	pivRetiredMax = 20
)

// fascN is a FASC-N that stands for no agency.
const fascN = "d4e739da739ced39ce739da1685a1082108ce73984119257fc"

// pivTag is the object that holds the certificate of a slot.
func pivTag(slot byte) (string, bool) {
	switch slot {
	case SlotAuthentication:
		return "5fc105", true
	case SlotSignature:
		return "5fc10a", true
	case SlotKeyManagement:
		return "5fc10b", true
	case SlotCardAuthentication:
		return "5fc101", true
	}
	if slot >= SlotRetired && slot < SlotRetired+pivRetiredMax {
		return hex.EncodeToString([]byte{0x5F, 0xC1, 0x0D + slot - SlotRetired}), true
	}
	return "", false
}

func (c *PIV) selectApplication(a apdu.Command) ([]byte, apdu.Status) {
	aid := unhex(pivAID)
	if a.P1 != 4 || len(a.Data) < pivAIDShort || !bytes.HasPrefix(aid, a.Data) {
		return nil, apdu.NotFound // and what was chosen stays chosen
	}
	if !c.selected {
		c.selected, c.pin.verified, c.fresh = true, false, false
	}
	return apdu.Encode(0x61, apdu.Encode(0x4F, aid[5:]), apdu.Encode(0x79, apdu.Encode(0x4F, aid[:5])),
		apdu.Encode(0x50, []byte("Simulated PIV card"))), apdu.OK
}

// allObjects is what GET DATA hands out.
func (c *PIV) allObjects() map[string][]byte {
	guid := make([]byte, 16)
	copy(guid, "simulated")
	binary.BigEndian.PutUint32(guid[12:], c.serial)
	all := map[string][]byte{
		tagCHUID: apdu.Encode(0x53, apdu.Encode(0x30, unhex(fascN)), apdu.Encode(0x34, guid), apdu.Encode(0x35, []byte("20991231")),
			apdu.Encode(0x3E), apdu.Encode(0xFE)),
		tagCCC:       apdu.Encode(0x53, apdu.Encode(0xF0, unhex("a000000116ff02"), guid[2:]), unhex("f10121f20121f300f40100f50110f600f700fa00fb00fc00fd00fe00")),
		tagDiscovery: apdu.Encode(0x7E, apdu.Encode(0x4F, unhex(pivAID)), apdu.Encode(0x5F2F, []byte{0x40, 0})),
	}
	retired := byte(0)
	for id, s := range c.slots {
		tag, _ := pivTag(id)
		// The certificate is not compressed (CertInfo 00).
		all[tag] = apdu.Encode(0x53, apdu.Encode(0x70, s.certificate), apdu.Encode(0x71, []byte{0}), apdu.Encode(0xFE))
		if id >= SlotRetired && id < SlotRetired+pivRetiredMax {
			retired++
		}
	}
	if retired > 0 {
		all[tagHistory] = apdu.Encode(0x53, apdu.Encode(0xC1, []byte{retired}), apdu.Encode(0xC2, []byte{0}), apdu.Encode(0xFE))
	}
	return all
}

func (c *PIV) getData(a apdu.Command) ([]byte, apdu.Status) {
	if a.P1 != 0x3F || a.P2 != 0xFF {
		return nil, apdu.BadP1P2
	}
	tag, ok, err := apdu.Find(a.Data, 0x5C)
	if err != nil || !ok {
		return nil, apdu.BadData
	}
	if o := c.objects[hex.EncodeToString(tag)]; o != nil {
		return o, apdu.OK
	}
	return nil, apdu.NotFound
}

// metadata is what Yubico's cards say of a slot: algorithm, policies, origin (imported), public key.
func (c *PIV) metadata(a apdu.Command) ([]byte, apdu.Status) {
	if a.P2 == PIVPIN || a.P2 == PIVPUK {
		p := &c.pin
		if a.P2 == PIVPUK {
			p = &c.puk
		}
		return bytes.Join([][]byte{apdu.Encode(1, []byte{0xFF}), apdu.Encode(5, []byte{0}), apdu.Encode(6, []byte{byte(p.max), byte(p.left)})}, nil), apdu.OK
	}
	s := c.slots[a.P2]
	if s == nil {
		return nil, apdu.NoReference
	}
	const once, always, never = 2, 3, 1
	policy := byte(once)
	switch s.id {
	case SlotSignature:
		policy = always
	case SlotCardAuthentication:
		policy = never
	}
	var public []byte
	switch k := s.key.Public().(type) {
	case *rsa.PublicKey:
		public = append(apdu.Encode(0x81, k.N.Bytes()), apdu.Encode(0x82, big.NewInt(int64(k.E)).Bytes())...)
	case *ecdsa.PublicKey:
		public = apdu.Encode(0x86, point(k))
	}
	return bytes.Join([][]byte{apdu.Encode(1, []byte{s.algorithm}), apdu.Encode(2, []byte{policy, never}), apdu.Encode(3, []byte{2}), apdu.Encode(4, public)}, nil), apdu.OK
}

// unhex reads a constant of this package.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // a constant of ours is wrong
	}
	return b
}
