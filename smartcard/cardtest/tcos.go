package cardtest

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Keys of a NetKey, in its directory NKS.
const (
	KeySignature      byte = 0x80 // certificate in file C000; can sign and nothing else
	KeyEncryption     byte = 0x81 // C200
	KeyAuthentication byte = 0x82 // C500
	KeySecond         byte = 0x83 // C201; a second one for encryption
)

// References of the PINs of a NetKey. The global PIN opens every key; PIN1 the signature key, PIN2 the others.
const (
	TCOSGlobal byte = 0x00
	TCOSPUK    byte = 0x01
	TCOSPIN1   byte = 0x81
	TCOSPIN2   byte = 0x83
)

// TCOSOptions says what card is made; the zero value is a whole one.
type TCOSOptions struct {
	PIN        string // global, six to sixteen digits; "123456"
	PIN1, PIN2 string // "123456" each
	PUK        string // eight to sixteen digits; "12345678"
	NullPIN    bool   // PIN, PIN1 and PIN2 have not been set by the holder yet
	PINPerUse  bool   // the signature key asks for the PIN before each use
	// Bare puts certificates into their files as they are. Else they are wrapped with the name of the attribute, userCertificate, as
	// TeleSec does it, and OpenSC 0.23 finds no others: it takes the length of a bare one for wrong.
	Bare   bool
	Tries  int    // of each, 15 at most; 3
	Serial string // twenty digits; "89490176940000000001"
	ATR    []byte // of a TCOS 3 card; nil for one of those that are known
	// Keys are RSA of 1024 to 2048 bits, by the references of the keys. Without them there are three of RSA-2048, none of them second.
	Keys map[byte]*rsa.PrivateKey
	// Issue makes the certificates; a simulated authority does where it is nil.
	Issue Issue
	// Now is the time of the simulated authority; time.Now where it is nil.
	Now func() time.Time
}

// TCOS is a simulated NetKey, a card with the system TCOS 3. Its files cannot be written.
type TCOS struct {
	chip
	root         *file
	df, ef       *file // chosen; ef is nil where a directory is
	pins         map[byte]*pin
	keys         map[byte]*tcosKey
	env          environment
	perUse, bare bool
	serial       []byte
	certificates map[byte][]byte
}

type tcosKey struct {
	ref       byte
	key       *rsa.PrivateKey
	signs     bool
	deciphers bool
	pins      []byte // any of them opens it
}

// TCOSATRs are the answers to reset of TCOS 3 cards that OpenSC knows.
func TCOSATRs() [][]byte {
	return [][]byte{
		unhex("3bbf96008131fe5d00640411030131c073f701d00090007d"),
		unhex("3bbf96008131fe5d00640411040f31c073f701d000900074"),
		unhex("3bbfb6008131fe5d00640428030231c073f701d000900067"),
	}
}

// NewTCOS makes a NetKey. It takes as long as making its keys does, where no keys are given.
func NewTCOS(o TCOSOptions) (*TCOS, error) {
	o.PIN, o.PIN1, o.PIN2 = cmp.Or(o.PIN, "123456"), cmp.Or(o.PIN1, "123456"), cmp.Or(o.PIN2, "123456")
	o.PUK, o.Tries, o.Serial = cmp.Or(o.PUK, "12345678"), cmp.Or(o.Tries, 3), cmp.Or(o.Serial, "89490176940000000001")
	if err := cmp.Or(digits(o.PIN, 6, 16), digits(o.PIN1, 6, 16), digits(o.PIN2, 6, 16), digits(o.PUK, 8, 16)); err != nil {
		return nil, err
	}
	if o.Tries < 1 || o.Tries > 15 {
		return nil, fmt.Errorf("cardtest: %d tries; a card counts 1 to 15", o.Tries)
	}
	serial, err := hex.DecodeString(o.Serial)
	if err != nil || len(serial) != 10 {
		return nil, fmt.Errorf("cardtest: the serial number of a NetKey has twenty digits")
	}
	c := &TCOS{perUse: o.PINPerUse, bare: o.Bare, serial: serial, keys: map[byte]*tcosKey{}, certificates: map[byte][]byte{}}
	c.atr = o.ATR
	if c.atr == nil {
		c.atr = TCOSATRs()[0]
	}
	c.run, c.forget = c.command, c.lose
	c.pins = map[byte]*pin{
		TCOSGlobal: {value: []byte(o.PIN), left: o.Tries, max: o.Tries, short: 6, long: 16, null: o.NullPIN},
		TCOSPUK:    {value: []byte(o.PUK), left: o.Tries, max: o.Tries, short: 8, long: 16},
		TCOSPIN1:   {value: []byte(o.PIN1), left: o.Tries, max: o.Tries, short: 6, long: 16, null: o.NullPIN, local: true},
		TCOSPIN2:   {value: []byte(o.PIN2), left: o.Tries, max: o.Tries, short: 6, long: 16, null: o.NullPIN, local: true},
	}
	if err := c.fill(o); err != nil {
		return nil, err
	}
	c.root = c.files(serial)
	c.df = c.root
	return c, nil
}

