package tlspolicy

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// PKI believes chains that lead to an authority and bear the server's name (RFC 6125).
type PKI struct {
	Roots *x509.CertPool // nil: those of the machine
}

// Verify implements Verifier.
func (v PKI) Verify(serverName string, chain []*x509.Certificate, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: serverName, Roots: v.Roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

// Pin is a certificate, or a key, that is believed for itself.
type Pin struct {
	Key bool // the hash is that of the public key (SubjectPublicKeyInfo), else of the certificate
	Sum [sha256.Size]byte
}

// ErrPin says that a text is no pin.
var ErrPin = errors.New("this is no pin; write key:sha256:HASH for a public key or cert:sha256:HASH for a certificate, the hash in hexadecimal or base64")

// ParsePin reads "key:sha256:HASH" or "cert:sha256:HASH": the hash in hexadecimal, with colons or without, or in base64. "sha256//BASE64", as
// curl has it, is a key.
func ParsePin(text string) (Pin, error) {
	var p Pin
	rest, ok := strings.CutPrefix(text, "cert:sha256:")
	for _, prefix := range []string{"key:sha256:", "sha256//"} {
		if ok {
			break
		}
		rest, ok = strings.CutPrefix(text, prefix)
		p.Key = ok
	}
	if !ok {
		return Pin{}, ErrPin
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(rest, ":", ""))
	if err != nil || len(sum) != len(p.Sum) {
		sum, err = base64.StdEncoding.Strict().DecodeString(rest)
	}
	if err != nil || len(sum) != len(p.Sum) {
		return Pin{}, ErrPin
	}
	copy(p.Sum[:], sum)
	return p, nil
}

// String is the pin as ParsePin reads it.
func (p Pin) String() string {
	if p.Key {
		return "key:sha256:" + hex.EncodeToString(p.Sum[:])
	}
	return "cert:sha256:" + hex.EncodeToString(p.Sum[:])
}

// PinOf is the pin of a certificate's key, or of the certificate.
func PinOf(c *x509.Certificate, key bool) Pin {
	if key {
		return Pin{Key: true, Sum: sha256.Sum256(c.RawSubjectPublicKeyInfo)}
	}
	return Pin{Sum: sha256.Sum256(c.Raw)}
}

// Pins believe a server that shows one of them as its own certificate, whatever names and dates stand in it: who pins, renews the pin.
type Pins []Pin

// Verify implements Verifier.
func (v Pins) Verify(_ string, chain []*x509.Certificate, _ time.Time) error {
	if slices.Contains(v, PinOf(chain[0], true)) || slices.Contains(v, PinOf(chain[0], false)) {
		return nil
	}
	return fmt.Errorf("its certificate is none of those that are pinned; the server shows %s: if that is meant, add it", PinOf(chain[0], true))
}
