package cms

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/internal/x509x"
	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// encodeKeyAgree wraps contentKey for c as a KeyAgreeRecipientInfo of its own (RFC 5652, 6.2.2), under a key
// that is as long and comes from a new ephemeral key (RFC 5753, 3.1.1; RFC 8418, 3; RFC 8551, 2.3).
func encodeKeyAgree(random io.Reader, c *x509.Certificate, contentKey []byte, software bool) ([]byte, error) {
	e, err := newEphemeral(c.PublicKey, software)
	if err != nil {
		return nil, fmt.Errorf("encrypting for %s: %w", c.Subject, err)
	}
	defer clear(e.secret)
	scheme, _ := agreementByOID(e.scheme)
	how := algorithm{oid: wrapOID(len(contentKey))}
	ukm, field, err := newUKM(random, scheme, len(contentKey))
	if err != nil {
		return nil, err
	}
	kek := scheme.derive(e.secret, ukm, sharedInfo(how, ukm, len(contentKey)), len(contentKey))
	defer clear(kek)
	wrapped, err := wrapKey(kek, contentKey)
	if err != nil {
		return nil, fmt.Errorf("cms: encrypting for %s: %w", c.Subject, err)
	}
	id := sequence(c.RawIssuer, integer(c.SerialNumber))
	key := tlv(tagContextCons|1, algorithm{oid: e.oid}.encode(), bitString(e.point))
	return tlv(tagContextCons|1, smallInteger(3), tlv(tagContextCons, key), field,
		algorithm{e.scheme, how.encode()}.encode(), sequence(sequence(id, octetString(wrapped)))), nil
}

// newUKM is keying material of size bytes and the field it stands in. RFC 5753, 3.1.1 says that it SHOULD be there. With
// HKDF it is left out, as it may be (RFC 8418, 3.2): not every program takes it for the salt that it then is.
func newUKM(random io.Reader, scheme agreementScheme, size int) (ukm, field []byte, err error) {
	if scheme.hkdf {
		return nil, nil, nil
	}
	ukm = make([]byte, size)
	if _, err := io.ReadFull(random, ukm); err != nil {
		return nil, nil, fmt.Errorf("cms: random numbers: %w", err)
	}
	return ukm, tlv(tagContextCons|1, octetString(ukm)), nil
}

// ephemeral is a key that lives for one recipient of one message, and what it agreed on.
type ephemeral struct {
	oid, scheme   string
	point, secret []byte
}

// newEphemeral makes a key on the curve of public and agrees with public.
func newEphemeral(public crypto.PublicKey, software bool) (e ephemeral, err error) {
	var private crypto.PrivateKey
	e.oid = oidECPublicKey
	switch key := public.(type) {
	case *ecdh.PublicKey:
		if key.Curve() == ecdh.X25519() {
			e.oid = oidX25519
		}
		return e, e.agree(key)
	case *ecdsa.PublicKey:
		if nist, err := key.ECDH(); err == nil {
			return e, e.agree(nist)
		}
		if !x509x.Brainpool(key.Curve) || fips140.Enforced() {
			return e, fmt.Errorf("%w: keys on %s", ErrUnsupported, key.Curve.Params().Name)
		}
		if !software {
			return e, fmt.Errorf("%w: keys on %s, unless software for them is allowed", ErrUnsupported, key.Curve.Params().Name)
		}
		own, err := ecdsa.GenerateKey(key.Curve, rand.Reader)
		if err != nil {
			return e, fmt.Errorf("cms: an ephemeral key: %w", err)
		}
		private, e.point, e.scheme = own, x509x.MarshalPoint(&own.PublicKey), schemeFor(fieldSize(key.Curve))
	}
	agreement, err := NewKeyAgreement(private, AgreementOptions{SoftwareBrainpool: software})
	if err != nil {
		return e, err
	}
	e.secret, err = agreement.SharedSecret(public)
	return e, err
}

