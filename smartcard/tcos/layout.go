package tcos

import (
	"slices"

	"github.com/siegel-mail/siegel/smartcard"
)

// Application is a directory of a card with keys, and what is where in it.
type Application struct {
	Name string
	AID  []byte // a card without it has not this application
	// Directory is one of the master file that holds the files and keys; 0 where the one of the AID does.
	Directory uint16
	Keys      []Key
	PINs      []PIN // how those of its keys are; others are of six to sixteen digits, and are unblocked by the PUK 01
}

// PIN is a PIN of an application.
type PIN struct {
	Ref      byte
	Name     string // for people
	Min, Max int
	PUK      byte   // what unblocks it
	Null     string // what is presented as the old value where none has been set yet; six octets of zero where it is empty
}

// Key is a key of an application.
type Key struct {
	Name         string
	Ref          byte
	Certificates []uint16 // files in the application; the first that holds one counts
	PINs         []byte   // references; the first that the card has and that is set counts
	Operations   smartcard.Operation
	PINPerUse    bool
}

// References of PINs.
const (
	pinGlobal      byte = 0x00
	pukGlobal      byte = 0x01
	pinSignature   byte = 0x03 // the global one of the Signature Card 2.0
	pukSignature   byte = 0x04
	pin1           byte = 0x81
	pin2           byte = 0x83
	pukESign       byte = 0x82
	nullOfCard2         = "00000" // GnuPG, app-nks: the Signature Card 2.0 has five digits
	nullOfOthers        = "\x00\x00\x00\x00\x00\x00"
	minPIN, minPUK      = 6, 8
	maxPIN              = 16
	maxPINOfCard2       = 24
)

// Applications are those that are known: NetKey (NKS), the application of the signature law (SigG), eSign and IDKey. What files they have is
// what OpenSC and GnuPG look for; no maker has published it.
func Applications() []Application {
	const both = smartcard.PadRSA | smartcard.RawRSA
	idkey := []byte("\xD2\x76\x00\x00\x03\x0C\x01")
	global := []byte{pinGlobal}
	card2 := PIN{pinSignature, "the global PIN", minPIN, maxPINOfCard2, pukSignature, nullOfCard2}
	return []Application{
		{Name: "NetKey", AID: []byte("\xD2\x76\x00\x00\x03\x01\x02"), PINs: []PIN{card2}, Keys: []Key{
			{"signature", 0x80, []uint16{0xC000, 0x4331, 0x4332}, []byte{pinGlobal, pinSignature, pin1}, smartcard.PadRSA, false},
			{"encryption", 0x81, []uint16{0xC200, 0x43B1, 0x43B2}, []byte{pinGlobal, pinSignature, pin2}, both, false},
			{"authentication", 0x82, []uint16{0xC500, 0x4371, 0x4372, 0xC100}, []byte{pinGlobal, pinSignature, pin2}, both, false},
			{"second encryption", 0x83, []uint16{0xC201}, []byte{pinGlobal, pinSignature, pin2}, both, false},
		}},
		// The PIN 83 of SigG is what unblocks 81, and never stands in for it.
		{Name: "SigG", AID: []byte("\xD2\x76\x00\x00\x66\x01"), PINs: []PIN{{pin1, "PIN 1", minPIN, maxPIN, pin2, nullOfOthers}}, Keys: []Key{
			{"qualified signature", 0x84, []uint16{0xC000, 0x4331, 0x4332}, []byte{pin1}, smartcard.PadRSA, false},
		}},
		{Name: "eSign", AID: []byte("\xA0\x00\x00\x01\x67\x45\x53\x49\x47\x4E"), PINs: []PIN{{pin1, "PIN 1", minPIN, maxPINOfCard2, pukESign, nullOfCard2}}, Keys: []Key{
			{"qualified signature", 0x84, []uint16{0xC001}, []byte{pin1}, smartcard.PadRSA, false},
		}},
		{Name: "IDKey", AID: idkey, Directory: 0xDF07, Keys: []Key{
			{"signature 1", 0x84, []uint16{0x4331}, global, both, false},
			{"signature 2", 0x85, []uint16{0x4332}, global, both, false},
			{"signature 3", 0x86, []uint16{0x4333}, global, both, false},
		}},
		{Name: "IDKey encryption", AID: idkey, Directory: 0xDF08, Keys: []Key{
			{"encryption 1", 0x81, []uint16{0x4331}, global, both, false},
			{"encryption 2", 0x82, []uint16{0x4332}, global, both, false},
			{"encryption 3", 0x83, []uint16{0x4333}, global, both, false},
		}},
	}
}

// known tells the answers to reset of TCOS 3 cards that OpenSC knows.
func known(atr []byte) bool {
	return slices.Contains([]string{
		"\x3b\xbf\x96\x00\x81\x31\xfe\x5d\x00\x64\x04\x11\x03\x01\x31\xc0\x73\xf7\x01\xd0\x00\x90\x00\x7d",
		"\x3b\xbf\x96\x00\x81\x31\xfe\x5d\x00\x64\x04\x11\x04\x0f\x31\xc0\x73\xf7\x01\xd0\x00\x90\x00\x74",
		"\x3b\xbf\xb6\x00\x81\x31\xfe\x5d\x00\x64\x04\x28\x03\x02\x31\xc0\x73\xf7\x01\xd0\x00\x90\x00\x67",
	}, string(atr))
}
