package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Example encrypts for Bob and decrypts with his key, as a stream.
func Example() {
	key, cert := identity()
	message := "Meet me at noon."

	var sealed bytes.Buffer
	w, err := cms.NewEncrypter(&sealed, cms.EncryptOptions{
		Recipients: []cms.Recipient{{Certificate: cert}},
		Algorithm:  cms.AES256GCM,
		Size:       int64(len(message)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(w, message)
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	d, err := cms.NewDecrypter(&sealed, cms.DecryptOptions{Keys: func(ids []cms.RecipientID) []cms.Key {
		return []cms.Key{{Certificate: cert, Decrypter: key}}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := io.ReadAll(d) // nothing of it counts before ReadAll returned without an error
	fmt.Println(string(plain), err, d.Info().Algorithm)
	// Output: Meet me at noon. <nil> aes256-gcm
}

// ExampleNewKeyAgreement encrypts for a key on an elliptic curve, and for one that is RSA's.
func ExampleNewKeyAgreement() {
	rsaKey, rsaCert := identity()
	key, cert := curveIdentity()

	var sealed bytes.Buffer
	w, err := cms.NewEncrypter(&sealed, cms.EncryptOptions{
		Recipients: []cms.Recipient{{Certificate: cert}, {Certificate: rsaCert, OAEP: &cms.OAEPOptions{}}},
		Algorithm:  cms.AES128GCM,
		Size:       -1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	io.WriteString(w, "For both.")
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	agreement, err := cms.NewKeyAgreement(key, cms.AgreementOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, key := range []cms.Key{{Certificate: cert, Agreement: agreement}, {Certificate: rsaCert, Decrypter: rsaKey}} {
		d, err := cms.NewDecrypter(bytes.NewReader(sealed.Bytes()), cms.DecryptOptions{Keys: func([]cms.RecipientID) []cms.Key { return []cms.Key{key} }})
		if err != nil {
			fmt.Println(err)
			return
		}
		plain, err := io.ReadAll(d)
		fmt.Println(string(plain), err)
	}
	// Output:
	// For both. <nil>
	// For both. <nil>
}

// ExampleVerifyDetached signs and verifies content that is not in the signature.
func ExampleVerifyDetached() {
	key, cert := identity()
	content := []byte("Content-Type: text/plain\r\n\r\nSigned.\r\n")

	s, err := cms.NewDetachedSigner(cms.SignOptions{Signers: []cms.Signer{{Certificate: cert, Key: key}}, Time: time.Now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Write(content)
	signature, err := s.Finish()
	if err != nil {
		fmt.Println(err)
		return
	}

	signed, err := cms.VerifyDetached(signature, bytes.NewReader(content), cms.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range signed.Signers {
		fmt.Println(r.Certificate.Subject.CommonName, r.Algorithm, r.Err)
	}
	// Output: Bob rsa-sha256 <nil>
}

// identity is an RSA key with its certificate.
func identity() (*rsa.PrivateKey, *x509.Certificate) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key, certificate(key, 1)
}

// curveIdentity is a key on P-256 with its certificate.
func curveIdentity() (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key, certificate(key, 2)
}

func certificate(key crypto.Signer, serial int64) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Bob"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}
