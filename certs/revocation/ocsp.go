package revocation

import (
	"bytes"
	"crypto"
	_ "crypto/sha1" // of names and keys in OCSP, where nothing rests on it (RFC 5019, 2.1.1)
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// errAnswer is wrapped by the error for an answer that cannot be believed or used.
var errAnswer = errors.New("its answer cannot be used")

// question is what a responder is asked about one certificate. golang.org/x/crypto/ocsp writes it. Answers are read here, since that
// package compares the serial number alone, takes any certificate below the issuer for a responder's, and knows neither nonces nor all keys.
type question struct {
	serial []byte
	issuer *x509.Certificate
	nonce  []byte // nil: none is sent
	der    []byte
}

// newQuestion asks about a certificate.
func newQuestion(c, issuer *x509.Certificate) (question, error) {
	der, err := ocsp.CreateRequest(c, issuer, nil)
	return question{serial: c.SerialNumber.Bytes(), issuer: issuer, der: der}, err
}

// withNonce is the question with a nonce (RFC 9654).
func (q question) withNonce(nonce []byte) (question, error) {
	q.nonce = nonce
	input := cryptobyte.String(q.der)
	var request, tbs cryptobyte.String
	if !input.ReadASN1(&request, cbasn1.SEQUENCE) || !request.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return q, errors.New("the question cannot be written")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(tbs)
			b.AddASN1(tagged(2).Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addNonce(b, nonce) })
			})
		})
	})
	var err error
	q.der, err = b.Bytes()
	return q, err
}

func oidNonce() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2} }

func addNonce(b *cryptobyte.Builder, nonce []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidNonce())
		b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
	})
}

// answer is what a responder says of one certificate (RFC 6960, 4.2.1).
type answer struct {
	status           int // ocsp.Good, Revoked, Unknown
	revoked          entry
	this, next, made time.Time
	signer           *x509.Certificate // a delegated responder's; nil: the issuer signed
}

// response is an answer as it stands, before anything is believed of it.
type response struct {
	basic        []byte // all that the signature is in the form of X.509 with
	byName       []byte // the responder's name in DER
	byKey        []byte // or the SHA-1 of its key
	made         time.Time
	singles      cryptobyte.String
	nonce        []byte
	certificates []cryptobyte.String
}

// Bounds of an answer.
const (
	maxAnswer     = 128 << 10
	maxSingles    = 100
	maxResponders = 5 // certificates that come along
)

// readResponse reads an OCSPResponse.
func readResponse(der []byte) (response, error) {
	var r response
	input := cryptobyte.String(der)
	var outer, wrapped, inner, basic cryptobyte.String
	var status int
	var has bool
	var kind asn1.ObjectIdentifier
	ok := len(der) <= maxAnswer && input.ReadASN1(&outer, cbasn1.SEQUENCE) && input.Empty() && outer.ReadASN1Enum(&status) &&
		outer.ReadOptionalASN1(&wrapped, &has, tagged(0).Constructed()) && outer.Empty()
	if !ok {
		return r, fmt.Errorf("%w: it is no OCSP", errAnswer)
	}
	if status != int(ocsp.Success) {
		return r, ocsp.ResponseError{Status: ocsp.ResponseStatus(status)}
	}
	ok = has && wrapped.ReadASN1(&inner, cbasn1.SEQUENCE) && wrapped.Empty() && inner.ReadASN1ObjectIdentifier(&kind) &&
		kind.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}) && inner.ReadASN1(&basic, cbasn1.OCTET_STRING) && inner.Empty()
	if !ok {
		return r, fmt.Errorf("%w: it is no basic OCSP response", errAnswer)
	}
	r.basic = basic
	if err := r.readBasic(basic); err != nil {
		return r, err
	}
	return r, nil
}

// readBasic reads a BasicOCSPResponse.
func (r *response) readBasic(basic cryptobyte.String) error {
	malformed := fmt.Errorf("%w: it is malformed", errAnswer)
	var outer, data, wrapped, all, extensions cryptobyte.String
	var hasCerts, hasExtensions bool
	ok := basic.ReadASN1(&outer, cbasn1.SEQUENCE) && basic.Empty() && outer.ReadASN1(&data, cbasn1.SEQUENCE) &&
		outer.SkipASN1(cbasn1.SEQUENCE) && outer.SkipASN1(cbasn1.BIT_STRING) &&
		outer.ReadOptionalASN1(&wrapped, &hasCerts, tagged(0).Constructed()) && outer.Empty()
	if !ok || !data.SkipOptionalASN1(tagged(0).Constructed()) || !r.readResponder(&data) || !data.ReadASN1GeneralizedTime(&r.made) ||
		!data.ReadASN1(&r.singles, cbasn1.SEQUENCE) || !data.ReadOptionalASN1(&extensions, &hasExtensions, tagged(1).Constructed()) || !data.Empty() {
		return malformed
	}
	if hasCerts {
		if !wrapped.ReadASN1(&all, cbasn1.SEQUENCE) || !wrapped.Empty() {
			return malformed
		}
		for !all.Empty() && len(r.certificates) < maxResponders {
			var one cryptobyte.String
			if !all.ReadASN1Element(&one, cbasn1.SEQUENCE) {
				return malformed
			}
			r.certificates = append(r.certificates, one)
		}
	}
	if !hasExtensions {
		return nil
	}
	return r.readExtensions(extensions)
}

