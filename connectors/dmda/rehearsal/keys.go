package rehearsal

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Operator is whose certificate may change the faults of a world that runs.
const Operator = "operator"

// Keys are all keys and passwords of a world.
type Keys struct {
	// Signing issues the certificates that providers sign confirmations with, TLS those of servers and clients.
	Signing, TLS *dmda.Authority
	// Clients are the certificates that companies, and the operator, log in with, by their names.
	Clients map[string]tls.Certificate
	// Passwords are the companies' passwords.
	Passwords map[string]secret.String
}

// NewKeys makes keys that are valid for a year.
func NewKeys(now time.Time) (*Keys, error) {
	k := &Keys{Clients: map[string]tls.Certificate{}, Passwords: map[string]secret.String{}}
	var err error
	if k.Signing, err = dmda.NewAuthority(now); err != nil {
		return nil, err
	}
	if k.TLS, err = dmda.NewAuthority(now); err != nil {
		return nil, err
	}
	for _, name := range append(names(), Operator) {
		if k.Clients[name], err = k.TLS.Client(now, name); err != nil {
			return nil, err
		}
		if name != Operator {
			k.Passwords[name] = secret.New("SIMULATED-" + rand.Text())
		}
	}
	return k, nil
}

// The files of keys in a folder.
const (
	signingFile = "authority-of-signatures.pem" // with its key
	tlsFile     = "authority-of-tls.pem"        // with its key
	AnchorsFile = "signatures-ca.pem"           // for the anchors of a gateway
	RootsFile   = "tls-ca.pem"                  // for the ca of its account
)

// CertificateFile is where the client certificate of a company is.
func CertificateFile(name string) string { return name + ".pem" }

// KeyFile is where the key of the certificate is.
func KeyFile(name string) string { return name + ".key" }

// PasswordFile is where the password of a company is.
func PasswordFile(name string) string { return name + ".password" }

// LoadKeys gives the keys that lie in a folder, and makes and keeps them where none do. The folder is made where it is missing, for its owner's eyes. What is there
// and cannot be used is an error, and stays.
func LoadKeys(dir string, now time.Time) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	_, err := os.Stat(filepath.Join(dir, tlsFile))
	if errors.Is(err, fs.ErrNotExist) {
		k, err := NewKeys(now)
		if err != nil {
			return nil, err
		}
		return k, k.write(dir)
	}
	if err != nil {
		return nil, err
	}
	k, err := readKeys(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; name another folder, or remove this one for new keys", err)
	}
	if until := k.TLS.Certificate.NotAfter; now.After(until) {
		return nil, fmt.Errorf("the keys in %s were valid until %s; remove the folder for new ones", dir, until.Format(time.DateOnly))
	}
	return k, nil
}

// file is one of the keys'.
type file struct {
	name string
	text []byte
}

// files are what is kept; the authority of TLS, by which the keys are found again, comes last.
func (k *Keys) files() ([]file, error) {
	out := []file{{AnchorsFile, dmda.CertificatePEM(k.Signing.Certificate)}, {RootsFile, dmda.CertificatePEM(k.TLS.Certificate)}}
	for name, c := range k.Clients {
		key, err := dmda.KeyPEM(c)
		if err != nil {
			return nil, err
		}
		out = append(out, file{CertificateFile(name), dmda.CertificatePEM(c.Leaf)}, file{KeyFile(name), key})
	}
	for name, p := range k.Passwords {
		out = append(out, file{PasswordFile(name), []byte(p.Reveal() + "\n")})
	}
	signing, err := k.Signing.PEM()
	if err != nil {
		return nil, err
	}
	forTLS, err := k.TLS.PEM()
	return append(out, file{signingFile, signing}, file{tlsFile, forTLS}), err
}

// write keeps the keys, never over a file that is there.
func (k *Keys) write(dir string) error {
	files, err := k.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := writeNew(filepath.Join(dir, f.name), f.text); err != nil {
			return err
		}
	}
	return nil
}

func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// maxFile bounds a file of keys.
const maxFile = 64 << 10

func readFile(dir, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is longer than any file of keys", filepath.Join(dir, name))
	}
	return text, err
}

func readKeys(dir string) (*Keys, error) {
	k := &Keys{Clients: map[string]tls.Certificate{}, Passwords: map[string]secret.String{}}
	for name, to := range map[string]**dmda.Authority{signingFile: &k.Signing, tlsFile: &k.TLS} {
		text, err := readFile(dir, name)
		if err != nil {
			return nil, err
		}
		if *to, err = dmda.ReadAuthority(text); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
	}
	for _, name := range append(names(), Operator) {
		var err error
		if k.Clients[name], err = ReadClient(dir, name); err != nil {
			return nil, err
		}
		if name == Operator {
			continue
		}
		if k.Passwords[name], err = ReadPassword(dir, name); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// ReadClient reads the certificate of a company, or of the operator, with its key.
func ReadClient(dir, name string) (tls.Certificate, error) {
	certificate, err := readFile(dir, CertificateFile(name))
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readFile(dir, KeyFile(name))
	if err != nil {
		return tls.Certificate{}, err
	}
	c, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s and %s are no certificate with its key", filepath.Join(dir, CertificateFile(name)), KeyFile(name))
	}
	return c, nil
}

// ReadPassword reads the password of a company.
func ReadPassword(dir, name string) (secret.String, error) {
	text, err := readFile(dir, PasswordFile(name))
	return secret.New(strings.TrimSpace(string(text))), err
}

// ReadRoot reads the authority of the providers' TLS.
func ReadRoot(dir string) (*x509.Certificate, error) { return readCertificate(dir, RootsFile) }

// ReadAnchor reads the authority of the providers' signatures.
func ReadAnchor(dir string) (*x509.Certificate, error) { return readCertificate(dir, AnchorsFile) }

func readCertificate(dir, name string) (*x509.Certificate, error) {
	text, err := readFile(dir, name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(dir, name))
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(dir, name))
	}
	return c, nil
}
