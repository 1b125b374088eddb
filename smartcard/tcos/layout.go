package tcos

import (
	"slices"

	"github.com/siegel-mail/siegel/smartcard"
)

// Application is a directory of a card with keys, and what is where in it.
type Application struct {
	Name string
	AID  []byte
	Keys []Key
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
	pinGlobal byte = 0x00
	pin1      byte = 0x81
	pin2      byte = 0x83
)

// Applications are those that are known: NetKey (NKS), the application of the signature law (SigG), and eSign. What files they have is
// what OpenSC and GnuPG look for; no maker has published it.
func Applications() []Application {
	const both = smartcard.PadRSA | smartcard.RawRSA
	return []Application{
		{"NetKey", []byte("\xD2\x76\x00\x00\x03\x01\x02"), []Key{
			{"signature", 0x80, []uint16{0xC000, 0x4331, 0x4332}, []byte{pinGlobal, pin1}, smartcard.PadRSA, false},
			{"encryption", 0x81, []uint16{0xC200, 0x43B1, 0x43B2}, []byte{pinGlobal, pin2}, both, false},
			{"authentication", 0x82, []uint16{0xC500, 0x4371, 0x4372, 0xC100}, []byte{pinGlobal, pin2}, both, false},
			{"second encryption", 0x83, []uint16{0xC201}, []byte{pinGlobal, pin2}, both, false},
		}},
		{"SigG", []byte("\xD2\x76\x00\x00\x66\x01"), []Key{
			{"qualified signature", 0x84, []uint16{0xC000, 0x4331, 0x4332}, []byte{pin1, pin2}, smartcard.PadRSA, false},
		}},
		{"eSign", []byte("\xA0\x00\x00\x01\x67\x45\x53\x49\x47\x4E"), []Key{
			{"qualified signature", 0x84, []uint16{0xC001}, []byte{pin1}, smartcard.PadRSA, false},
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
