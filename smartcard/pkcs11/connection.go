package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/miekg/pkcs11"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// ours are the mechanisms that are looked for.
var ours = []uint{pkcs11.CKM_RSA_X_509, pkcs11.CKM_RSA_PKCS, pkcs11.CKM_RSA_PKCS_PSS, pkcs11.CKM_RSA_PKCS_OAEP, pkcs11.CKM_ECDSA,
	pkcs11.CKM_ECDH1_DERIVE}

// connection is a session with a token. Only the goroutine of the module uses it.
type connection struct {
	lib      cryptoki
	slot     uint
	slotName string
	session  uint
	token    tokenInfo     // as it was when the session was opened
	can      map[uint]uint // flags of mechanisms
	certs    []certificate // nil until they were read
	private  map[string]private
	unlisted int // certificates that could not be read

	ctx context.Context // of the operation
}

// identity names the token.
func (c *connection) identity() smartcard.Identity {
	return smartcard.Identity{Family: "pkcs11", Serial: c.token.serial, Label: c.token.label}
}

// pin is the PIN of the user. Tokens of one card have its serial number, and PINs of their own: their labels tell these apart.
func (c *connection) pin() smartcard.PIN {
	least, most := int(min(c.token.minPIN, 255)), int(min(c.token.maxPIN, 255))
	if most == 0 || most < least { // QUIRK: modules that leave this open
		least, most = 1, 255
	}
	return smartcard.PIN{Ref: pkcs11.CKU_USER, Name: "the user PIN", Application: c.token.label, Min: max(least, 1), Max: most}
}

func (c *connection) close() { _ = c.lib.close(c.session) } // what is gone cannot be closed

// harmless tells errors after which the session is still good.
func harmless(err error) bool {
	if _, ok := errors.AsType[*begun](err); ok {
		return false
	}
	if e, ok := errors.AsType[*smartcard.PINError](err); ok {
		return e.Reason != smartcard.PINUnsettled
	}
	if smartcard.Temporary(err) {
		return false
	}
	return errors.Is(err, smartcard.ErrUnsupported) || errors.Is(err, smartcard.ErrDecryption)
}

// find looks for the token in all slots of the module, and opens a session.
func (t *Token) find() (*connection, error) {
	m := t.module
	slots, err := m.lib.slots(true)
	if err != nil {
		return nil, m.lost(err)
	}
	var fits []*connection
	var others []string
	var errs []error
	for _, slot := range slots {
		info, err := m.lib.token(slot)
		switch {
		case is(err, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_SLOT_ID_INVALID):
			continue
		case err != nil:
			errs = append(errs, translate(err))
			continue
		}
		info.label, info.serial = trim(info.label), trim(info.serial)
		if t.fits(info) {
			fits = append(fits, &connection{lib: m.lib, slot: slot, token: info, private: map[string]private{}})
		} else if info.has(pkcs11.CKF_TOKEN_INITIALIZED) && len(others) < 16 {
			others = append(others, info.String())
		}
	}
	switch {
	case len(fits) == 1:
		return fits[0], fits[0].open()
	case len(fits) > 1:
		return nil, ambiguous(fits)
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case len(others) == 0:
		return nil, m.empty()
	}
	return nil, fmt.Errorf("%w: %s is wanted, and there are %s", errNotHere, t, strings.Join(others, ", "))
}

// lost notes that someone else has finalised the module.
func (m *module) lost(err error) error {
	if is(err, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED) {
		m.live = false
		clear(m.conns)
	}
	return translate(err)
}

// empty is the error where no slot has a token.
func (m *module) empty() error {
	if all, err := m.lib.slots(false); err == nil && len(all) == 0 {
		return smartcard.ErrNoReader
	}
	return errNoToken
}

// fits tells whether a token is the one that is wanted.
func (t *Token) fits(i tokenInfo) bool {
	return (t.want.Token == "" || t.want.Token == i.label) && (t.want.Serial == "" || strings.EqualFold(t.want.Serial, i.serial))
}

// String is for people.
func (t tokenInfo) String() string {
	return fmt.Sprintf("%q (serial number %s)", safetext.Line(t.label, 32), safetext.Line(t.serial, 32))
}

// ambiguous says what to name.
func ambiguous(fits []*connection) error {
	var all []string
	for _, c := range fits {
		all = append(all, c.token.String())
	}
	return fmt.Errorf("%w: name the label and the serial number of one of these tokens: %s", errAmbiguous, strings.Join(all, ", "))
}

