package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// party is a certificate with its key, and the folder where all files are.
type party struct {
	dir  string
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func (p *party) file(name string) string { return filepath.Join(p.dir, name) }

// makeParty makes a key of 2048 bits and a certificate of its own.
func makeParty(dir string) (*party, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench"}, EmailAddresses: []string{"bench@example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		return nil, err
	}
	return loadParty(dir)
}

// loadParty reads what makeParty wrote.
func loadParty(dir string) (*party, error) {
	p := &party{dir: dir}
	var ders [2][]byte
	for i, name := range []string{"crt", "key"} {
		data, err := os.ReadFile(p.file(name))
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, fmt.Errorf("%s is not PEM", name)
		}
		ders[i] = block.Bytes
	}
	var err error
	if p.cert, err = x509.ParseCertificate(ders[0]); err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(ders[1])
	if err != nil {
		return nil, err
	}
	var ok bool
	if p.key, ok = key.(*rsa.PrivateKey); !ok {
		return nil, errors.New("the key is no RSA key")
	}
	return p, nil
}

// prepare writes a content of a size, and the messages that are read.
func (p *party) prepare(size int) error {
	line := []byte("Sehr geehrte Damen und Herren, anbei der Vertrag mit den Zahlen des Quartals.\r\n")
	if err := os.WriteFile(p.file("plain"), bytes.Repeat(line, size/len(line)+1)[:size], 0o600); err != nil {
		return err
	}
	for _, o := range operations() {
		if o.makes != "" {
			if err := o.ours(p); err != nil {
				return err
			}
			if err := os.Rename(p.file("out"), p.file(o.makes)); err != nil {
				return err
			}
		}
	}
	return nil
}

// besideBare is the processor's time of a signature of the bare key, and of a detached SignedData over 4 KB, in turns.
func (p *party) besideBare(rounds int) (bare, signed time.Duration, err error) {
	content := bytes.Repeat([]byte("Sehr geehrte "), 4<<10/13)
	digest := sha256.Sum256(content)
	bare, signed = time.Hour, time.Hour
	for range 30 * rounds {
		for _, f := range []struct {
			best *time.Duration
			call func() error
		}{
			{&bare, func() error { _, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, digest[:]); return err }},
			{&signed, func() error { return p.signMemory(content) }},
		} {
			c, err := here(10, f.call)
			if err != nil {
				return 0, 0, err
			}
			*f.best = min(*f.best, c.time)
		}
	}
	return bare, signed, nil
}
