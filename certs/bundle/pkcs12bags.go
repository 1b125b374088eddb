package bundle

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// go-pkcs12 gives up on a file with a certificate or key of a kind that crypto/x509 refuses: Brainpool,
// RSASSA-PSS; and it is not given keys within an encrypted part, where an authority or two puts them. decodeBags opens such a file bag by bag. The file's MAC was verified by the library before.

var (
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidX509Bag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
)

// decodeBags reads the certificates and keys in the parts of a PFX.
func decodeBags(data []byte, password string) ([]*x509.Certificate, []any, error) {
	parts, err := splitPKCS12(data)
	if err != nil {
		return nil, nil, err
	}
	var found []*x509.Certificate
	var keys []any
	work := newRounds()
	for _, p := range parts {
		if !work.afford(p.der) {
			return nil, nil, errRounds
		}
		contents, err := contentsOf(p.der, password)
		if err != nil {
			return nil, nil, err
		}
		der, ok := asDER(contents)
		if !ok {
			return nil, nil, errParts
		}
		if !work.afford(der) { // of an encrypted part, whose content nobody has seen
			return nil, nil, errRounds
		}
		bags, err := splitBags(contents)
		if err != nil {
			return nil, nil, err
		}
		for _, b := range bags {
			cert, key, err := openBag(b, password)
			switch {
			case err != nil:
				return nil, nil, err
			case cert != nil:
				found = append(found, cert)
			default:
				keys = append(keys, key)
			}
		}
	}
	return found, keys, nil
}

// contentsOf returns the SafeContents of a ContentInfo, decrypted where it is EncryptedData (RFC 5652, 8).
func contentsOf(part []byte, password string) ([]byte, error) {
	input := cryptobyte.String(part)
	var info, wrapped, encrypted, content, algorithm, ciphertext cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !input.ReadASN1(&info, cbasn1.SEQUENCE) {
		return nil, errParts
	}
	if octets, ok := dataOf(info); ok {
		return octets, nil
	}
	ok := info.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidEncryptedData) && info.ReadASN1(&wrapped, explicitZero) &&
		wrapped.ReadASN1(&encrypted, cbasn1.SEQUENCE) && encrypted.SkipASN1(cbasn1.INTEGER) && encrypted.ReadASN1(&content, cbasn1.SEQUENCE) &&
		content.SkipASN1(cbasn1.OBJECT_IDENTIFIER) && content.ReadASN1(&algorithm, cbasn1.SEQUENCE) &&
		content.ReadASN1(&ciphertext, cbasn1.Tag(0).ContextSpecific())
	if !ok {
		return nil, errParts
	}
	return decryptPart(algorithm, ciphertext, password)
}

// openBag reads one bag, which lies in a part of its own (RFC 7292, 4.2).
func openBag(part pkcs12Part, password string) (*x509.Certificate, crypto.PrivateKey, error) {
	contents, err := contentsOf(part.der, password)
	if err != nil {
		return nil, nil, err
	}
	input := cryptobyte.String(contents)
	var bags, bag, value, cert, octets cryptobyte.String
	var oid, kind asn1.ObjectIdentifier
	if !input.ReadASN1(&bags, cbasn1.SEQUENCE) || !bags.ReadASN1(&bag, cbasn1.SEQUENCE) ||
		!bag.ReadASN1ObjectIdentifier(&oid) || !bag.ReadASN1(&value, explicitZero) {
		return nil, nil, errParts
	}
	der := []byte(value)
	switch {
	case oid.Equal(oidCertBag):
		ok := value.ReadASN1(&cert, cbasn1.SEQUENCE) && cert.ReadASN1ObjectIdentifier(&kind) && kind.Equal(oidX509Bag) &&
			cert.ReadASN1(&value, explicitZero) && value.ReadASN1(&octets, cbasn1.OCTET_STRING)
		if !ok {
			return nil, nil, errParts
		}
		c, err := x509x.ParseCertificate(octets)
		return c, nil, err
	case oid.Equal(oidShrouded):
		if der, err = encryptedKey(der, password); err != nil {
			return nil, nil, err
		}
	}
	key, err := x509x.ParsePrivateKey(der)
	return nil, key, err
}