// readResponder reads a ResponderID.
func (r *response) readResponder(data *cryptobyte.String) bool {
	var id, value cryptobyte.String
	switch {
	case data.PeekASN1Tag(tagged(1).Constructed()):
		if !data.ReadASN1(&id, tagged(1).Constructed()) || !id.ReadASN1Element(&value, cbasn1.SEQUENCE) || !id.Empty() {
			return false
		}
		r.byName = value
	case data.PeekASN1Tag(tagged(2).Constructed()):
		if !data.ReadASN1(&id, tagged(2).Constructed()) || !id.ReadASN1(&value, cbasn1.OCTET_STRING) || !id.Empty() || len(value) != crypto.SHA1.Size() {
			return false
		}
		r.byKey = value
	default:
		return false
	}
	return true
}

// readExtensions reads those of the whole answer: the nonce; an unknown critical one makes it unusable.
func (r *response) readExtensions(wrapped cryptobyte.String) error {
	return eachExtension(wrapped, func(id asn1.ObjectIdentifier, value cryptobyte.String) bool {
		var nonce cryptobyte.String
		if !id.Equal(oidNonce()) {
			return false
		}
		if r.nonce = value; value.ReadASN1(&nonce, cbasn1.OCTET_STRING) && value.Empty() {
			r.nonce = nonce
		}
		return true
	})
}

// eachExtension reads Extensions. The error is that of a malformed one, or of a critical one that known does not know.
func eachExtension(wrapped cryptobyte.String, known func(asn1.ObjectIdentifier, cryptobyte.String) bool) error {
	var all cryptobyte.String
	if !wrapped.ReadASN1(&all, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return fmt.Errorf("%w: it is malformed", errAnswer)
	}
	for !all.Empty() {
		var id asn1.ObjectIdentifier
		var critical bool
		var value cryptobyte.String
		if !readExtension(&all, &id, &critical, &value) {
			return fmt.Errorf("%w: it is malformed", errAnswer)
		}
		if !known(id, value) && critical {
			return fmt.Errorf("%w: it has the critical extension %v, which is not known here", errAnswer, id)
		}
	}
	return nil
}

// single finds what an answer says of the certificate that was asked about, which is named by hashes of its issuer's name and key and
// by its serial number (RFC 6960, 3.2, 1).
func (r response) single(q question) (answer, error) {
	all := r.singles
	for range maxSingles {
		if all.Empty() {
			break
		}
		var one, id cryptobyte.String
		if !all.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1(&id, cbasn1.SEQUENCE) {
			return answer{}, fmt.Errorf("%w: it is malformed", errAnswer)
		}
		if q.isMeant(id) {
			return readSingle(one)
		}
	}
	return answer{}, fmt.Errorf("%w: it is about another certificate", errAnswer)
}

// isMeant reports whether a CertID is that of the certificate asked about.
func (q question) isMeant(id cryptobyte.String) bool {
	var algorithm, name, key, serial cryptobyte.String
	var oid asn1.ObjectIdentifier
	ok := id.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&oid) && id.ReadASN1(&name, cbasn1.OCTET_STRING) &&
		id.ReadASN1(&key, cbasn1.OCTET_STRING) && id.ReadASN1(&serial, cbasn1.INTEGER) && id.Empty()
	hash, known := map[string]crypto.Hash{
		"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}[oid.String()]
	return ok && known && len(serial) > 0 && serial[0] < 0x80 && bytes.Equal(bytes.TrimLeft(serial, "\x00"), q.serial) &&
		bytes.Equal(name, sum(hash, q.issuer.RawSubject)) && bytes.Equal(key, sum(hash, keyBits(q.issuer)))
}

func sum(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// keyBits are the bits of a certificate's public key (RFC 6960, 4.1.1).
func keyBits(c *x509.Certificate) []byte {
	input := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var info, bits cryptobyte.String
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) || !info.ReadASN1(&bits, cbasn1.BIT_STRING) || len(bits) == 0 {
		return nil
	}
	return bits[1:]
}

// readSingle reads a SingleResponse behind its CertID.
func readSingle(s cryptobyte.String) (answer, error) {
	var a answer
	var next, extensions cryptobyte.String
	var hasNext, hasExtensions bool
	ok := readStatus(&s, &a) && s.ReadASN1GeneralizedTime(&a.this) && s.ReadOptionalASN1(&next, &hasNext, tagged(0).Constructed()) &&
		(!hasNext || next.ReadASN1GeneralizedTime(&a.next) && next.Empty()) &&
		s.ReadOptionalASN1(&extensions, &hasExtensions, tagged(1).Constructed()) && s.Empty()
	if !ok {
		return a, fmt.Errorf("%w: it is malformed", errAnswer)
	}
	if !hasExtensions {
		return a, nil
	}
	return a, eachExtension(extensions, func(asn1.ObjectIdentifier, cryptobyte.String) bool { return false })
}

// readStatus reads a CertStatus.
func readStatus(s *cryptobyte.String, a *answer) bool {
	var value, reason cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&value, &tag) {
		return false
	}
	switch tag {
	case tagged(0):
		a.status = ocsp.Good
		return value.Empty()
	case tagged(2):
		a.status = ocsp.Unknown
		return value.Empty()
	case tagged(1).Constructed():
		a.status = ocsp.Revoked
		var has bool
		return value.ReadASN1GeneralizedTime(&a.revoked.at) && value.ReadOptionalASN1(&reason, &has, tagged(0).Constructed()) &&
			(!has || reason.ReadASN1Enum(&a.revoked.reason) && reason.Empty()) && value.Empty()
	}
	return false
}
