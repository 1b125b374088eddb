package x509x

import (
	"bytes"
	"crypto/x509"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ParseRevocationList is x509.ParseRevocationList for lists of version 1 too (X.509 of 1988), which OpenSSL still makes where its
// configuration names no extensions. Nothing may follow the list. The error is that of crypto/x509.
func ParseRevocationList(der []byte) (*x509.RevocationList, error) {
	der = bytes.Clone(der)
	input := cryptobyte.String(der)
	var whole, list, tbs, inner cryptobyte.String
	if !input.ReadASN1Element(&whole, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("x509x: not a list of revoked certificates, or something follows it")
	}
	ok := whole.ReadASN1(&list, cbasn1.SEQUENCE) && list.ReadASN1Element(&tbs, cbasn1.SEQUENCE)
	raw := tbs
	if !ok || !tbs.ReadASN1(&inner, cbasn1.SEQUENCE) || inner.PeekASN1Tag(cbasn1.INTEGER) {
		return x509.ParseRevocationList(der)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1) // version 2
			b.AddBytes(inner)
		})
		b.AddBytes(list)
	})
	newer, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	crl, err := x509.ParseRevocationList(newer)
	if err != nil {
		return nil, err
	}
	if len(crl.Extensions) > 0 {
		return nil, errors.New("x509x: a list of version 1 with extensions")
	}
	crl.Raw, crl.RawTBSRevocationList = der, raw
	return crl, nil
}