// open opens the session and asks what the token can do.
func (c *connection) open() (err error) {
	if c.can, err = c.lib.mechanisms(c.slot); err != nil {
		return translate(err)
	}
	if name, _, err := c.lib.slot(c.slot); err == nil {
		c.slotName = safetext.Line(trim(name), 64)
	}
	c.session, err = c.lib.open(c.slot)
	return translate(err)
}

// able tells whether the token has a mechanism for a use.
func (c *connection) able(kind, flag uint) bool {
	flags, ok := c.can[kind]
	// QUIRK: some modules set none of these flags.
	const uses = pkcs11.CKF_SIGN | pkcs11.CKF_DECRYPT | pkcs11.CKF_DERIVE
	return ok && (flags&flag != 0 || flags&uses == 0)
}

// operations is what a key can do, in the terms of cards.
func (c *connection) operations(cert *x509.Certificate) (ops smartcard.Operation) {
	add := func(op smartcard.Operation, kind, flag uint) {
		if c.able(kind, flag) {
			ops |= op
		}
	}
	switch cert.PublicKey.(type) {
	case *rsa.PublicKey:
		add(smartcard.RawRSA, pkcs11.CKM_RSA_X_509, pkcs11.CKF_SIGN)
		add(smartcard.PadRSA, pkcs11.CKM_RSA_PKCS, pkcs11.CKF_SIGN)
	case *ecdsa.PublicKey:
		add(smartcard.SignEC, pkcs11.CKM_ECDSA, pkcs11.CKF_SIGN)
		add(smartcard.AgreeEC, pkcs11.CKM_ECDH1_DERIVE, pkcs11.CKF_DERIVE)
	}
	return ops
}

// keyInfo is what is known of a key without a PIN.
func (c *connection) keyInfo(number int, cert *x509.Certificate, name string) smartcard.KeyInfo {
	k := smartcard.KeyInfo{Ref: number, Name: name, Certificate: cert, Operations: c.operations(cert)}
	if c.token.has(pkcs11.CKF_LOGIN_REQUIRED) {
		p := c.pin()
		k.PIN = &p
	}
	return k
}

// info finds a certificate by its fingerprint; one that is given need not be in the token.
func (c *connection) info(fingerprint string, given *x509.Certificate) (smartcard.KeyInfo, error) {
	certs, err := c.certificates()
	if err != nil {
		return smartcard.KeyInfo{}, err
	}
	for i, o := range certs {
		if k := c.keyInfo(i, o.cert, o.name); k.Fingerprint() == fingerprint {
			return k, nil
		}
	}
	if given != nil {
		if k := c.keyInfo(len(certs), given, "the key of the certificate that is configured"); k.Fingerprint() == fingerprint {
			return k, nil
		}
		return smartcard.KeyInfo{}, fmt.Errorf("%w, and the one that is given has another fingerprint", errNoCertificate)
	}
	if c.unlisted > 0 {
		return smartcard.KeyInfo{}, fmt.Errorf("%w: there are %d others, and %d that cannot be read", errNoCertificate, len(certs), c.unlisted)
	}
	return smartcard.KeyInfo{}, fmt.Errorf("%w: there are %d others", errNoCertificate, len(certs))
}

// look is Token.State.
func (c *connection) look() (smartcard.State, error) {
	s := smartcard.State{Identity: c.identity(), Reader: c.slotName, PINs: map[smartcard.PIN]smartcard.PINState{}}
	certs, err := c.certificates()
	if err != nil {
		return s, err
	}
	for i, o := range certs {
		ours := !o.cert.BasicConstraintsValid || !o.cert.IsCA
		if !ours { // of an issuer, for the chain; or one that has signed itself
			if ours, err = c.keyed(o.id); err != nil {
				return s, err
			}
		}
		if ours {
			s.Keys = append(s.Keys, c.keyInfo(i, o.cert, o.name))
		}
	}
	if !c.token.has(pkcs11.CKF_LOGIN_REQUIRED) {
		return s, nil
	}
	l, err := c.login()
	if err != nil {
		return s, err
	}
	s.PINs[c.pin()] = l.state()
	return s, nil
}

// valid tells whether octets are text that can be a PIN.
func valid(pin string, p smartcard.PIN) bool {
	n := utf8.RuneCountInString(pin)
	if !utf8.ValidString(pin) || n < p.Min || len(pin) > p.Max {
		return false
	}
	return !strings.ContainsFunc(pin, func(r rune) bool { return r < 0x20 || r == 0x7F })
}