func (c *TCOS) fill(o TCOSOptions) (err error) {
	if o.Keys == nil {
		o.Keys = map[byte]*rsa.PrivateKey{}
		for _, ref := range []byte{KeySignature, KeyEncryption, KeyAuthentication} {
			if o.Keys[ref], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
				return err
			}
		}
	}
	if o.Issue, err = issuer(o.Issue, o.Now); err != nil {
		return err
	}
	for ref, key := range o.Keys {
		if _, ok := certificateFile(ref); !ok || key.Size() < 128 || key.Size() > 256 {
			return fmt.Errorf("cardtest: a NetKey has no key %02X of %d bits", ref, key.N.BitLen())
		}
		k := &tcosKey{ref: ref, key: key, signs: true, deciphers: ref != KeySignature, pins: []byte{TCOSPIN2, TCOSGlobal}}
		if ref == KeySignature {
			k.pins[0] = TCOSPIN1
		}
		c.keys[ref] = k
		if c.certificates[ref], err = o.Issue(tcosUse(ref), key.Public()); err != nil {
			return err
		}
	}
	return nil
}

// lose is what a card without power forgets.
func (c *TCOS) lose() {
	c.df, c.ef, c.env = c.root, nil, environment{}
	for _, p := range c.pins {
		p.verified = false
	}
}

func tcosUse(ref byte) Use {
	switch ref {
	case KeySignature:
		return Signature
	case KeyAuthentication:
		return Authentication
	}
	return Encryption
}

// certificateFile is the file of a NetKey that holds the certificate of a key.
func certificateFile(ref byte) (uint16, bool) {
	switch ref {
	case KeySignature:
		return 0xC000, true
	case KeyEncryption:
		return 0xC200, true
	case KeyAuthentication:
		return 0xC500, true
	case KeySecond:
		return 0xC201, true
	}
	return 0, false
}

// Certificate is that of a key, in DER; nil where there is no such key.
func (c *TCOS) Certificate(ref byte) []byte { return bytes.Clone(c.certificates[ref]) }

// Public is the public key of a key; nil where there is no such key.
func (c *TCOS) Public(ref byte) crypto.PublicKey {
	if k := c.keys[ref]; k != nil {
		return k.key.Public()
	}
	return nil
}

// Tries is how many are left for a PIN or the PUK; -1 where there is none of that reference.
func (c *TCOS) Tries(ref byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pins[ref]; p != nil {
		return p.left
	}
	return -1
}

func (c *TCOS) command(a apdu.Command) ([]byte, apdu.Status) {
	if a.CLA == 0x80 && a.INS == insDirectory {
		return c.list(a)
	}
	if a.CLA != 0 {
		return nil, apdu.UnknownCLA
	}
	switch a.INS {
	case apdu.Select:
		return c.choose(a)
	case apdu.ReadBinary:
		return c.readBinary(a)
	case apdu.ReadRecord:
		return c.readRecord(a)
	case apdu.Verify:
		return nil, c.verify(a)
	case apdu.ChangeReference:
		return nil, c.change(a)
	case apdu.ResetRetryCounter:
		return nil, c.unblock(a)
	case apdu.ManageSecurity:
		return nil, c.manage(a)
	case apdu.PerformSecurity:
		return c.perform(a)
	}
	return nil, apdu.UnknownINS
}
