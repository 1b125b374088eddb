package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// List is one CRL (RFC 5280, 5). It is immutable.
type List struct {
	issuer     []byte // its name in DER
	this, next time.Time
	revoked    entries
	scope      scope
	number     *big.Int // nil where it has none
	base       *big.Int // of a list of differences: the number of the list that it begins at
	fresher    []point  // where lists of differences are
	keyID      []byte

	mu      sync.Mutex
	crl     *x509.RevocationList // without its entries, for the signature; nil once that is not looked at again
	checked map[string]bool      // by the certificate of a signer
}

// MaxSize is the most bytes of a list: two million certificates.
const MaxSize = 64 << 20

const (
	maxLists   = 1000 // of one file
	maxChecked = 32   // signers whose certificates are remembered
)

// ErrList is returned for what is no list that can be used.
var ErrList = errors.New("certs/revocation: not a usable list of revoked certificates")

// Parse reads lists: one in DER, or any number in PEM (RFC 7468, 6), and keeps data, which must not be altered. They are not
// verified: each is once an issuer is at hand. What cannot be understood whole is refused: lists of differences, and unknown critical
// extensions, in the list or in an entry (RFC 5280, 5.2 and 5.3). So is what is signed by MD5 or SHA-1. The error is ErrList and says why.
func Parse(data []byte) (Lists, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrList, MaxSize)
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, err := parseWhole(data)
		if err != nil {
			return nil, err
		}
		return Lists{l}, nil
	}
	var all Lists
	for len(all) < maxLists {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := parseWhole(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if len(all) == 0 || bytes.Contains(data, []byte("-----BEGIN X509 CRL")) {
		return nil, fmt.Errorf("%w: no PEM block of the kind X509 CRL, a damaged one, or more than %d", ErrList, maxLists)
	}
	return all, nil
}

// parseWhole reads a list that is none of differences.
func parseWhole(der []byte) (*List, error) {
	l, err := parseList(der)
	if err == nil && l.base != nil {
		return nil, fmt.Errorf("%w: it holds differences to another list (delta CRL); give the whole list", ErrList)
	}
	return l, err
}

// parseList reads a list in DER. Its entries, of which there may be very many, are read here, everything else by crypto/x509 out of the
// same list without them.
func parseList(der []byte) (*List, error) {
	without, tbs, revoked, err := split(der)
	if err != nil {
		return nil, err
	}
	crl, err := x509x.ParseRevocationList(without)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrList, err)
	}
	if x509x.WeakSignature(crl.SignatureAlgorithm) {
		return nil, fmt.Errorf("%w: it is signed with %v, which can be forged", ErrList, crl.SignatureAlgorithm)
	}
	l := &List{
		issuer: bytes.Clone(crl.RawIssuer), this: crl.ThisUpdate, next: crl.NextUpdate, number: crl.Number, keyID: crl.AuthorityKeyId,
		crl: crl, checked: map[string]bool{},
	}
	for _, e := range crl.Extensions {
		if err := l.extension(e.Id, e.Critical, e.Value); err != nil {
			return nil, err
		}
	}
	if l.revoked, err = parseEntries(revoked, l.issuer, l.scope.indirect); err != nil {
		return nil, err
	}
	crl.Raw, crl.RawTBSRevocationList = der, tbs
	return l, nil
}

// extension reads an extension of the list (RFC 5280, 5.2).
func (l *List) extension(id asn1.ObjectIdentifier, critical bool, value []byte) (err error) {
	switch {
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
		l.scope, err = parseScope(value, l.issuer)
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}):
		input := cryptobyte.String(value)
		if l.base = new(big.Int); !input.ReadASN1Integer(l.base) || !input.Empty() {
			err = fmt.Errorf("%w: it is malformed where it says what it is different from", ErrList)
		}
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 46}):
		l.fresher = parsePoints(value, l.issuer)
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}), id.Equal(asn1.ObjectIdentifier{2, 5, 29, 20}): // read by crypto/x509
	case critical:
		err = fmt.Errorf("%w: it has the critical extension %v, which is not known here", ErrList, id)
	}
	return err
}

