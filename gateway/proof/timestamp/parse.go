package timestamp

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime/cms"
)

// The object identifiers.
var (
	oidSHA256   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidExtUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

const typeTSTInfo = "1.2.840.113549.1.9.16.1.4" // RFC 3161, 2.4.2

// request is a TimeStampReq for a digest, which asks for the authority's certificate (RFC 3161, 2.4.1).
func request(digest [sha256.Size]byte, nonce *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidSHA256)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(digest[:])
		})
		b.AddASN1BigInt(nonce)
		b.AddASN1Boolean(true)
	})
	return b.BytesOrPanic()
}

// Stamp is a timestamp that was read, and not believed yet: see Verify.
type Stamp struct {
	Time   time.Time
	Serial *big.Int
	Policy string // dotted object identifier
	Nonce  *big.Int
	Digest []byte // SHA-256 of what was stamped

	signed *cms.Signed
}

// Parse reads a TimeStampResp (RFC 3161, 2.4.2), and checks the signature in it mathematically. ErrRefused with the authority's words where it has no
// timestamp; ErrUnavailable where it cannot be read, ErrInvalid where the signature does not fit.
func Parse(response []byte) (*Stamp, error) {
	token, err := parseResponse(response)
	if err != nil {
		return nil, err
	}
	v, err := cms.NewVerifier(bytes.NewReader(token), cms.Limits{Signers: 1, Certificates: 20, HeaderBytes: maxResponse})
	if err != nil {
		return nil, unreadable("its token: " + err.Error())
	}
	info, err := io.ReadAll(io.LimitReader(v, maxResponse))
	if err != nil {
		return nil, unreadable("its token: " + err.Error())
	}
	signed, err := v.Signed()
	if err != nil {
		return nil, unreadable("its token: " + err.Error())
	}
	if signed.ContentType != typeTSTInfo || len(signed.Signers) != 1 {
		return nil, unreadable("its token is none")
	}
	switch signer := signed.Signers[0]; {
	case signer.Err != nil || signer.Certificate == nil || signer.Weak:
		return nil, fmt.Errorf("%w: its signature does not fit, is weak, or lacks its certificate", ErrInvalid)
	case !signer.Named: // RFC 3161, 2.4.2
		return nil, fmt.Errorf("%w: its signature does not name its certificate", ErrInvalid)
	}
	s, err := parseInfo(info)
	if err != nil {
		return nil, err
	}
	s.signed = signed
	return s, nil
}

func unreadable(what string) error {
	return fmt.Errorf("%w: its answer cannot be read: %s", ErrUnavailable, safetext.Line(what, 200))
}

// parseResponse takes the token out of an answer.
func parseResponse(response []byte) (token []byte, err error) {
	in := cryptobyte.String(response)
	var outer, status cryptobyte.String
	var code int
	if !in.ReadASN1(&outer, tags.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&status, tags.SEQUENCE) || !status.ReadASN1Integer(&code) {
		return nil, unreadable("it is no TimeStampResp")
	}
	if code != 0 && code != 1 { // granted, grantedWithMods
		return nil, fmt.Errorf("%w with status %d: %s", ErrRefused, code, statusText(status))
	}
	var element cryptobyte.String
	if !outer.ReadASN1Element(&element, tags.SEQUENCE) || !outer.Empty() {
		return nil, unreadable("it has no token")
	}
	return element, nil
}

// statusText is what the authority says in words (PKIFreeText).
func statusText(status cryptobyte.String) string {
	var list, text cryptobyte.String
	if !status.ReadASN1(&list, tags.SEQUENCE) || !list.ReadASN1(&text, tags.UTF8String) {
		return "it does not say why"
	}
	return safetext.Line(string(text), 200)
}

