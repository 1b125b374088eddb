package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// encodeAttribute is an Attribute with one value (RFC 5652, 5.3).
func encodeAttribute(oid string, value []byte) []byte {
	return sequence(objectIdentifier(oid), tlv(tagSet, value))
}

// attributes is the SET OF Attribute that signer signs for content with the given digest (RFC 8551, 2.5).
func (s *signing) attributes(signer Signer, spec signatureSpec, digest []byte) []byte {
	attributes := [][]byte{
		encodeAttribute(oidContentType, objectIdentifier(oidData)),
		encodeAttribute(oidMessageDigest, octetString(digest)),
		encodeAttribute(oidSigningCertificateV2, signingCertificateV2(signer.Certificate)),
		encodeAttribute(oidAlgorithmProtection, sequence(
			algorithm{oid: spec.digest.oid}.encode(), retag(encodeSignature(spec), tagContextCons|1))),
	}
	if !s.o.Time.IsZero() {
		attributes = append(attributes, encodeAttribute(oidSigningTime, timeValue(s.o.Time)))
	}
	if s.capabilities != nil {
		attributes = append(attributes, encodeAttribute(oidCapabilities, s.capabilities))
	}
	if c := signer.Encryption; c != nil {
		issuerAndSerial := tlv(tagContextCons, c.RawIssuer, integer(c.SerialNumber))
		attributes = append(attributes, encodeAttribute(oidEncryptionKey, issuerAndSerial))
	}
	return setOf(attributes...)
}

// retag is element with another one-octet identifier, as IMPLICIT tagging does.
func retag(element []byte, tag byte) []byte {
	out := bytes.Clone(element)
	out[0] = tag
	return out
}

// signingCertificateV2 is the attribute's value for c (RFC 5035, 3), with SHA-256 as its default digest.
func signingCertificateV2(c *x509.Certificate) []byte {
	sha256, _ := digestByOID(oidSHA256)
	h := sha256.hash.New()
	h.Write(c.Raw)
	issuerSerial := sequence(sequence(tlv(tagContextCons|4, c.RawIssuer)), integer(c.SerialNumber))
	return sequence(sequence(sequence(octetString(h.Sum(nil)), issuerSerial)))
}

// attributeSet is what this package reads of signed attributes.
type attributeSet struct {
	contentType   string
	digest        []byte
	signingTime   time.Time
	capabilities  Capabilities
	encryptionKey RecipientID
	certificate1  cryptobyte.String // the value of signingCertificate
	certificate2  cryptobyte.String // the value of signingCertificateV2
	protection    cryptobyte.String // the value of CMSAlgorithmProtection
}

// parseAttributes reads the content of a SET OF Attribute. What the signature depends on may be there once,
// with one value (RFC 5652, 11; RFC 5035, 3; RFC 6211, 2); what it does not know is passed over.
func parseAttributes(content []byte) (*attributeSet, error) {
	set := &attributeSet{}
	seen := map[string]bool{}
	for s := cryptobyte.String(content); !s.Empty(); {
		var attribute, values cryptobyte.String
		var oid string
		if !s.ReadASN1(&attribute, cryptobyte_asn1.SEQUENCE) || !readOID(&attribute, &oid) ||
			!attribute.ReadASN1(&values, cryptobyte_asn1.SET) || !attribute.Empty() {
			return nil, malformed("an attribute cannot be read")
		}
		again := seen[oid]
		seen[oid] = true
		if read := set.reader(oid); read == nil {
			set.readHint(oid, values, again)
		} else if again {
			return nil, malformed("an attribute is there twice")
		} else if !read(&values) || !values.Empty() {
			return nil, malformed("an attribute's value cannot be read")
		}
	}
	return set, nil
}

// readHint takes an attribute that says something of the signer's program, and nothing of the content: where it
// cannot be read, or is there more than once (RFC 8551, 2.5.2 and 2.5.3), it says nothing.
func (set *attributeSet) readHint(oid string, values cryptobyte.String, again bool) {
	switch oid {
	case oidCapabilities:
		set.capabilities = nil
		if !again {
			set.capabilities = readCapabilities(values)
		}
	case oidEncryptionKey:
		set.encryptionKey = RecipientID{}
		if !again {
			set.encryptionKey = readEncryptionKey(values)
		}
	}
}