// split takes the entries out of a list: the list without them, which is signed by nobody, its signed part, and the entries.
func split(der []byte) (without, tbs []byte, revoked cryptobyte.String, err error) {
	input := cryptobyte.String(der)
	var outer, rest, signed, version, algorithm, issuer cryptobyte.String
	var this, next, extensions cryptobyte.String
	var hasVersion, hasRevoked bool
	ok := input.ReadASN1(&outer, cbasn1.SEQUENCE) && input.Empty() && outer.ReadASN1Element(&rest, cbasn1.SEQUENCE)
	tbs = rest
	ok = ok && rest.ReadASN1(&signed, cbasn1.SEQUENCE)
	if hasVersion = ok && signed.PeekASN1Tag(cbasn1.INTEGER); hasVersion {
		ok = signed.ReadASN1Element(&version, cbasn1.INTEGER)
	}
	ok = ok && signed.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) && signed.ReadASN1Element(&issuer, cbasn1.SEQUENCE) && readTimeElement(&signed, &this)
	if ok && !signed.Empty() && !signed.PeekASN1Tag(cbasn1.SEQUENCE) && !signed.PeekASN1Tag(tagged(0).Constructed()) {
		ok = readTimeElement(&signed, &next)
	}
	ok = ok && signed.ReadOptionalASN1(&revoked, &hasRevoked, cbasn1.SEQUENCE)
	extensions = signed
	if !ok {
		return nil, nil, nil, fmt.Errorf("%w: it is none, it is damaged, or something follows it", ErrList)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, part := range []cryptobyte.String{version, algorithm, issuer, this, next, extensions} {
				b.AddBytes(part)
			}
		})
		b.AddBytes(outer)
	})
	if without, err = b.Bytes(); err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %v", ErrList, err)
	}
	return without, tbs, revoked, nil
}

func readTimeElement(s, out *cryptobyte.String) bool {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1Element(out, cbasn1.UTCTime)
	}
	return s.ReadASN1Element(out, cbasn1.GeneralizedTime)
}

// entry looks for a certificate in the list.
func (l *List) entry(c *x509.Certificate) (entry, bool) {
	return l.revoked.find(c.RawIssuer, c.SerialNumber.Bytes())
}

// ended reports whether a newer list must exist (RFC 5280, 5.1.2.5). QUIRK: one that names no time does not end, as
// for OpenSSL.
func (l *List) ended(at time.Time) bool { return !l.next.IsZero() && at.After(l.next) }

// signedBy reports whether the key of an authority made the list, and may make lists (RFC 5280, 6.3.3, f and g).
func (l *List) signedBy(issuer *x509.Certificate) bool {
	return l.checkedBy(issuer, func(crl *x509.RevocationList) error { return x509x.CheckListSignatureFrom(crl, issuer) })
}

// signedByOther is the same for one who signs lists in the issuer's place, and who need be no authority.
func (l *List) signedByOther(signer *x509.Certificate) bool {
	return signer.KeyUsage&x509.KeyUsageCRLSign != 0 &&
		l.checkedBy(signer, func(crl *x509.RevocationList) error { return x509x.CheckSignedBy(signer, crl.Raw) })
}

func (l *List) checkedBy(issuer *x509.Certificate, check func(*x509.RevocationList) error) bool {
	if !x509x.SameName(issuer.RawSubject, l.issuer) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if good, known := l.checked[string(issuer.Raw)]; known || l.crl == nil {
		return good
	}
	good := check(l.crl) == nil
	if len(l.checked) < maxChecked {
		l.checked[string(issuer.Raw)] = good
	}
	return good
}

// seal lets go of what only the signature needs: the whole list. Those who were not seen to have signed it before are then taken not to have.
func (l *List) seal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crl = nil
}

// size is about how many bytes of memory it takes once it is sealed.
func (l *List) size() int { return l.revoked.size() + 1024 }

// tells is for which reasons of revocation the list tells of c, if it is signed by whom it should be (RFC 5280, 6.3.3, a to d).
func (l *List) tells(c *x509.Certificate) reasons {
	var all reasons
	for _, p := range points(c) {
		if p.admits(l, c.RawIssuer) && l.scope.covers(c, p) {
			all |= p.some() & l.scope.some()
		}
	}
	// A list of the issuer's that no point leads to (the last paragraph there): as if there were one of the issuer's name.
	if x509x.SameName(l.issuer, c.RawIssuer) && l.scope.covers(c, point{name: names{directory: [][]byte{c.RawIssuer}}}) {
		all |= l.scope.some()
	}
	return all
}
