package cms

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// maxAlgorithms is the most digest algorithms a SignedData may list.
const maxAlgorithms = 32

// withDefaults is l with its zero fields filled.
func (l Limits) withDefaults() Limits {
	fill := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	fill(&l.Certificates, 100)
	fill(&l.Signers, 32)
	fill(&l.Recipients, 1000)
	fill(&l.AttributeBytes, 256<<10)
	fill(&l.HeaderBytes, 4<<20)
	fill(&l.Depth, maxDepth)
	fill(&l.WholeBytes, maxWhole)
	l.Depth = min(l.Depth, maxDepth)
	fill(&l.Expansion, 100)
	if l.Expanded <= 0 {
		l.Expanded = 256 << 20
	}
	return l
}

// openContentInfo enters a ContentInfo (RFC 5652, 3) and its content, and returns its type. The caller
// leaves twice.
func (r *berReader) openContentInfo() (string, error) {
	if err := r.open(tagSequence); err != nil {
		return "", err
	}
	oid, err := r.objectIdentifier()
	if err != nil {
		return "", err
	}
	return oid, r.open(tagContextCons)
}

func (r *berReader) objectIdentifier() (string, error) {
	der, err := r.raw(64)
	if err != nil {
		return "", err
	}
	return parseOID(der)
}

// version takes a CMSVersion. Its value decides nothing here: the fields say themselves what they are.
func (r *berReader) version() error {
	der, err := r.raw(16)
	if err != nil {
		return err
	}
	var n int
	s := cryptobyte.String(der)
	if !s.ReadASN1Integer(&n) {
		return malformed("a version cannot be read")
	}
	return nil
}

// leaveAll closes n elements.
func (r *berReader) leaveAll(n int) error {
	for range n {
		if err := r.leave(); err != nil {
			return err
		}
	}
	return nil
}

