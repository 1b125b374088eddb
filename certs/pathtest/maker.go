//lint:file-ignore SA1019 the standard library offers nothing else for curves that are not of NIST

package pathtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// maker makes certificates; it keeps what they share.
type maker struct {
	cases  []Case
	keys   map[string]crypto.Signer
	serial int64
}

func newMaker() *maker { return &maker{keys: map[string]crypto.Signer{}} }

// node is a certificate and what makes others below it.
type node struct {
	m       *maker
	cert    *x509.Certificate
	subject []byte
	key     crypto.Signer
	method  method
}

// template is a certificate that is to be made.
type template struct {
	version         int // 0: 1
	subject, issuer []byte
	from, until     time.Time
	general         bool // times as GeneralizedTime
	key             crypto.Signer
	keyInfo         []byte // SubjectPublicKeyInfo, where it is not that of key
	signer          crypto.Signer
	method          method // of the signature on it
	own             method // of those that it makes
	extensions      []pkix.Extension
	root            bool // it signs itself
	spoil           bool // the signature is of something else
}

// option makes something odd about a certificate.
type option func(*template)

// must is for what cannot fail with what is made here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// key is the key of a name: on P-256, unless the name begins with another kind.
func (m *maker) key(name string) crypto.Signer {
	if m.keys[name] == nil {
		m.keys[name] = makeKey(name)
	}
	return m.keys[name]
}

// ecKey is a key that is the same each time.
func ecKey(c elliptic.Curve, name string) *ecdsa.PrivateKey {
	h := sha256.Sum256([]byte("pathtest " + name))
	size := (c.Params().BitSize + 7) / 8
	secret := make([]byte, size)
	copy(secret[size-16:], h[:])
	if x509x.Brainpool(c) {
		k := &ecdsa.PrivateKey{D: new(big.Int).SetBytes(secret)}
		k.Curve = c
		k.X, k.Y = c.ScalarBaseMult(secret)
		return k
	}
	return must(ecdsa.ParseRawPrivateKey(c, secret))
}

func rsaKey(bits int) *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, bits)) }

// name writes a distinguished name of UTF-8 attributes, CN last.
func name(attributes ...string) []byte {
	return nameOf(cbasn1.UTF8String, attributes...)
}

// nameOf is name with another kind of text. The attributes are type and value by turns.
func nameOf(kind cbasn1.Tag, attributes ...string) []byte {
	types := map[string]asn1.ObjectIdentifier{
		"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "CN": {2, 5, 4, 3}, "emailAddress": {1, 2, 840, 113549, 1, 9, 1},
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := 0; i+1 < len(attributes); i += 2 {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(types[attributes[i]])
					tag := kind
					switch attributes[i] {
					case "C":
						tag = cbasn1.PrintableString
					case "emailAddress":
						tag = cbasn1.IA5String
					}
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(attributes[i+1])) })
				})
			})
		}
	})
	return b.BytesOrPanic()
}

// root makes a self-signed authority.
func (m *maker) root(cn string, options ...option) *node {
	k := m.key(cn)
	t := m.template(name("C", "DE", "O", "Pathtest", "CN", cn), k)
	t.issuer, t.signer, t.root = t.subject, k, true
	t.extensions = []pkix.Extension{basic(true, -1), usage(x509.KeyUsageCertSign | x509.KeyUsageCRLSign), keyID(k)}
	t.from, t.until = Now().AddDate(-10, 0, 0), Now().AddDate(10, 0, 0)
	return m.make(t, options)
}

// authority makes one below n.
func (n *node) authority(cn string, options ...option) *node {
	t := n.below(name("C", "DE", "O", "Pathtest", "CN", cn), n.m.key(cn))
	t.extensions = append(t.extensions, basic(true, -1), usage(x509.KeyUsageCertSign|x509.KeyUsageCRLSign))
	t.from, t.until = Now().AddDate(-5, 0, 0), Now().AddDate(5, 0, 0)
	return n.m.make(t, options)
}

// leaf makes a certificate of alice@firma.example below n.
func (n *node) leaf(options ...option) *node {
	t := n.below(name("C", "DE", "O", "Pathtest", "CN", "Alice"), n.m.key("Alice"))
	t.extensions = append(t.extensions, usage(x509.KeyUsageDigitalSignature), extUsage(oidMail()), san(mail("alice@firma.example")))
	return n.m.make(t, options)
}

func (m *maker) template(subject []byte, key crypto.Signer) template {
	return template{version: 3, subject: subject, key: key, from: Now().AddDate(-1, 0, 0), until: Now().AddDate(1, 0, 0)}
}

func (n *node) below(subject []byte, key crypto.Signer) template {
	t := n.m.template(subject, key)
	t.issuer, t.signer, t.method = n.subject, n.key, n.method
	t.extensions = []pkix.Extension{keyID(key), authorityKeyID(n.key)}
	return t
}

// make writes and signs a certificate.
func (m *maker) make(t template, options []option) *node {
	for _, o := range options {
		o(&t)
	}
	m.serial++
	if t.keyInfo == nil {
		t.keyInfo = must(x509x.MarshalPublicKey(t.key.Public()))
	}
	how := t.method.of(t.signer)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if t.version > 1 {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(t.version - 1)) })
		}
		b.AddASN1Int64(m.serial)
		b.AddBytes(how.identifier)
		b.AddBytes(t.issuer)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.from, t.general)
			addTime(b, t.until, t.general)
		})
		b.AddBytes(t.subject)
		b.AddBytes(t.keyInfo)
		if t.version == 3 && len(t.extensions) > 0 {
			b.AddASN1(explicit(3), func(b *cryptobyte.Builder) { addExtensions(b, t.extensions) })
		}
	})
	cert, err := x509x.ParseCertificate(signed(b.BytesOrPanic(), how, t.signer, t.spoil))
	if err != nil {
		panic(fmt.Sprintf("certificate %d: %v", m.serial, err))
	}
	return &node{m, cert, t.subject, t.key, t.own}
}

// signed is the SIGNED form of X.509.
func signed(tbs []byte, how method, key crypto.Signer, spoil bool) []byte {
	signature := how.sign(key, tbs)
	if spoil {
		signature = how.sign(key, append([]byte{0}, tbs...))
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(how.identifier)
		b.AddASN1BitString(signature)
	})
	return b.BytesOrPanic()
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func implicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// addTime writes a time as RFC 5280, 4.1.2.5 has it.
func addTime(b *cryptobyte.Builder, t time.Time, general bool) {
	if general || t.Year() >= 2050 {
		b.AddASN1GeneralizedTime(t)
		return
	}
	b.AddASN1UTCTime(t)
}

func addExtensions(b *cryptobyte.Builder, all []pkix.Extension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range all {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.Id)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}
