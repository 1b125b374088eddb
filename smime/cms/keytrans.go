package cms

import (
	"crypto/rsa"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// encodeKeyTrans encrypts contentKey for r as a KeyTransRecipientInfo (RFC 5652, 6.2.1).
func encodeKeyTrans(random io.Reader, r Recipient, contentKey []byte) ([]byte, error) {
	c := r.Certificate
	public := rsaKey(c)
	if public == nil {
		return nil, fmt.Errorf("%w: the certificate of %s has no key to encrypt with", ErrUnsupported, c.Subject)
	}
	if public.N.BitLen() > maxRSABits {
		return nil, fmt.Errorf("%w: the RSA key of %s has more than %d bits", ErrUnsupported, c.Subject, maxRSABits)
	}
	oaep, err := r.oaep()
	if err != nil {
		return nil, err
	}
	how, encrypted := algorithm{oidRSA, null()}, []byte(nil)
	if oaep != nil {
		how = encodeOAEP(oaep)
		encrypted, err = rsa.EncryptOAEPWithOptions(random, public, contentKey, oaep)
	} else {
		//lint:ignore SA1019 it is what every mail program reads (RFC 8551, 2.3); who can have OAEP asks for it
		encrypted, err = rsa.EncryptPKCS1v15(random, public, contentKey)
	}
	if err != nil {
		return nil, fmt.Errorf("cms: encrypting for %s: %w", c.Subject, err)
	}
	id := sequence(c.RawIssuer, integer(c.SerialNumber))
	return sequence(smallInteger(0), id, how.encode(), octetString(encrypted)), nil
}

// keyTrans is a KeyTransRecipientInfo as it was received.
type keyTrans struct {
	id        RecipientID
	oaep      *rsa.OAEPOptions // nil: PKCS #1 v1.5
	encrypted []byte
}

// readKeyTrans reads a KeyTransRecipientInfo. usable is false where it needs something this package has not.
func readKeyTrans(der []byte) (t keyTrans, name string, usable bool) {
	s := cryptobyte.String(der)
	var body cryptobyte.String
	var version int
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !body.ReadASN1Integer(&version) || !readRecipientID(&body, &t.id) {
		return keyTrans{}, "", false
	}
	var how algorithm
	if !readAlgorithm(&body, &how) {
		return t, "", false
	}
	ok := body.ReadASN1Bytes(&t.encrypted, cryptobyte_asn1.OCTET_STRING) && body.Empty()
	switch how.oid {
	case oidRSA:
		return t, "rsa", ok && how.plain()
	case oidOAEP:
		var valid bool
		t.oaep, valid = readOAEP(how.parameters)
		return t, "rsa-oaep", ok && valid
	}
	return t, how.oid, false
}

// ciphertext is what t holds for key, with the leading zeros some programs leave out; nil where it cannot be
// for key.
func (t *keyTrans) ciphertext(key Key) []byte {
	public := rsaKey(key.Certificate)
	if public == nil || len(t.encrypted) > public.Size() {
		return nil
	}
	return append(make([]byte, public.Size()-len(t.encrypted)), t.encrypted...)
}

// fits reports whether t is for key, judging by what is public. A certificate that has its key for OAEP keeps it
// from all else (RFC 4055, 1.2).
func (t *keyTrans) fits(key Key) bool {
	return key.Decrypter != nil && t.id.Matches(key.Certificate) && t.ciphertext(key) != nil &&
		(t.oaep != nil || keyAlgorithm(key.Certificate).oid != oidOAEP)
}
