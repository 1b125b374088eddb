package folder

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// content is what a file holds.
type content struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
}

const howToConvert = `make a PKCS#12 file of the key and its certificate (openssl pkcs12 -export -inkey KEY -in CERTIFICATE -out NAME.p12) and put its password into NAME.p12.password`

// parse reads a file by its kind and reports what it could not read.
func parse(name string, data []byte, passwords func() []secret.String, r *FileReport) content {
	var c content
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".p12", ext == ".pfx":
		c.pkcs12(data, passwords(), r)
	case ext == ".p7b", ext == ".p7c":
		r.problem("PKCS#7 bundles are not read; convert it: openssl pkcs7 -print_certs -in FILE -out NAME.pem (for DER with -inform DER)")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		c.pem(data, r)
	case ext == ".cer", ext == ".crt", ext == ".der", ext == ".pem", ext == ".key", ext == ".p8", ext == ".pk8":
		c.der(data, r)
	default:
		r.note("not read: its name ends with none of .pem .crt .cer .der .key .p8 .p12 .pfx")
	}
	return c
}

// maxBlocks bounds the blocks of one PEM file.
const maxBlocks = 100_000

func (c *content) pem(data []byte, r *FileReport) {
	blocks := 0
	for ; blocks < maxBlocks; blocks++ {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		c.block(block, r)
	}
	if blocks == 0 || bytes.Contains(data, []byte("-----BEGIN ")) {
		r.problem("a PEM block is damaged or the file holds more than %d; write the file anew", maxBlocks)
	}
}

func (c *content) block(block *pem.Block, r *FileReport) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		r.problem("a private key is encrypted, which only PKCS#12 files may be here; %s", howToConvert)
	case block.Type == "CERTIFICATE", block.Type == "X509 CERTIFICATE":
		c.certificate(block.Bytes, r)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		key, err := parseKey(block.Bytes)
		c.key(key, err, r)
	case block.Type == "EC PARAMETERS": // openssl writes them before the key, which names its curve again
	default:
		r.note("a block of the kind %s was left out", safetext.Line(block.Type, 40))
	}
}

// der reads a file that is one certificate or one key.
func (c *content) der(data []byte, r *FileReport) {
	if key, err := parseKey(data); err == nil {
		c.key(key, nil, r)
		return
	}
	c.certificate(data, r)
}

func (c *content) certificate(der []byte, r *FileReport) {
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		c.certs = append(c.certs, cert)
		return
	}
	info, infoErr := x509x.Parse(der)
	if infoErr != nil {
		r.problem("it holds neither a certificate nor a key, or is damaged; write the file anew")
		return
	}
	r.problem("the certificate of %s (serial %x, issued by %s, key: %s) is of an unsupported kind: %s; ask its owner for one with an RSA key",
		safetext.Line(info.Subject, 80), info.Serial, safetext.Line(info.Issuer, 80), info.KeyAlgorithm, safetext.Line(err.Error(), 120))
}

// parseKey reads an unencrypted private key: PKCS#8, PKCS#1 or SEC 1.
func parseKey(der []byte) (any, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, err
}

func (c *content) key(key any, err error, r *FileReport) {
	signer, ok := key.(crypto.Signer)
	switch {
	case err != nil:
		r.problem("a private key cannot be read: %s; export it again as PKCS#8 or PKCS#12", safetext.Line(err.Error(), 120))
	case ok:
		c.keys = append(c.keys, signer)
	default:
		kind := fmt.Sprintf("%T", key)
		if _, ok := key.(*ecdh.PrivateKey); ok {
			kind = "X25519"
		}
		r.problem("a private key of the kind %s is not supported; use RSA", kind)
	}
}
