package smartcard

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Family is a kind of card. Its methods may be called at once.
type Family interface {
	// Name is short: "tcos".
	Name() string
	// Recognise looks at a card, within a transaction, and returns what speaks to it; nil where the card is of another family. An error
	// means that the card could not be asked.
	Recognise(ch *Channel) (Applet, error)
}

// Applet is how one card is spoken to. It knows nothing of what the card has selected: other programs use it between transactions. Its
// methods are called by one goroutine at a time.
type Applet interface {
	// Identity names the card.
	Identity() Identity
	// Keys lists the keys with their certificates; those without are left out.
	Keys(ch *Channel) ([]KeyInfo, error)
	// Enter makes a key and its PIN reachable for the rest of the transaction. PINs that were presented stay so, where the card does that.
	Enter(ch *Channel, key KeyInfo) error
	// Compute uses a private key that was entered, on the input that the operation asks for. Its errors are those of the channel, ErrUnsupported, and
	// *apdu.Error with NotAuthorized where a PIN is missing.
	Compute(ch *Channel, key KeyInfo, op Operation, input []byte) ([]byte, error)
	// PINs lists the PINs that the card has, also those that open no key. Codes that only unblock others are none.
	PINs(ch *Channel) ([]PIN, error)
	// PIN describes the PIN of a number that is to open a key.
	PIN(key KeyInfo, ref byte) PIN
	// Reach makes a PIN reachable for the rest of the transaction, as Enter does that of a key.
	Reach(ch *Channel, p PIN) error
	// PUK is the code that unblocks a PIN, and whether its counter can be asked for.
	PUK(p PIN) (puk PIN, counts bool)
	// Change is the command that gives a PIN another value; old is empty where none has been set yet.
	Change(p PIN, old, value []byte) apdu.Command
	// Unblock is the command by which a PUK gives a PIN another value and all of its tries.
	Unblock(p PIN, puk, value []byte) apdu.Command
	// Renounce makes the card count a PIN as not presented, so that its counter can be read; one that cannot do this does nothing.
	Renounce(ch *Channel, p PIN) error
}

// Identity names a card.
type Identity struct {
	Family string // "piv"
	Serial string // as it is printed, or hexadecimal digits
	Label  string // what the card says of itself, for people; may be empty
}

// String is "piv 12345678".
func (i Identity) String() string { return i.Family + " " + safetext.Line(i.Serial, 64) }

// PIN is a PIN of a card: its number, and how it is presented. It does not hold what is secret.
type PIN struct {
	Ref      byte
	Name     string // for people: "the global PIN"
	Min, Max int    // characters
	Digits   bool   // takes digits only
	Padded   int    // octets that it is filled up to with FF; 0 for none
	// Application is where on the card it counts; empty for one of the whole card. Two applications may have PINs of one number.
	Application string
}

// String is "the global PIN (reference 00)".
func (p PIN) String() string {
	if p.Application != "" {
		return fmt.Sprintf("%s (reference %02X of %s)", p.Name, p.Ref, safetext.Line(p.Application, 32))
	}
	return fmt.Sprintf("%s (reference %02X)", p.Name, p.Ref)
}

// Operation is what a card does with a private key.
type Operation int

// The operations.
const (
	// RawRSA is the bare operation on a block of the length of the modulus; what pads is outside.
	RawRSA Operation = 1 << iota
	// PadRSA takes a DigestInfo, pads it by PKCS #1 v1.5 and signs.
	PadRSA
	// SignEC takes a digest no longer than the order of the curve and returns an ECDSA-Sig-Value (RFC 3279, 2.2.3).
	SignEC
	// AgreeEC takes a point, uncompressed, and returns the shared coordinate.
	AgreeEC
)

// KeyInfo is a key on a card.
type KeyInfo struct {
	Ref         int    // the number of the key or slot
	Name        string // for people: "authentication (9A)"
	Certificate *x509.Certificate
	Operations  Operation // what it can do, one or several
	PIN         *PIN      // that opens it; nil for none
	PerUse      bool      // the PIN is asked for before each use
}

// Can tells whether the key does the operation.
func (k KeyInfo) Can(op Operation) bool { return k.Operations&op != 0 }

// Fingerprint is the SHA-256 of the certificate, in hexadecimal digits: by it a key is named in the configuration.
func (k KeyInfo) Fingerprint() string {
	sum := sha256.Sum256(k.Certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// Binding tells whether the key is marked for non-repudiation, so that who signs by it wants to be bound.
func (k KeyInfo) Binding() bool { return k.Certificate.KeyUsage&x509.KeyUsageContentCommitment != 0 }

func (k KeyInfo) public() crypto.PublicKey { return k.Certificate.PublicKey }

// Channel is a link within a transaction. It is of no use after the call that it was handed to.
type Channel struct {
	ctx    context.Context
	link   Link
	family apdu.Family
	opts   apdu.Options
	permit bool // the next command may carry a PIN
}

// ATR is the answer to reset of the card.
func (ch *Channel) ATR() []byte { return bytes.Clone(ch.link.ATR()) }

// Speak says in which terms the card answers, and how it takes long commands, from now on.
func (ch *Channel) Speak(f apdu.Family, o apdu.Options) { ch.family, ch.opts = f, o }

// Send sends a command and returns the whole answer; the status word is for the caller to judge. A command that carries a PIN is refused.
func (ch *Channel) Send(c apdu.Command) (apdu.Response, error) {
	if c.PresentsSecret() {
		if !ch.permit {
			return apdu.Response{}, fmt.Errorf("smartcard: %s carries a PIN, which only the PIN policy sends", c)
		}
		ch.permit = false
	}
	return apdu.Exchange(func(b []byte) ([]byte, error) { return ch.link.Transmit(ch.ctx, b) }, c, ch.opts)
}

// Do sends a command that must succeed, and returns the data of the answer; an *apdu.Error says what the card did not like.
func (ch *Channel) Do(c apdu.Command) ([]byte, error) {
	r, err := ch.Send(c)
	if err == nil {
		err = r.Err(c, ch.family)
	}
	if err != nil {
		return nil, err
	}
	return r.Data, nil
}