// readEncryptionKey reads an SMIMEEncryptionKeyPreference (RFC 8551, 2.5.3), all of which s is to be.
func readEncryptionKey(s cryptobyte.String) (id RecipientID) {
	var body, issuer cryptobyte.String
	key := cryptobyte_asn1.Tag(2).ContextSpecific()
	serial := new(big.Int)
	switch {
	case s.PeekASN1Tag(contextTag(0)): // issuerAndSerialNumber
		if s.ReadASN1(&body, contextTag(0)) && s.Empty() && body.ReadASN1Element(&issuer, cryptobyte_asn1.SEQUENCE) &&
			body.ReadASN1Integer(serial) && body.Empty() {
			return RecipientID{Issuer: issuer, Serial: serial}
		}
	case s.PeekASN1Tag(contextTag(1)): // recipientKeyId, whose date and other need not be looked at
		if s.ReadASN1(&body, contextTag(1)) && s.Empty() && body.ReadASN1Bytes(&id.SubjectKeyID, cryptobyte_asn1.OCTET_STRING) {
			return id
		}
	case s.PeekASN1Tag(key): // subjectAltKeyIdentifier
		if s.ReadASN1Bytes(&id.SubjectKeyID, key) && s.Empty() {
			return id
		}
	}
	return RecipientID{}
}

// reader is the function that takes the value of attribute oid, nil for one that is passed over.
func (set *attributeSet) reader(oid string) func(*cryptobyte.String) bool {
	switch oid {
	case oidContentType:
		return func(v *cryptobyte.String) bool { return readOID(v, &set.contentType) }
	case oidMessageDigest:
		return func(v *cryptobyte.String) bool {
			return v.ReadASN1Bytes(&set.digest, cryptobyte_asn1.OCTET_STRING) && len(set.digest) > 0
		}
	case oidSigningTime:
		return set.readTime
	case oidSigningCertificate:
		return func(v *cryptobyte.String) bool { return v.ReadASN1(&set.certificate1, cryptobyte_asn1.SEQUENCE) }
	case oidSigningCertificateV2:
		return func(v *cryptobyte.String) bool { return v.ReadASN1(&set.certificate2, cryptobyte_asn1.SEQUENCE) }
	case oidAlgorithmProtection:
		return func(v *cryptobyte.String) bool { return v.ReadASN1(&set.protection, cryptobyte_asn1.SEQUENCE) }
	}
	return nil
}

func (set *attributeSet) readTime(v *cryptobyte.String) bool {
	if v.PeekASN1Tag(cryptobyte_asn1.UTCTime) {
		return v.ReadASN1UTCTime(&set.signingTime)
	}
	return v.ReadASN1GeneralizedTime(&set.signingTime)
}

// checkCertificate reports whether the attributes name c, or no certificate at all (RFC 5035, 3 and 4). Where both
// are there both must name it.
func (set *attributeSet) checkCertificate(c *x509.Certificate) error {
	if set.certificate1 != nil {
		if err := checkCertID(set.certificate1, c, crypto.SHA1); err != nil {
			return err
		}
	}
	if set.certificate2 == nil {
		return nil
	}
	return checkCertID(set.certificate2, c, crypto.SHA256)
}

// checkCertID reports whether the first ESSCertID, or ESSCertIDv2, of a signing certificate attribute is c's: that one
// names the signer's certificate. The digest is standard where none is named.
func checkCertID(attribute cryptobyte.String, c *x509.Certificate, standard crypto.Hash) error {
	bad := malformed("the signing certificate attribute cannot be read")
	var certs, first cryptobyte.String
	if !attribute.ReadASN1(&certs, cryptobyte_asn1.SEQUENCE) || !certs.ReadASN1(&first, cryptobyte_asn1.SEQUENCE) {
		return bad
	}
	digest := standard
	if first.PeekASN1Tag(cryptobyte_asn1.SEQUENCE) && standard != crypto.SHA1 {
		var a algorithm
		if !readAlgorithm(&first, &a) {
			return bad
		}
		d, ok := digestByOID(a.oid)
		if !ok {
			return fmt.Errorf("%w: the digest of the signing certificate attribute", ErrUnsupported)
		}
		digest = d.hash
	}
	var sum []byte
	if !first.ReadASN1Bytes(&sum, cryptobyte_asn1.OCTET_STRING) {
		return bad
	}
	h := digest.New()
	h.Write(c.Raw)
	if !bytes.Equal(sum, h.Sum(nil)) {
		return fmt.Errorf("%w: it was made with another certificate", ErrSignature)
	}
	return nil
}

// checkProtection reports whether the attributes name the signer info's algorithms, or none (RFC 6211, 3).
func (set *attributeSet) checkProtection(digest, signature algorithm) error {
	if set.protection == nil {
		return nil
	}
	var d, s algorithm
	p := set.protection
	if !readAlgorithm(&p, &d) || !readAlgorithmAs(&p, &s, contextTag(1)) || !p.Empty() {
		return malformed("the algorithm protection attribute cannot be read")
	}
	if !d.same(digest) || !s.same(signature) {
		return fmt.Errorf("%w: its algorithms were changed", ErrSignature)
	}
	return nil
}