// agree makes a key of the standard library and agrees with public.
func (e *ephemeral) agree(public *ecdh.PublicKey) error {
	private, err := public.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("cms: an ephemeral key: %w", err)
	}
	e.point = private.PublicKey().Bytes()
	e.scheme = oidHKDFSHA256 // RFC 8551, 2.3: MUST
	if e.oid != oidX25519 {
		e.scheme = schemeFor(len(e.point) / 2)
	}
	if e.secret, err = private.ECDH(public); err != nil {
		return fmt.Errorf("%w: a public key that is no point", ErrUnsupported)
	}
	return nil
}

// schemeFor is the scheme whose hash is as strong as a curve with coordinates of size bytes.
func schemeFor(size int) string {
	switch {
	case size <= 32:
		return oidStdDHSHA256
	case size <= 48:
		return oidStdDHSHA384
	}
	return oidStdDHSHA512
}

// keyAgree is a KeyAgreeRecipientInfo as it was received.
type keyAgree struct {
	origin algorithm // of the originator's key
	point  []byte
	ukm    []byte // nil: none
	scheme agreementScheme
	wrap   algorithm
	keys   []wrappedKey
}

// wrappedKey is a RecipientEncryptedKey.
type wrappedKey struct {
	id      RecipientID
	wrapped []byte
}

// readKeyAgree reads a KeyAgreeRecipientInfo and lists its recipients. usable is false where it needs something
// this package has not, such as an originator whose key is in a certificate (static-static, RFC 6278).
func readKeyAgree(der []byte) (a keyAgree, listed []RecipientInfo, usable bool) {
	s := cryptobyte.String(der)
	var body, origin, list, ukm cryptobyte.String
	var version int
	var how algorithm
	var hasUKM bool
	if !s.ReadASN1(&body, contextTag(1)) || !body.ReadASN1Integer(&version) ||
		!body.ReadASN1(&origin, contextTag(0)) || !body.ReadOptionalASN1(&ukm, &hasUKM, contextTag(1)) ||
		!readAlgorithm(&body, &how) || !body.ReadASN1(&list, cryptobyte_asn1.SEQUENCE) {
		return a, []RecipientInfo{{Kind: "kari"}}, false
	}
	usable = body.Empty() && a.readOriginator(origin)
	if hasUKM {
		usable = ukm.ReadASN1Bytes(&a.ukm, cryptobyte_asn1.OCTET_STRING) && ukm.Empty() && usable
	}
	name, known := a.readScheme(how)
	for !list.Empty() {
		key, ok := readWrappedKey(&list)
		if ok {
			a.keys = append(a.keys, key)
		}
		listed = append(listed, RecipientInfo{Kind: "kari", ID: key.id, Algorithm: name})
	}
	return a, listed, usable && known
}

// readOriginator reads OriginatorIdentifierOrKey, where it is a key.
func (a *keyAgree) readOriginator(s cryptobyte.String) bool {
	var body cryptobyte.String
	return s.ReadASN1(&body, contextTag(1)) && s.Empty() && readAlgorithm(&body, &a.origin) &&
		body.ReadASN1BitStringAsBytes(&a.point) && body.Empty()
}

// readScheme reads KeyEncryptionAlgorithmIdentifier (RFC 5753, 7.1.4 and 7.1.5) and names it.
func (a *keyAgree) readScheme(how algorithm) (name string, known bool) {
	if a.scheme, known = agreementByOID(how.oid); !known {
		return how.oid, false
	}
	s := cryptobyte.String(how.parameters)
	known = readAlgorithm(&s, &a.wrap) && s.Empty() && wrapSize(a.wrap.oid) > 0 && a.wrap.plain()
	if a.origin.oid == oidX25519 {
		return "x25519", known
	}
	return "ecdh", known
}

// readWrappedKey takes a RecipientEncryptedKey. One that it does not understand may be followed by others.
func readWrappedKey(list *cryptobyte.String) (key wrappedKey, ok bool) {
	var one, id cryptobyte.String
	if !list.ReadASN1(&one, cryptobyte_asn1.SEQUENCE) {
		*list = nil
		return key, false
	}
	if one.PeekASN1Tag(contextTag(0)) { // rKeyId; a date and other attributes may follow the identifier
		ok = one.ReadASN1(&id, contextTag(0)) && id.ReadASN1Bytes(&key.id.SubjectKeyID, cryptobyte_asn1.OCTET_STRING)
	} else {
		ok = readRecipientID(&one, &key.id)
	}
	if !ok {
		return wrappedKey{}, false
	}
	return key, one.ReadASN1Bytes(&key.wrapped, cryptobyte_asn1.OCTET_STRING) && one.Empty()
}

