package bundle

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"go.mozilla.org/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// maxPKCS7 bounds a PKCS#7 file: those with all authorities of a country are below a megabyte.
const maxPKCS7 = 4 << 20

var errNoCertificates = errors.New("it holds no certificate")

func oidSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

// pkcs7 reads the certificates of a SignedData; what else is in it, a signature and what it signs, is left out.
func (c *content) pkcs7(data []byte, r *FileReport) {
	if len(data) > maxPKCS7 {
		r.Problem("it is larger than %d bytes, more than a bundle of certificates takes; export the certificates alone", maxPKCS7)
		return
	}
	der, err := toDER(data) // bounds the nesting, too
	if err != nil {
		r.Problem("the file is damaged or not PKCS#7; export the certificates again, as PEM where you can")
		return
	}
	found, err := decodePKCS7(der)
	if err != nil {
		r.Problem("it cannot be read: %s; export the certificates again, as PEM where you can", safetext.Line(err.Error(), 120))
		return
	}
	for _, cert := range found {
		c.certificate(cert, r)
	}
}

// decodePKCS7 reads a bundle as go.mozilla.org/pkcs7 does. What that refuses, since one certificate in it has a key of a
// kind that crypto/x509 does not know, is taken apart, so that the others are not lost with it.
func decodePKCS7(der []byte) (found [][]byte, err error) {
	p7, err := parsePKCS7(der)
	if err == nil {
		for _, cert := range p7.Certificates {
			found = append(found, cert.Raw)
		}
	} else if split, splitErr := splitPKCS7(der); splitErr == nil {
		found = split
	} else {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoCertificates
	}
	return found, nil
}

// parsePKCS7 calls the library. Its Parse is known to panic on what it does not expect.
func parsePKCS7(der []byte) (p7 *pkcs7.PKCS7, err error) {
	defer func() {
		if recover() != nil {
			p7, err = nil, errors.New("its structure is not that of PKCS#7")
		}
	}()
	if !isSigned(der) {
		return nil, errors.New("it is no signed data, which is what bundles of certificates are")
	}
	return pkcs7.Parse(der)
}

// splitPKCS7 returns the certificates of a SignedData (RFC 5652, 5.1) as they are; of the CertificateChoices only
// certificates count.
func splitPKCS7(der []byte) (found [][]byte, err error) {
	input := cryptobyte.String(der)
	var info, wrapped, signed, set cryptobyte.String
	var oid asn1.ObjectIdentifier
	ok := input.ReadASN1(&info, cbasn1.SEQUENCE) && input.Empty() && info.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidSignedData()) &&
		info.ReadASN1(&wrapped, explicitZero) && wrapped.ReadASN1(&signed, cbasn1.SEQUENCE) &&
		signed.SkipASN1(cbasn1.INTEGER) && signed.SkipASN1(cbasn1.SET) && signed.SkipASN1(cbasn1.SEQUENCE) && signed.ReadASN1(&set, explicitZero)
	if !ok {
		return nil, errParts
	}
	for !set.Empty() && len(found) < maxBlocks {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadAnyASN1Element(&element, &tag) {
			return nil, errParts
		}
		if tag == cbasn1.SEQUENCE {
			found = append(found, element)
		}
	}
	return found, nil
}

// PKCS7 writes certificates as a bundle in DER, which Windows and most programs read (`.p7b`, `.p7c`).
func PKCS7(all []*x509.Certificate) ([]byte, error) {
	var raw []byte
	for _, c := range all {
		raw = append(raw, c.Raw...)
	}
	der, err := pkcs7.DegenerateCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("certs/bundle: write PKCS#7: %w", err)
	}
	return der, nil
}
