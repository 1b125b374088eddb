package cms

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxAttempts is the RSA operations for one message after which no further recipient info is looked at.
const maxAttempts = 16

// encodeKeyTrans encrypts contentKey for r as a KeyTransRecipientInfo (RFC 5652, 6.2.1).
func encodeKeyTrans(random io.Reader, r Recipient, contentKey []byte) ([]byte, error) {
	c := r.Certificate
	public, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: the certificate of %s has no RSA key", ErrUnsupported, c.Subject)
	}
	if public.N.BitLen() > maxRSABits {
		return nil, fmt.Errorf("%w: the RSA key of %s has more than %d bits", ErrUnsupported, c.Subject, maxRSABits)
	}
	how, encrypted := algorithm{oidRSA, null()}, []byte(nil)
	var err error
	if r.OAEP != nil {
		var o *rsa.OAEPOptions
		if o, err = r.OAEP.withDefaults(); err != nil {
			return nil, err
		}
		how = encodeOAEP(o)
		encrypted, err = rsa.EncryptOAEPWithOptions(random, public, contentKey, o)
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

// encodeOAEP is the AlgorithmIdentifier of RSAES-OAEP (RFC 4055, 4.1). What equals a default is left out, as DER
// wants it (X.690, 11.5).
func encodeOAEP(o *rsa.OAEPOptions) algorithm {
	var parameters []byte
	if o.Hash != crypto.SHA1 {
		parameters = append(parameters, tlv(tagContextCons, hashAlgorithm(o.Hash))...)
	}
	if o.MGFHash != crypto.SHA1 {
		parameters = append(parameters, tlv(tagContextCons|1, algorithm{oidMGF1, hashAlgorithm(o.MGFHash)}.encode())...)
	}
	if len(o.Label) > 0 {
		parameters = append(parameters, tlv(tagContextCons|2, algorithm{oidPSpecified, octetString(o.Label)}.encode())...)
	}
	return algorithm{oidOAEP, sequence(parameters)}
}

// hashAlgorithm is the AlgorithmIdentifier of a known hash function, with the NULL of RFC 4055, 2.1.
func hashAlgorithm(h crypto.Hash) []byte {
	d, _ := digestByHash(h)
	return algorithm{d.oid, null()}.encode()
}

// readOAEP reads RSAES-OAEP-params (RFC 4055, 4.1). Whatever is not exactly that is refused: there is no
// other padding to fall back to.
func readOAEP(parameters []byte) (*rsa.OAEPOptions, bool) {
	o := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	s := cryptobyte.String(parameters)
	var body, label cryptobyte.String
	var present bool
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) || !s.Empty() ||
		!readHashParameter(&body, 0, &o.Hash) || !readMGFParameter(&body, 1, &o.MGFHash) ||
		!body.ReadOptionalASN1(&label, &present, contextTag(2)) || !body.Empty() {
		return nil, false
	}
	if !present {
		return o, true
	}
	var source algorithm
	if !readAlgorithm(&label, &source) || !label.Empty() || source.oid != oidPSpecified {
		return nil, false
	}
	p := cryptobyte.String(source.parameters)
	return o, p.ReadASN1Bytes(&o.Label, cryptobyte_asn1.OCTET_STRING) && p.Empty()
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
	public, ok := key.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok || len(t.encrypted) > public.Size() {
		return nil
	}
	return append(make([]byte, public.Size()-len(t.encrypted)), t.encrypted...)
}

// fits reports whether t is for key, judging by what is public.
func (t *keyTrans) fits(key Key) bool {
	return key.Decrypter != nil && t.id.Matches(key.Certificate) && t.ciphertext(key) != nil
}

