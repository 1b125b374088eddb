package bundle

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// isOld reports whether a scheme is one of those that only go-pkcs12 knows here: RC2.
func isOld(scheme asn1.ObjectIdentifier) bool {
	family := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1}
	last := len(family)
	return len(scheme) == last+1 && scheme[:last].Equal(family) && (scheme[last] == 5 || scheme[last] == 6)
}

// oldKey decrypts an EncryptedPrivateKeyInfo in the ways of before PBES2 (PKCS#12 with RC2, RFC 7292, B.4): it
// becomes the key of a PKCS#12 file beside a certificate of no use, and go-pkcs12 reads that.
func oldKey(der []byte, password string) ([]byte, error) {
	if !affordable(der) {
		return nil, errRounds
	}
	cert, err := throwawayCertificate()
	if err != nil {
		return nil, err
	}
	var bag cryptobyte.Builder
	addSequence(&bag, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidShrouded)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) { b.AddBytes(der) })
	})
	shrouded, err := bag.Bytes()
	if err != nil {
		return nil, errParts
	}
	key, _, _, err := pkcs12.DecodeChain(joinPKCS12(password, dataPart(cert), dataPart(shrouded)), password)
	if err != nil {
		return nil, errPassword
	}
	return x509x.MarshalPrivateKey(key)
}

// throwawayCertificate is a bag with a certificate (RFC 7292, 4.2.3).
func throwawayCertificate() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	addSequence(&b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidCertBag)
		b.AddASN1(explicitZero, func(b *cryptobyte.Builder) {
			addSequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidX509Bag)
				b.AddASN1(explicitZero, func(b *cryptobyte.Builder) { b.AddASN1OctetString(der) })
			})
		})
	})
	return b.Bytes()
}
