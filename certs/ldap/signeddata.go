package ldap

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Bounds of what one value of an attribute, and one entry, may bring.
const (
	maxValue        = 1 << 20
	maxCertificate  = 64 << 10
	maxCertificates = 100
)

var errSignedData = errors.New("this is neither a certificate nor PKCS#7 with certificates")

// certificatesIn reads the value of an attribute: a certificate (RFC 4523, 2.1), or PKCS#7 SignedData, of which only the
// certificates count (RFC 2798, 2.8, userSMIMECertificate). What is no certificate of the kinds we know is left out.
func certificatesIn(value []byte) ([]*x509.Certificate, error) {
	if len(value) > maxValue {
		return nil, errSignedData
	}
	if len(value) <= maxCertificate {
		if c, err := x509x.ParseCertificate(value); err == nil {
			return []*x509.Certificate{c}, nil
		}
	}
	return signedDataCertificates(value)
}

// signedDataCertificates reads the certificates of a ContentInfo with SignedData (RFC 5652, 3 and 5.1). Nothing else in it is
// looked at: what is signed there, and whether well, says nothing that a path does not.
func signedDataCertificates(der []byte) ([]*x509.Certificate, error) {
	oidSignedData := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	tag := cbasn1.Tag(0).ContextSpecific().Constructed()
	input := cryptobyte.String(der)
	var info, outer, signed, list cryptobyte.String
	var kind asn1.ObjectIdentifier
	var version int64
	var present bool
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) ||
		!info.ReadASN1(&outer, tag) || !outer.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.ReadASN1Integer(&version) ||
		!signed.SkipASN1(cbasn1.SET) || !signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&list, &present, tag) {
		return nil, errSignedData
	}
	var all []*x509.Certificate
	for !list.Empty() && len(all) < maxCertificates {
		var one cryptobyte.String
		var t cbasn1.Tag
		if !list.ReadAnyASN1Element(&one, &t) {
			return nil, errSignedData
		}
		if t != cbasn1.SEQUENCE || len(one) > maxCertificate { // RFC 5652, 10.2.2: others are choices with tags
			continue
		}
		if c, err := x509x.ParseCertificate(one); err == nil {
			all = append(all, c)
		}
	}
	return all, nil
}
