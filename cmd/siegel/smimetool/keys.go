package smimetool

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime/cms"
)

// Keys are the files with keys and certificates, as flags.
type Keys struct {
	Key               []string `sep:"none" placeholder:"FILE" help:"Private key, with or without its certificate: PEM or PKCS#12. May be given several times."`
	Cert              []string `sep:"none" placeholder:"FILE" help:"Certificate of a key, or one between it and its root. May be given several times."`
	Password          []string `sep:"none" placeholder:"TEXT" help:"Password of a key file. Others on this machine can see it; prefer --password-file."`
	PasswordFile      []string `sep:"none" placeholder:"FILE" help:"File whose first line is the password."`
	SoftwareBrainpool bool     `help:"Use private keys on Brainpool curves. Who can measure how long that takes may learn the key."`
}

// maxPassword bounds a file with a password.
const maxPassword = 4 << 10

// options are those to read key files with.
func (k Keys) options() (bundle.Options, error) {
	o := bundle.Options{SoftwareBrainpool: k.SoftwareBrainpool}
	for _, p := range k.Password {
		o.Passwords = append(o.Passwords, secret.New(p))
	}
	for _, path := range k.PasswordFile {
		data, err := readPassword(path)
		if err != nil {
			return o, usage("the password cannot be read: %w", err)
		}
		if len(data) > maxPassword {
			return o, usage("%s is no file with a password: it is too long", path)
		}
		line, _, _ := strings.Cut(string(data), "\n")
		o.Passwords = append(o.Passwords, secret.New(strings.TrimSuffix(line, "\r")))
	}
	return o, nil
}

// readPassword reads a file as far as tells that it is too long.
func readPassword(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPassword+1))
}

// read reads the files.
func (k Keys) read() (bundle.Contents, error) {
	var all bundle.Contents
	o, err := k.options()
	if err != nil {
		return all, err
	}
	for _, path := range append(k.Key[:len(k.Key):len(k.Key)], k.Cert...) {
		c, err := bundle.ReadFile(path, o)
		if errors.Is(err, bundle.ErrBrainpool) {
			return all, usage("%w; --software-brainpool allows it", err)
		}
		if err != nil {
			return all, usage("%w", err)
		}
		all.Add(c)
	}
	return all, nil
}

// identities are the keys with their certificates. There is at least one, unless no file was named.
func (k Keys) identities() (bundle.Contents, []certs.Identity, error) {
	all, err := k.read()
	if err != nil {
		return all, nil, err
	}
	ids, without := all.Identities()
	switch {
	case without > 0:
		return all, nil, usage("a private key has no certificate among the files; name it with --cert")
	case len(k.Key) > 0 && len(ids) == 0:
		return all, nil, usage("the files named with --key hold no private key")
	}
	return all, ids, nil
}

// finder gives the keys that decrypt.
func (k Keys) finder(ids []certs.Identity) cms.KeyFinder {
	var keys []cms.Key
	for _, id := range ids {
		if r, err := x509x.RestrictionOf(id.Certificate); err != nil || r.PSSOnly {
			continue
		}
		if d, ok := id.Key.(crypto.Decrypter); ok {
			keys = append(keys, cms.Key{Certificate: id.Certificate, Decrypter: d})
		} else if a, err := cms.NewKeyAgreement(id.Private(), cms.AgreementOptions{SoftwareBrainpool: k.SoftwareBrainpool}); err == nil {
			keys = append(keys, cms.Key{Certificate: id.Certificate, Agreement: a})
		}
	}
	return func([]cms.RecipientID) []cms.Key { return keys }
}

// certificates reads files of certificates.
func certificates(paths []string, flag string) ([][]*x509.Certificate, error) {
	var all [][]*x509.Certificate
	for _, path := range paths {
		c, err := bundle.ReadFile(path, bundle.Options{})
		if err != nil {
			return nil, usage("%s: %w", flag, err)
		}
		if len(c.Certificates) == 0 {
			return nil, usage("%s: %s holds no certificate", flag, path)
		}
		all = append(all, c.Certificates)
	}
	return all, nil
}

// mayEncrypt are the certificates of a file that are for recipients: those of users whose key usage lets them be encrypted
// to (RFC 8550, 4.4.2). Where there is none the first one is taken as it is.
func mayEncrypt(all []*x509.Certificate) []*x509.Certificate {
	const bits = x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	return chosen(all, bits)
}

func chosen(all []*x509.Certificate, bits x509.KeyUsage) []*x509.Certificate {
	var some []*x509.Certificate
	for _, c := range all {
		if !c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&bits != 0) {
			some = append(some, c)
		}
	}
	if len(some) == 0 {
		return all[:1]
	}
	return some
}

// maySign are the identities that are for signing, each key once and with its newest certificate; where there is
// none, all.
func maySign(ids []certs.Identity) []certs.Identity {
	const bits = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	var some []certs.Identity
	at := map[string]int{}
	for _, id := range ids {
		c := id.Certificate
		if id.Key == nil || c.KeyUsage != 0 && c.KeyUsage&bits == 0 {
			continue
		}
		i, seen := at[string(c.RawSubjectPublicKeyInfo)]
		switch {
		case !seen:
			at[string(c.RawSubjectPublicKeyInfo)] = len(some)
			some = append(some, id)
		case c.NotBefore.After(some[i].Certificate.NotBefore):
			some[i] = id
		}
	}
	if len(some) == 0 {
		return ids
	}
	return some
}
