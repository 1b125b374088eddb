package bundle

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// content is what a file holds.
type content struct {
	certs     []*x509.Certificate
	keys      []crypto.PrivateKey
	brainpool bool // private keys on Brainpool curves are wanted
	refused   bool // there was one, and it is not
}

const howToConvert = `make a PKCS#12 file of the key and its certificate (openssl pkcs12 -export -inkey KEY -in CERTIFICATE -out NAME.p12) and put its password into NAME.p12.password`

// parse reads a file by its kind and reports what it could not read. Path is where it lies; empty where nowhere.
func (c *content) parse(path string, data []byte, o Options, r *FileReport) {
	data = plainText(data)
	passwords := func() []secret.String { return passwords(path, o.Passwords, r) }
	switch kind := kindOf(path, data); {
	case kind == kindPEM:
		c.pem(data, passwords, r)
	case o.Named && !slices.Contains(suffixes(), strings.ToLower(filepath.Ext(path))):
		r.Note("not read: its name ends with none of %s", strings.Join(suffixes(), " "))
	case kind == kindPKCS12:
		c.pkcs12(data, passwords(), r)
	case kind == kindPKCS7:
		c.pkcs7(data, r)
	case kind == kindStore:
		r.Problem("a key store of Java in its old form is not read; convert it: keytool -importkeystore -srckeystore FILE -destkeystore NAME.p12 -deststoretype PKCS12")
	default:
		c.der(data, passwords, r)
	}
}

// maxBlocks bounds the blocks of one PEM file.
const maxBlocks = 100_000

func (c *content) pem(data []byte, passwords func() []secret.String, r *FileReport) {
	blocks := 0
	for ; blocks < maxBlocks; blocks++ {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		c.block(block, passwords, r)
	}
	if blocks == 0 || isPEM(data) {
		r.Problem("a PEM block is damaged or the file holds more than %d; write the file anew", maxBlocks)
	}
}

func (c *content) block(block *pem.Block, passwords func() []secret.String, r *FileReport) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		c.encrypted(block.Bytes, passwords(), r)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		c.oldEncrypted(block, passwords(), r)
	case block.Type == "CERTIFICATE", block.Type == "X509 CERTIFICATE":
		c.certificate(block.Bytes, r)
	case block.Type == "TRUSTED CERTIFICATE": // OpenSSL's: what it is trusted for stands behind it, and is not ours to believe
		input := cryptobyte.String(block.Bytes)
		var cert cryptobyte.String
		input.ReadASN1Element(&cert, cbasn1.SEQUENCE)
		c.certificate(cert, r)
	case block.Type == "PKCS7", block.Type == "CMS", block.Type == "PKCS #7 SIGNED DATA": // RFC 7468, 8 and 9
		c.pkcs7(block.Bytes, r)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		key, err := x509x.ParsePrivateKey(block.Bytes)
		c.key(key, err, r)
	case block.Type == "EC PARAMETERS": // openssl writes them before the key, which names its curve again
	default:
		r.Note("a block of the kind %s was left out", safetext.Line(block.Type, 40))
	}
}

// encrypted reads an encrypted PKCS#8 key.
func (c *content) encrypted(der []byte, passwords []secret.String, r *FileReport) {
	if !affordable(der) {
		r.Problem("the password of a private key takes more than %d rounds to check; write the key again with fewer", maxRounds)
		return
	}
	for _, p := range passwords {
		plain, err := encryptedKey(der, p.Reveal())
		if errors.Is(err, errScheme) || errors.Is(err, errParts) {
			r.Problem("a private key cannot be decrypted: %v; %s", err, howToConvert)
			return
		}
		if err != nil {
			continue
		}
		if key, err := x509x.ParsePrivateKey(plain); err == nil { // else the padding fitted by chance
			c.key(key, nil, r)
			return
		}
	}
	r.Problem("a private key is encrypted and no password known fits; put the right one into a file of the same name with %s after it", PasswordSuffix)
}

// oldEncrypted reads a key encrypted in the form of PEM that OpenSSL wrote before PKCS#8 (RFC 1421).
func (c *content) oldEncrypted(block *pem.Block, passwords []secret.String, r *FileReport) {
	for _, p := range passwords {
		//lint:ignore SA1019 the form cannot tell a wrong password for certain; who guesses here has the file anyway
		plain, err := x509.DecryptPEMBlock(block, []byte(p.Reveal()))
		if err != nil && !errors.Is(err, x509.IncorrectPasswordError) {
			r.Problem("a private key is encrypted in the old form of PEM, and in a way that is not read; %s", howToConvert)
			return
		}
		if err != nil {
			continue
		}
		if key, err := x509x.ParsePrivateKey(plain); err == nil {
			c.key(key, nil, r)
			return
		}
	}
	r.Problem("a private key is encrypted and no password known fits; put the right one into a file of the same name with %s after it", PasswordSuffix)
}

// der reads a file that is one key, or one certificate or several behind each other.
func (c *content) der(data []byte, passwords func() []secret.String, r *FileReport) {
	if key, err := x509x.ParsePrivateKey(data); err == nil {
		c.key(key, nil, r)
		return
	}
	if isEncryptedKey(data) {
		c.encrypted(data, passwords(), r)
		return
	}
	input := cryptobyte.String(data)
	var first cryptobyte.String
	for n := 0; input.ReadASN1Element(&first, cbasn1.SEQUENCE) && !input.Empty() && n < maxBlocks; n++ {
		c.certificate(first, r)
		data = input
	}
	c.certificate(data, r)
}

func (c *content) certificate(der []byte, r *FileReport) {
	cert, err := x509x.ParseCertificate(der)
	if err == nil {
		c.certs = append(c.certs, cert)
		return
	}
	info, infoErr := x509x.Parse(der)
	if infoErr != nil {
		r.Problem("it holds neither a certificate nor a key, or is damaged; write the file anew")
		return
	}
	r.Problem("the certificate of %s (serial %x, issued by %s, key: %s) is of an unsupported kind: %s; ask its owner for one with an RSA key or one on P-256",
		safetext.Line(info.Subject, 80), info.Serial, safetext.Line(info.Issuer, 80), info.KeyAlgorithm, safetext.Line(err.Error(), 120))
}

func (c *content) key(key crypto.PrivateKey, err error, r *FileReport) {
	if err != nil {
		r.Problem("a private key cannot be read: %s; export it again as PKCS#8 or PKCS#12", safetext.Line(err.Error(), 120))
		return
	}
	switch k := key.(type) {
	case *rsa.PrivateKey, ed25519.PrivateKey, *ecdh.PrivateKey:
	case *ecdsa.PrivateKey:
		if x509x.Brainpool(k.Curve) && !c.brainpool {
			c.refused = true
			r.Problem("a private key on the curve %s is not used: %s; allow it, or keep the key on a card", k.Params().Name, BrainpoolAdvice)
			return
		}
	default:
		r.Problem("a private key of the kind %T is not supported; use RSA, or one on P-256", key)
		return
	}
	c.keys = append(c.keys, key)
}
