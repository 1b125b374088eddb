package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/test/stand"
)

// Who is there. Dora has no certificate.
const (
	alice = "alice@firma.example"
	anna  = "anna@firma.example" // her key is on a curve
	bob   = "bob@partner.example"
	carol = "carol@partner.example"
	dora  = "dora@partner.example"
	// journal is an address that copies for an archive go to.
	journal = "journal@firma.example"
	erik    = "erik@partner.example" // his key is on a curve, too
)

// scannerPassword is what the program that logs in knows.
const scannerPassword = "correct horse battery"

// cast is the files that every scenario begins with, by their path in its folder.
var cast = sync.OnceValues(makeCast)

func makeCast() (map[string][]byte, error) {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		return nil, err
	}
	root := democa.CertificatePEM(ca.Certificate())
	hash, err := bcrypt.GenerateFromPassword([]byte(scannerPassword), 10)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ca.pem": root, "trust/ca.pem": root, "at-rest.key": []byte(atrest.NewKey().Text()),
		"users.yaml":     fmt.Appendf(nil, "- {name: scanner, hash: %q, may_use: [%s]}\n", hash, alice),
		"trustlist.txt":  fmt.Appendf(nil, "%X S relax\n", sha1.Sum(ca.Certificate().Raw)),
		"run/.keep":      nil,
		"password.txt":   []byte(scannerPassword + "\n"),
		"gpg-agent.conf": []byte("allow-loopback-pinentry\n"),
	}
	return files, errors.Join(addPeople(files, ca), addServers(files))
}

// addPeople adds NAME.pem (certificate and key), NAME.crt (certificate), and what the gateway has of both.
func addPeople(files map[string][]byte, ca *democa.CA) error {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	eriks, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for name, p := range map[string]struct {
		address string
		inside  bool
		options democa.Options
	}{
		"alice": {address: alice, inside: true}, "anna": {address: anna, inside: true, options: democa.Options{Key: curve}},
		"bob": {address: bob}, "carol": {address: carol},
		"erik": {address: erik, options: democa.Options{Key: eriks}},
	} {
		id, err := ca.Issue(p.address, p.options)
		if err != nil {
			return err
		}
		both, err := pair(id)
		if err != nil {
			return err
		}
		files[name+".pem"], files[name+".crt"] = both, democa.CertificatePEM(id.Certificate)
		files["certificates/"+name+".pem"] = files[name+".crt"]
		if p.inside {
			files["certificates/"+name+".pem"] = both
		}
	}
	return nil
}

func pair(id certs.Identity) ([]byte, error) {
	key, err := democa.KeyPEM(id.Key)
	return bytes.Join([][]byte{democa.CertificatePEM(id.Certificate), key}, nil), err
}

// addServers adds the certificates of the connections: tls.pem, tls.key and tls-ca.pem, and one by an
// authority that nobody believes.
func addServers(files map[string][]byte) error {
	for _, name := range []string{"tls", "stranger"} {
		authority, err := stand.NewAuthority()
		if err != nil {
			return err
		}
		if files[name+".pem"], files[name+".key"], err = authority.Server(); err != nil {
			return err
		}
		files[name+"-ca.pem"] = authority.PEM()
	}
	return nil
}

// write puts files into dir; who may open a socket beside them is the gateway alone.
func write(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
