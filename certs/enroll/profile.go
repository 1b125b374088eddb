package enroll

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Profile is a profile of the S/MIME Baseline Requirements of the CA/Browser Forum, always mailbox-validated: the certificate
// says that who holds its key reads the mailbox, and nothing of a person or company.
type Profile string

// The profiles (S/MIME Baseline Requirements, 7.1.6.1). Both are for mail alone here; multipurpose is the one that more
// programs of partners know.
const (
	Strict       Profile = "strict"
	Multipurpose Profile = "multipurpose"
)

// The longest lives of certificates.
const (
	MaxLifetime = 825 * 24 * time.Hour // of a user (S/MIME Baseline Requirements, 6.3.2)
	backdate    = time.Hour            // for partners whose clocks are late
)

// ub-common-name and ub-emailaddress-length of RFC 5280, appendix A.1.
const (
	maxCommonName   = 64
	maxEmailAddress = 255
)

// policy is the identifier of the profile.
func (p Profile) policy() []uint64 {
	if p == Multipurpose {
		return []uint64{2, 23, 140, 1, 5, 1, 2}
	}
	return []uint64{2, 23, 140, 1, 5, 1, 3}
}

// newSerial is 127 random bits, never 0: more than the 64 that the Baseline Requirements (7.1) demand, and positive in at
// most 20 octets (RFC 5280, 4.1.2.2).
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	return n.SetBit(n, 126, 1), nil // all are of one length, and none is 0
}

// keyID is the identifier of a key (RFC 7093, 2, method 1).
func keyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	sum := sha256.Sum256(spki.Key.RightAlign())
	return sum[:20], nil
}

// userUsage is the key usage by the kind of key and its purpose (Baseline Requirements, 7.1.2.3 e).
func userUsage(key crypto.PublicKey, p certs.Purpose) x509.KeyUsage {
	secret := x509.KeyUsageKeyEncipherment
	if _, ok := key.(*ecdsa.PublicKey); ok {
		secret = x509.KeyUsageKeyAgreement
	}
	switch p {
	case certs.Sign:
		return x509.KeyUsageDigitalSignature
	case certs.Encrypt:
		return secret
	}
	return x509.KeyUsageDigitalSignature | secret
}

// userTemplate is the certificate of a mailbox (Baseline Requirements, 7.1.2.3 and 7.1.4.2), without its times and addresses of lists.
func userTemplate(address string, p certs.Purpose, profile Profile, key crypto.PublicKey) (*x509.Certificate, error) {
	policy, err := x509.OIDFromInts(profile.policy())
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	subject, named := mailboxName(address)
	san, err := mailboxSAN(address, !named)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject: subject, BasicConstraintsValid: true,
		KeyUsage: userUsage(key, p), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		Policies: []x509.OID{policy}, ExtraExtensions: []pkix.Extension{san},
	}
	if t.SubjectKeyId, err = keyID(key); err != nil {
		return nil, err
	}
	t.SerialNumber, err = newSerial()
	return t, err
}

// mailboxName is the subject of a mailbox: its address as the common name, or as emailAddress where it is too long for
// that; nothing, and named is false, where it fits neither (Baseline Requirements, 7.1.4.2.3).
func mailboxName(address string) (name pkix.Name, named bool) {
	switch {
	case len([]rune(address)) <= maxCommonName:
		return pkix.Name{CommonName: address}, true
	case len(address) <= maxEmailAddress && isASCII(address):
		return pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{
			Type:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1},
			Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(address)},
		}}}, true
	}
	return pkix.Name{}, false
}

// mailboxSAN is the subject alternative name of a mailbox: an rfc822Name, or where the local part is not ASCII a
// SmtpUTF8Mailbox (RFC 9598, 3), the domain in its ASCII form in both.
func mailboxSAN(address string, critical bool) (pkix.Extension, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if isASCII(address) {
			b.AddASN1(cbasn1.Tag(1).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(address)) })
			return
		}
		otherName := cbasn1.Tag(0).ContextSpecific().Constructed()
		b.AddASN1(otherName, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9})
			b.AddASN1(otherName, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(address)) })
			})
		})
	})
	der, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("enroll: %w", err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: critical, Value: der}, nil
}

// authorityTemplate is the certificate of an authority (Baseline Requirements, 7.1.2.1 and 7.1.2.2), without its times.
func authorityTemplate(name pkix.Name, key crypto.PublicKey) (t *x509.Certificate, err error) {
	t = &x509.Certificate{
		Subject: name, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if t.SubjectKeyId, err = keyID(key); err != nil {
		return nil, err
	}
	t.SerialNumber, err = newSerial()
	return t, err
}

// constrain limits an issuing authority to mail of the company (Baseline Requirements, 7.1.5; RFC 5280, 4.2.1.10): nothing but
// mail certificates, for addresses in these domains, and no authority below it.
func constrain(t *x509.Certificate, domains []string) error {
	policy, err := x509.OIDFromInts([]uint64{2, 5, 29, 32, 0}) // anyPolicy, as an affiliated authority may have it
	if err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	t.MaxPathLenZero = true
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	t.Policies = []x509.OID{policy}
	t.PermittedEmailAddresses = domains
	// QUIRK: not critical, though RFC 5280, 4.2.1.10, wants it: gpgsm and dirmngr of GnuPG 2.2 refuse every chain with a critical one, and so
	// every signature. Whoever knows the extension heeds it all the same.
	t.PermittedDNSDomainsCritical = false
	return nil
}

// permits reports whether an authority's constraints let it issue for an address.
func permits(c *x509.Certificate, address string) bool {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	for _, permitted := range c.PermittedEmailAddresses {
		if strings.EqualFold(domain, permitted) ||
			strings.HasPrefix(permitted, ".") && strings.HasSuffix(strings.ToLower(domain), strings.ToLower(permitted)) {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
