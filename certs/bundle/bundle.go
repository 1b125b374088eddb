// Package bundle reads and writes the files in which administrators have certificates and keys; it judges nothing and keeps nothing.
//
// It reads PEM in any mixture, and in DER or BER certificates, keys, PKCS#12 and PKCS#7, and writes the same. Every file is
// bounded before it is looked into: in size, in nesting, in parts, and in the work that a password may cost.
package bundle

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Options of reading. The zero value reads what is not encrypted.
type Options struct {
	Passwords []secret.String // tried on what is encrypted, and after them none
	// SoftwareBrainpool lets private keys on Brainpool curves be used. The arithmetic is not in constant time: who can
	// measure how long it takes may learn the key.
	SoftwareBrainpool bool
	// Named leaves a file unread whose name does not say that it holds certificates or keys, unless it is PEM. It is for
	// files that nobody named one by one.
	Named bool
}

// Contents is what files hold: certificates and private keys in the order in which they stand there.
type Contents struct {
	Certificates []*x509.Certificate
	Keys         []crypto.PrivateKey
}

// ErrBrainpool says that a private key lies on a Brainpool curve, and that Options do not let it be used.
var ErrBrainpool = errors.New("keys on Brainpool curves are not used without leave")

// BrainpoolAdvice says why Brainpool keys need to be asked for.
const BrainpoolAdvice = certs.BrainpoolAdvice

// Read reads the bytes of one file, whatever its kind. The error says everything that is wrong with it, and is for a file that holds
// nothing of use as well.
func Read(data []byte, o Options) (Contents, error) {
	var r FileReport
	return read("", data, o, &r).strict("the file", r)
}

// ReadFile reads one file that is named by itself, whatever its name, as [Read] does; NAME.password beside it counts for
// Options.Passwords.
func ReadFile(path string, o Options) (Contents, error) {
	o.Named = false
	c, r, _, err := load(path, o)
	if err != nil {
		return Contents{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return c.strict(path, r)
}

// Load reads one file of several as [ReadFile] does, gives what it can, and reports the rest. The path in the report is
// the one given.
func Load(path string, o Options) (Contents, FileReport) {
	c, r, mode, err := load(path, o)
	if err != nil {
		r.Problem("it cannot be read: %v", err)
	}
	if len(c.keys) > 0 && mode.Perm()&0o004 != 0 {
		r.Problem("everybody on this machine can read this private key; restrict it: chmod 600")
	}
	return Contents{c.certs, c.keys}, r
}

func load(path string, o Options) (*content, FileReport, fs.FileMode, error) {
	r := FileReport{Path: path}
	data, mode, err := readBounded(path, maxFileSize)
	if err != nil {
		return &content{}, r, 0, err
	}
	c := read(path, data, o, &r)
	r.Certificates, r.Keys = len(c.certs), len(c.keys)
	return c, r, mode, nil
}

// read reads data, with a password file beside path where there is a path.
func read(path string, data []byte, o Options, r *FileReport) *content {
	c := &content{brainpool: o.SoftwareBrainpool}
	c.parse(path, data, o, r)
	return c
}

// strict makes an error of what is wrong with a file.
func (c *content) strict(name string, r FileReport) (Contents, error) {
	var faults []error
	for _, f := range r.Findings {
		if f.Problem {
			faults = append(faults, fmt.Errorf("%s: %s", name, f.Text))
		}
	}
	switch {
	case c.refused:
		return Contents{}, fmt.Errorf("%w: %w", ErrBrainpool, errors.Join(faults...))
	case len(faults) > 0:
		return Contents{}, errors.Join(faults...)
	case len(c.certs)+len(c.keys) == 0:
		return Contents{}, fmt.Errorf("%s holds neither a certificate nor a key", name)
	}
	return Contents{c.certs, c.keys}, nil
}

// Identities joins each private key with its certificates, in the order of the keys and then of the certificates. Chains are built of
// the CA certificates. Keys without a certificate are counted.
func (c Contents) Identities() (all []certs.Identity, without int) {
	issuers := certs.NewIssuers(c.Certificates)
	for _, key := range c.Keys {
		id, found := KeyID(Public(key)), false
		for _, cert := range c.Certificates {
			if id != "" && id == KeyID(cert.PublicKey) {
				all, found = append(all, Identity(cert, issuers.Chain(cert), key)), true
			}
		}
		if !found {
			without++
		}
	}
	return all, without
}

// Add puts the contents of another file behind these, each certificate once.
func (c *Contents) Add(more Contents) {
	seen := map[string]bool{}
	for _, cert := range c.Certificates {
		seen[string(cert.Raw)] = true
	}
	for _, cert := range more.Certificates {
		if !seen[string(cert.Raw)] {
			seen[string(cert.Raw)] = true
			c.Certificates = append(c.Certificates, cert)
		}
	}
	c.Keys = append(c.Keys, more.Keys...)
}
