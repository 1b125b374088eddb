package folder

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"

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

// parse reads a file by its kind and reports what it could not read.
func (c *content) parse(name string, data []byte, passwords func() []secret.String, r *FileReport) {
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".p12", ext == ".pfx":
		c.pkcs12(data, passwords(), r)
	case ext == ".p7b", ext == ".p7c":
		r.problem("PKCS#7 bundles are not read; convert it: openssl pkcs7 -print_certs -in FILE -out NAME.pem (for DER with -inform DER)")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		c.pem(data, passwords, r)
	case ext == ".cer", ext == ".crt", ext == ".der", ext == ".pem", ext == ".key", ext == ".p8", ext == ".pk8":
		c.der(data, r)
	default:
		r.note("not read: its name ends with none of .pem .crt .cer .der .key .p8 .p12 .pfx")
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
	if blocks == 0 || bytes.Contains(data, []byte("-----BEGIN ")) {
		r.problem("a PEM block is damaged or the file holds more than %d; write the file anew", maxBlocks)
	}
}

func (c *content) block(block *pem.Block, passwords func() []secret.String, r *FileReport) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		c.encrypted(block.Bytes, passwords(), r)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		r.problem("a private key is encrypted in the old form of PEM, which is not read; %s", howToConvert)
	case block.Type == "CERTIFICATE", block.Type == "X509 CERTIFICATE":
		c.certificate(block.Bytes, r)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		key, err := x509x.ParsePrivateKey(block.Bytes)
		c.key(key, err, r)
	case block.Type == "EC PARAMETERS": // openssl writes them before the key, which names its curve again
	default:
		r.note("a block of the kind %s was left out", safetext.Line(block.Type, 40))
	}
}

// encrypted reads an encrypted PKCS#8 key.
func (c *content) encrypted(der []byte, passwords []secret.String, r *FileReport) {
	for _, p := range passwords {
		plain, err := encryptedKey(der, p.Reveal())
		if errors.Is(err, errScheme) || errors.Is(err, errParts) {
			r.problem("a private key cannot be decrypted: %v; %s", err, howToConvert)
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
	r.problem("a private key is encrypted and no password known fits; put the right one into a file of the same name with %s after it", passwordSuffix)
}

// der reads a file that is one certificate or one key.
func (c *content) der(data []byte, r *FileReport) {
	if key, err := x509x.ParsePrivateKey(data); err == nil {
		c.key(key, nil, r)
		return
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
		r.problem("it holds neither a certificate nor a key, or is damaged; write the file anew")
		return
	}
	r.problem("the certificate of %s (serial %x, issued by %s, key: %s) is of an unsupported kind: %s; ask its owner for one with an RSA key or one on P-256",
		safetext.Line(info.Subject, 80), info.Serial, safetext.Line(info.Issuer, 80), info.KeyAlgorithm, safetext.Line(err.Error(), 120))
}

func (c *content) key(key crypto.PrivateKey, err error, r *FileReport) {
	if err != nil {
		r.problem("a private key cannot be read: %s; export it again as PKCS#8 or PKCS#12", safetext.Line(err.Error(), 120))
		return
	}
	switch k := key.(type) {
	case *rsa.PrivateKey, ed25519.PrivateKey, *ecdh.PrivateKey:
	case *ecdsa.PrivateKey:
		if x509x.Brainpool(k.Curve) && !c.brainpool {
			c.refused = true
			r.problem("a private key on the curve %s is not used: %s; allow it, or keep the key on a card", k.Params().Name, brainpoolAdvice)
			return
		}
	default:
		r.problem("a private key of the kind %T is not supported; use RSA, or one on P-256", key)
		return
	}
	c.keys = append(c.keys, key)
}