// peer is the originator's key as a point of the curve of public; false where it is none.
func (a *keyAgree) peer(public crypto.PublicKey) (crypto.PublicKey, bool) {
	switch key := public.(type) {
	case *ecdh.PublicKey:
		if key.Curve() != ecdh.X25519() || a.origin.oid != oidX25519 || !a.origin.plain() {
			return nil, false
		}
		peer, err := key.Curve().NewPublicKey(a.point)
		return peer, err == nil
	case *ecdsa.PublicKey:
		if a.origin.oid != oidECPublicKey && a.origin.oid != oidECDH || !a.curve(key.Curve) {
			return nil, false
		}
		if x509x.Brainpool(key.Curve) {
			return x509x.Point(key.Curve, a.point)
		}
		nist, err := key.ECDH()
		if err != nil {
			return nil, false
		}
		peer, err := nist.Curve().NewPublicKey(uncompressed(key.Curve, a.point))
		return peer, err == nil
	}
	return nil, false
}

// curve reports whether the parameters of the originator's key are absent, NULL or the name of c (RFC 5753, 3.1.1).
// OpenSSL leaves them out, BouncyCastle and NSS write NULL, others the name.
func (a *keyAgree) curve(c elliptic.Curve) bool {
	if a.origin.plain() {
		return true
	}
	oid, err := parseOID(a.origin.parameters)
	return err == nil && oid == map[string]string{
		"P-256": oidP256, "P-384": oidP384, "P-521": oidP521,
		"brainpoolP256r1": oidBrainpoolP256, "brainpoolP384r1": oidBrainpoolP384, "brainpoolP512r1": oidBrainpoolP512,
	}[c.Params().Name]
}

// uncompressed is point in its long form (SEC 1, 2.3.4), where it is a compressed one of a NIST curve; otherwise
// as it is.
func uncompressed(c elliptic.Curve, point []byte) []byte {
	if len(point) != 1+fieldSize(c) || point[0] != 2 && point[0] != 3 {
		return point
	}
	x, y := elliptic.UnmarshalCompressed(c, point)
	if x == nil {
		return point
	}
	//lint:ignore SA1019 UnmarshalCompressed gives coordinates
	return elliptic.Marshal(c, x, y)
}

// wrappedFor is what a holds for key, judging by what is public; not more of it than a sender has reason for.
func (a *keyAgree) wrappedFor(key Key) [][]byte {
	var found [][]byte
	if key.Agreement == nil {
		return nil
	}
	for _, w := range a.keys {
		if len(found) < maxCandidates && w.id.Matches(key.Certificate) {
			found = append(found, w.wrapped)
		}
	}
	return found
}

// sharedInfos are what the key that wraps may have been made with.
//
// QUIRK: the parameters of AES key wrap are absent (RFC 3565, 2.3.2), but there are programs that write NULL, and
// others (BouncyCastle before RFC 5753) that write one and derive with the other.
func (a *keyAgree) sharedInfos() [][]byte {
	size, other := wrapSize(a.wrap.oid), a.wrap
	if other.parameters = nil; len(a.wrap.parameters) == 0 {
		other.parameters = null()
	}
	return [][]byte{sharedInfo(a.wrap, a.ukm, size), sharedInfo(other, a.ukm, size)}
}

// validSecret reports whether secret can be what a key like public agreed on. With X25519 all zeros come of a point
// of low order (RFC 7748, 6.1; RFC 8418, 2); elsewhere they are a coordinate like any other.
func validSecret(public crypto.PublicKey, secret []byte) bool {
	if key, ok := public.(*ecdsa.PublicKey); ok {
		return len(secret) == fieldSize(key.Curve)
	}
	return len(secret) == 32 && subtle.ConstantTimeCompare(secret, make([]byte, 32)) == 0
}