// parseInfo reads a TSTInfo.
func parseInfo(der []byte) (*Stamp, error) {
	s := &Stamp{Serial: new(big.Int)}
	wrong := unreadable("its TSTInfo")
	in := cryptobyte.String(der)
	var info, imprint, algorithm, digest, at cryptobyte.String
	var version int
	var policy, hash asn1.ObjectIdentifier
	if !in.ReadASN1(&info, tags.SEQUENCE) || !in.Empty() || !info.ReadASN1Integer(&version) || version != 1 || !info.ReadASN1ObjectIdentifier(&policy) ||
		!info.ReadASN1(&imprint, tags.SEQUENCE) || !imprint.ReadASN1(&algorithm, tags.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&hash) ||
		!imprint.ReadASN1(&digest, tags.OCTET_STRING) || !imprint.Empty() || !info.ReadASN1Integer(s.Serial) || !info.ReadASN1(&at, tags.GeneralizedTime) {
		return nil, wrong
	}
	if !hash.Equal(oidSHA256) || len(digest) != sha256.Size {
		return nil, fmt.Errorf("%w: it is of another kind of digest than was asked for", ErrInvalid)
	}
	var err error
	if s.Time, err = time.Parse("20060102150405Z", string(at)); err != nil { // takes fractions, too (RFC 3161, 2.4.2)
		return nil, wrong
	}
	s.Policy, s.Digest = policy.String(), digest
	if !info.SkipOptionalASN1(tags.SEQUENCE) || !info.SkipOptionalASN1(tags.BOOLEAN) {
		return nil, wrong
	}
	if info.PeekASN1Tag(tags.INTEGER) {
		s.Nonce = new(big.Int)
		if !info.ReadASN1Integer(s.Nonce) {
			return nil, wrong
		}
	}
	return s, extensions(&info)
}

// extensions reads what ends a TSTInfo. The name of the authority means nothing here, and no extension is known: one that must be understood is not.
func extensions(info *cryptobyte.String) error {
	var list cryptobyte.String
	if !info.SkipOptionalASN1(tags.Tag(0).ContextSpecific().Constructed()) || !info.ReadOptionalASN1(&list, nil, tags.Tag(1).ContextSpecific().Constructed()) || !info.Empty() {
		return unreadable("its TSTInfo")
	}
	for !list.Empty() {
		var extension cryptobyte.String
		var critical bool
		if !list.ReadASN1(&extension, tags.SEQUENCE) || !extension.SkipASN1(tags.OBJECT_IDENTIFIER) || !extension.ReadOptionalASN1Boolean(&critical, tags.BOOLEAN, false) {
			return unreadable("its TSTInfo")
		}
		if critical {
			return fmt.Errorf("%w: it has an extension that must be understood, and is not known", ErrInvalid)
		}
	}
	return nil
}

// Verify reports why a stamp is not one of a digest by an authority that the roots vouch for; nil where it is. Whether the authority's certificate is revoked is
// not asked: the stamp is kept, with its chain, and whoever relies on it asks. The error is ErrInvalid.
func (s *Stamp) Verify(digest [sha256.Size]byte, roots *x509.CertPool) error {
	if !bytes.Equal(s.Digest, digest[:]) {
		return fmt.Errorf("%w: it is of something else", ErrInvalid)
	}
	c := s.signed.Signers[0].Certificate
	if !forStamps(c) {
		return fmt.Errorf("%w: the certificate of who signed is not for timestamps alone", ErrInvalid)
	}
	above := x509.NewCertPool()
	for _, other := range s.signed.Certificates {
		above.AddCert(other)
	}
	// What a chain is judged by is the time of the stamp; that it is about now Stamp has checked.
	o := x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: s.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}
	if _, err := c.Verify(o); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// forStamps reports whether a certificate is for stamps, and says so critically and of nothing else (RFC 3161, 2.3).
func forStamps(c *x509.Certificate) bool {
	if len(c.UnknownExtKeyUsage) > 0 || !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) {
		return false
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidExtUsage) {
			return e.Critical
		}
	}
	return false
}