// away reports whether err says that a key cannot be asked at present, which has nothing to do with what it
// was asked.
func away(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// keyring finds the content key of a message among its recipient infos.
type keyring struct {
	transports []keyTrans
	keys       []Key
	size       int // of the content key
	attempts   int
	away       error // of the last key that was away
	matched    bool  // some key fits some recipient info
}

// contentKey returns the content key. Where it cannot be had it returns a random key instead, so that what
// follows takes the same course; known says that the key is not right for certain (OAEP tells, v1.5 must
// not). The error is ErrNoKey, or that of a key that is away.
func (k *keyring) contentKey() (key []byte, failed bool, err error) {
	if key, ok := k.fromOAEP(); ok {
		return key, false, nil
	}
	if key, ok := k.fromPKCS1(); ok {
		return key, false, nil
	}
	if k.away != nil {
		return nil, false, fmt.Errorf("cms: a key for this message is not available: %w", k.away)
	}
	if !k.matched {
		return nil, false, ErrNoKey
	}
	return k.random(), true, nil
}

func (k *keyring) random() []byte {
	key := make([]byte, k.size)
	rand.Read(key)
	return key
}

// fromOAEP tries every key on every recipient info with OAEP. OAEP stands chosen ciphertexts, so what
// fails may be followed by a further try.
func (k *keyring) fromOAEP() ([]byte, bool) {
	for _, key := range k.keys {
		for i := range k.transports {
			t := &k.transports[i]
			if t.oaep == nil || !t.fits(key) || k.attempts >= maxAttempts {
				continue
			}
			k.matched = true
			k.attempts++
			plain, err := key.Decrypter.Decrypt(rand.Reader, t.ciphertext(key), t.oaep)
			if err == nil && len(plain) == k.size {
				return plain, true
			}
			if away(err) {
				k.away = err
			}
		}
	}
	return nil, false
}

// fromPKCS1 decrypts the first recipient info with PKCS #1 v1.5 that a key is for, and no other, whatever comes
// of it: a second try after a failed first would tell an attacker who adds recipient infos of his own
// whether the padding of the first was right. Only a key that is away makes room for another.
func (k *keyring) fromPKCS1() ([]byte, bool) {
	for _, key := range k.keys {
		for i := range k.transports {
			t := &k.transports[i]
			if t.oaep != nil || !t.fits(key) || k.attempts >= maxAttempts {
				continue
			}
			k.matched = true
			if plain, ok := k.implicit(t); ok {
				return plain, true
			}
		}
	}
	return nil, false
}

// implicit decrypts t with implicit rejection: a wrong padding gives a random key (RFC 3218, 2.3.2). It is
// false only where every key is away.
func (k *keyring) implicit(t *keyTrans) ([]byte, bool) {
	keys := k.distinct(t)
	result := k.random()
	asked := false
	for _, key := range keys {
		first, ok := k.sessionKey(t, key)
		if !ok {
			continue
		}
		asked = true
		right := 1
		if len(keys) > 1 {
			// Several keys under one identifier: of a right padding the result is the same each time, of a
			// wrong one it is random. Which it was shows in nothing.
			second, again := k.sessionKey(t, key)
			if !again {
				continue
			}
			right = subtle.ConstantTimeCompare(first, second)
		}
		subtle.ConstantTimeCopy(right, result, first)
	}
	return result, asked
}

// distinct are the different keys that t fits.
func (k *keyring) distinct(t *keyTrans) []Key {
	var keys []Key
next:
	for _, key := range k.keys {
		if !t.fits(key) || len(keys) == maxCandidates {
			continue
		}
		for _, other := range keys {
			if key.Certificate.PublicKey.(*rsa.PublicKey).Equal(other.Certificate.PublicKey) {
				continue next
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// sessionKey asks key once. A refusal, or a key of another size, from a Decrypter that does not reject
// implicitly itself counts as a random key. It is false where the key is away.
func (k *keyring) sessionKey(t *keyTrans, key Key) ([]byte, bool) {
	k.attempts++
	result := k.random()
	//lint:ignore SA1019 most mail is encrypted this way; SessionKeyLen is the safe form of it
	opts := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: k.size}
	plain, err := key.Decrypter.Decrypt(rand.Reader, t.ciphertext(key), opts)
	if away(err) {
		k.away = err
		return nil, false
	}
	if err == nil && len(plain) == k.size {
		copy(result, plain)
	}
	return result, true
}
