package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// List is one CRL (RFC 5280, 5). It is immutable.
type List struct {
	issuer     []byte // its name in DER
	this, next time.Time
	revoked    map[string]entry // by serial number
	scope      scope
	crl        *x509.RevocationList // without its entries, for the signature
}

// entry is one revoked certificate.
type entry struct {
	at     time.Time
	reason int
}

// MaxSize is the most bytes Parse reads: a list of a million certificates.
const MaxSize = 64 << 20

// maxLists bounds the lists of one file.
const maxLists = 1000

// ErrList is returned for what is no list that can be used.
var ErrList = errors.New("certs/revocation: not a usable list of revoked certificates")

// Parse reads lists: one in DER, or any number in PEM (RFC 7468, 6). They are not verified: each is once an issuer is
// at hand. What cannot be understood whole is refused: lists of differences, indirect lists, and unknown critical extensions,
// in the list or in an entry (RFC 5280, 5.2 and 5.3). The error is ErrList and says why.
func Parse(data []byte) (Lists, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrList, MaxSize)
	}
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, err := parseOne(data)
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
		l, err := parseOne(block.Bytes)
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

func parseOne(der []byte) (*List, error) {
	crl, err := x509x.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrList, err)
	}
	l := &List{issuer: crl.RawIssuer, this: crl.ThisUpdate, next: crl.NextUpdate, revoked: make(map[string]entry, len(crl.RevokedCertificateEntries)), crl: crl}
	for _, e := range crl.Extensions {
		switch {
		case e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			if l.scope, err = parseScope(e.Value); err != nil {
				return nil, err
			}
		case e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}):
			return nil, fmt.Errorf("%w: it holds differences to another list (delta CRL); give the whole list", ErrList)
		case e.Critical:
			return nil, fmt.Errorf("%w: it has the critical extension %v, which is not known here", ErrList, e.Id)
		}
	}
	for _, r := range crl.RevokedCertificateEntries {
		for _, e := range r.Extensions {
			if e.Critical && !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}) {
				return nil, fmt.Errorf("%w: an entry has the critical extension %v, which is not known here", ErrList, e.Id)
			}
		}
		l.revoked[string(r.SerialNumber.Bytes())] = entry{r.RevocationTime, r.ReasonCode}
	}
	//lint:ignore SA1019 only to free it
	crl.RevokedCertificates = nil
	crl.RevokedCertificateEntries = nil
	return l, nil
}

func (l *List) entry(c *x509.Certificate) (entry, bool) {
	e, ok := l.revoked[string(c.SerialNumber.Bytes())]
	return e, ok
}

// ended reports whether a newer list must exist (RFC 5280, 5.1.2.5). QUIRK: one that names no time does not end, as
// for OpenSSL.
func (l *List) ended(at time.Time) bool { return !l.next.IsZero() && at.After(l.next) }

// signedBy reports whether the key of an authority made the list, and may make lists (RFC 5280, 6.3.3, f and g).
func (l *List) signedBy(issuer *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, l.issuer) && x509x.CheckListSignatureFrom(l.crl, issuer) == nil
}

// scope is what a list speaks of (RFC 5280, 5.2.5). The zero value is everything.
type scope struct {
	users, authorities, attributes, someReasons bool
	uris                                        []string
}

// covers reports whether the list speaks of c.
func (s scope) covers(c *x509.Certificate) bool {
	switch {
	case s.attributes, s.users && c.IsCA, s.authorities && !c.IsCA:
		return false
	case len(s.uris) > 0:
		return slices.ContainsFunc(s.uris, func(u string) bool { return slices.Contains(c.CRLDistributionPoints, u) })
	}
	return true
}

// parseScope reads an IssuingDistributionPoint.
func parseScope(der []byte) (scope, error) {
	var s scope
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	input := cryptobyte.String(der)
	var idp, point, reasons cryptobyte.String
	var hasPoint, indirect bool
	ok := input.ReadASN1(&idp, cbasn1.SEQUENCE) && input.Empty() &&
		idp.ReadOptionalASN1(&point, &hasPoint, tag(0).Constructed()) &&
		readFlag(&idp, tag(1), &s.users) && readFlag(&idp, tag(2), &s.authorities) &&
		idp.ReadOptionalASN1(&reasons, &s.someReasons, tag(3)) &&
		readFlag(&idp, tag(4), &indirect) && readFlag(&idp, tag(5), &s.attributes) && idp.Empty()
	if !ok {
		return s, fmt.Errorf("%w: its issuing distribution point is malformed", ErrList)
	}
	if indirect {
		return s, fmt.Errorf("%w: it is an indirect list, of several issuers", ErrList)
	}
	if hasPoint {
		if s.uris = uris(point); len(s.uris) == 0 {
			return s, fmt.Errorf("%w: its distribution point has no address", ErrList)
		}
	}
	return s, nil
}

// readFlag reads an implicitly tagged BOOLEAN DEFAULT FALSE.
func readFlag(s *cryptobyte.String, tag cbasn1.Tag, flag *bool) bool {
	var value cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&value, &present, tag) || present && len(value) != 1 {
		return false
	}
	*flag = present && value[0] != 0
	return true
}

// uris reads the addresses of a DistributionPointName that is a fullName.
func uris(point cryptobyte.String) []string {
	var names cryptobyte.String
	if !point.ReadASN1(&names, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return nil
	}
	var found []string
	for !names.Empty() {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return nil
		}
		if tag == cbasn1.Tag(6).ContextSpecific() {
			found = append(found, string(name))
		}
	}
	return found
}