// each calls f at the start of each element of the next element, which must be tag. More than most of them are
// over the limit.
func (r *berReader) each(tag uint32, most int, what string, f func() error) error {
	if err := r.open(tag); err != nil {
		return err
	}
	for n := 0; ; n++ {
		ok, err := r.more()
		if err != nil {
			return err
		}
		if !ok {
			return r.leave()
		}
		if n >= most {
			return fmt.Errorf("%w: more than %d %s", ErrLimit, most, what)
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// signedReader reads a SignedData (RFC 5652, 5.1) up to its content, and then what follows.
type signedReader struct {
	r       *berReader
	l       Limits
	digests []string     // the digest algorithms announced
	content *octetReader // nil: there is none
	outer   bool         // the content is within elements that finish leaves
	signed  *Signed
	infos   []signerInfo

	detached bool // the content is looked for elsewhere
	work     int  // signatures that were computed, by their cost
}

// signerInfo is a SignerInfo (RFC 5652, 5.3).
type signerInfo struct {
	id         SignerID
	digest     algorithm
	attributes []byte // content of the SET, nil: there are none
	signature  algorithm
	value      []byte
}

// openSigned reads as far as the content.
func openSigned(src io.Reader, l Limits) (*signedReader, error) {
	l = l.withDefaults()
	p := &signedReader{r: newBERReader(src, l), l: l, signed: &Signed{}}
	oid, err := p.r.openContentInfo()
	if err != nil {
		return nil, err
	}
	if oid != oidSignedData {
		return nil, fmt.Errorf("%w: content type %s is not SignedData", ErrUnsupported, oid)
	}
	if err := p.r.open(tagSequence); err != nil {
		return nil, err
	}
	if err := p.r.version(); err != nil {
		return nil, err
	}
	if err := p.r.each(tagSet, maxAlgorithms, "digest algorithms", p.digestAlgorithm); err != nil {
		return nil, err
	}
	return p, p.openContent()
}

func (p *signedReader) digestAlgorithm() error {
	der, err := p.r.raw(1 << 10)
	if err != nil {
		return err
	}
	a, err := parseAlgorithm(der)
	if err != nil {
		return err
	}
	if !slices.Contains(p.digests, a.oid) {
		p.digests = append(p.digests, a.oid)
	}
	return nil
}

// openContent reads encapContentInfo as far as the content, and all of it where there is no content.
func (p *signedReader) openContent() error {
	if err := p.r.open(tagSequence); err != nil {
		return err
	}
	oid, err := p.r.objectIdentifier()
	if err != nil {
		return err
	}
	p.signed.ContentType = contentTypeName(oid)
	ok, err := p.r.more()
	if err != nil {
		return err
	}
	if !ok {
		return p.r.leave()
	}
	if err := p.r.open(tagContextCons); err != nil {
		return err
	}
	p.outer = true
	p.content, err = p.r.octets(tagOctetString)
	return err
}

// finish reads what stands behind the content, once that is read to its end.
func (p *signedReader) finish() error {
	if p.outer {
		if err := p.r.leaveAll(2); err != nil {
			return err
		}
	}
	tag, err := p.r.peek()
	if err == nil && tag == tagContextCons {
		if err = p.r.each(tagContextCons, p.l.Certificates, "certificates", p.certificate); err == nil {
			tag, err = p.r.peek()
		}
	}
	if err == nil && tag == tagContextCons|1 {
		err = p.r.skip() // revocation is judged elsewhere, from sources of its own
	}
	if err == nil {
		err = p.r.each(tagSet, p.l.Signers, "signers", p.signer)
	}
	if err != nil {
		return err
	}
	return p.r.leaveAll(3)
}

// certificate takes one CertificateChoices (RFC 5652, 10.2.2).
func (p *signedReader) certificate() error {
	tag, err := p.r.peek()
	if err != nil {
		return err
	}
	if tag != tagSequence {
		return p.r.skip() // an attribute certificate, or something of another format
	}
	der, err := p.r.verbatim(p.l.AttributeBytes)
	if err != nil {
		return err
	}
	c, err := parseCertificate(der, p.l)
	if err != nil {
		p.signed.Unreadable = append(p.signed.Unreadable, unreadable(der))
		return nil
	}
	p.signed.Certificates = append(p.signed.Certificates, c)
	return nil
}

// parseCertificate parses der as it is, and where that fails as BER.
func parseCertificate(der []byte, l Limits) (*x509.Certificate, error) {
	c, err := x509x.ParseCertificate(der)
	if err == nil {
		return c, nil
	}
	plain, rawErr := newBERReader(bytes.NewReader(der), l).raw(l.AttributeBytes)
	if rawErr != nil || bytes.Equal(plain, der) {
		return nil, err
	}
	return x509x.ParseCertificate(plain)
}

// unreadable says of a certificate that cannot be parsed whose it is.
func unreadable(der []byte) UnreadableCertificate {
	u := UnreadableCertificate{Raw: der}
	if info, err := x509x.Parse(der); err == nil {
		u.Issuer, u.Serial, u.SubjectKeyID = info.RawIssuer, info.Serial, info.SubjectKeyID
	}
	return u
}

// matches reports whether id means u.
func (u UnreadableCertificate) matches(id SignerID) bool {
	if id.SubjectKeyID != nil {
		return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, u.SubjectKeyID)
	}
	return id.Serial != nil && u.Serial != nil && id.Serial.Cmp(u.Serial) == 0 && bytes.Equal(id.Issuer, u.Issuer)
}

// signer takes one SignerInfo.
func (p *signedReader) signer() error {
	der, err := p.r.raw(p.l.AttributeBytes)
	if err != nil {
		return err
	}
	info, ok := parseSignerInfo(der)
	if !ok {
		return malformed("a signer info cannot be read")
	}
	p.infos = append(p.infos, info)
	return nil
}

func parseSignerInfo(der []byte) (info signerInfo, ok bool) {
	s := cryptobyte.String(der)
	var body, attributes cryptobyte.String
	var version int
	var present bool
	ok = s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) && s.Empty() &&
		body.ReadASN1Integer(&version) &&
		readRecipientID(&body, &info.id) &&
		readAlgorithm(&body, &info.digest) &&
		body.ReadOptionalASN1(&attributes, &present, contextTag(0)) &&
		readAlgorithm(&body, &info.signature) &&
		body.ReadASN1Bytes(&info.value, cryptobyte_asn1.OCTET_STRING) &&
		body.SkipOptionalASN1(contextTag(1)) && body.Empty()
	if present {
		info.attributes = append([]byte{}, attributes...)
	}
	return info, ok
}

// readRecipientID takes an IssuerAndSerialNumber, or a [0] IMPLICIT SubjectKeyIdentifier.
func readRecipientID(s *cryptobyte.String, id *RecipientID) bool {
	if key := cryptobyte_asn1.Tag(0).ContextSpecific(); s.PeekASN1Tag(key) {
		return s.ReadASN1Bytes(&id.SubjectKeyID, key)
	}
	var body, issuer cryptobyte.String
	id.Serial = new(big.Int)
	if !s.ReadASN1(&body, cryptobyte_asn1.SEQUENCE) ||
		!body.ReadASN1Element(&issuer, cryptobyte_asn1.SEQUENCE) ||
		!body.ReadASN1Integer(id.Serial) || !body.Empty() {
		return false
	}
	id.Issuer = issuer
	return true
}
