package interop

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

// library is what the two Go libraries have in common, whose types are equal but for their package.
type library struct {
	desk
	title, path string
	mu          *sync.Mutex // the content algorithm is a variable of the package
	newSigned   func(content []byte, p person, hash crypto.Hash, bare, detach bool) ([]byte, error)
	check       func(message, content []byte, roots *x509.CertPool) ([]byte, error)
	seal        func(content []byte, algorithm string, recipients []*x509.Certificate) ([]byte, error)
	open        func(message []byte, p person) ([]byte, error)
}

func (l library) name() string { return l.title }

// version is that of go.mod.
func (l library) version() string {
	data, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	_, after, found := strings.Cut(string(data), l.path+" v")
	if err != nil || !found {
		return "of unknown version"
	}
	return strings.Fields(after)[0]
}

func (l library) sign(c signCase, content []byte) ([]byte, error) {
	switch {
	case c.ski:
		return nil, lack{"naming signers by key identifier"}
	case len(c.schemes) > 1:
		return nil, lack{"several signers with one digest each"}
	case c.schemes[0].pss:
		return nil, lack{"RSASSA-PSS"}
	case c.form == streamed:
		return nil, lack{"indefinite lengths"}
	}
	return guarded(func() ([]byte, error) {
		return l.newSigned(content, l.w.people[c.schemes[0].person], c.hash, c.bare, c.form == detached)
	})
}

func (l library) verify(c signCase, message, content []byte) error {
	roots := x509.NewCertPool()
	roots.AddCert(l.w.root.cert)
	var given []byte
	if c.form == detached {
		given = content
	}
	got, err := guarded(func() ([]byte, error) { return l.check(message, given, roots) })
	if err == nil && !bytes.Equal(got, content) {
		return errOther
	}
	return err
}

func (l library) encrypt(c sealCase, content []byte) ([]byte, error) {
	var recipients []*x509.Certificate
	for i, p := range l.w.recipients(c) {
		if t := c.transports[i]; t.oaep || t.readers {
			return nil, lack{"these parameters"}
		}
		recipients = append(recipients, p.cert)
	}
	switch {
	case c.ski:
		return nil, lack{"naming recipients by key identifier"}
	case c.form == streamed:
		return nil, lack{"indefinite lengths"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return guarded(func() ([]byte, error) { return l.seal(content, c.algorithm, recipients) })
}

func (l library) decrypt(c sealCase, p person, message, content []byte) error {
	got, err := guarded(func() ([]byte, error) { return l.open(message, p) })
	if err == nil && !bytes.Equal(got, content) {
		return errOther
	}
	return err
}

func newMozilla(_ testing.TB, w *world) peer {
	l := library{desk: desk{w}, title: "mozilla/pkcs7", path: "go.mozilla.org/pkcs7", mu: new(sync.Mutex)}
	l.newSigned = func(content []byte, p person, hash crypto.Hash, bare, detach bool) ([]byte, error) {
		s, err := mozilla.NewSignedData(content)
		if err != nil {
			return nil, err
		}
		switch hash {
		case crypto.SHA256:
			s.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA256)
		case crypto.SHA384:
			s.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA384)
		case crypto.SHA512:
			s.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA512)
		}
		add := s.AddSigner
		if bare {
			add = s.SignWithoutAttr
		}
		if err := add(p.cert, p.key, mozilla.SignerInfoConfig{}); err != nil {
			return nil, err
		}
		if detach {
			s.Detach()
		}
		return s.Finish()
	}
	l.check = func(message, content []byte, roots *x509.CertPool) ([]byte, error) {
		m, err := mozilla.Parse(message)
		if err != nil {
			return nil, err
		}
		if content != nil {
			m.Content = content
		}
		return m.Content, m.VerifyWithChain(roots)
	}
	l.seal = func(content []byte, algorithm string, recipients []*x509.Certificate) ([]byte, error) {
		switch algorithm {
		case "aes128-cbc":
			mozilla.ContentEncryptionAlgorithm = mozilla.EncryptionAlgorithmAES128CBC
		case "aes256-cbc":
			mozilla.ContentEncryptionAlgorithm = mozilla.EncryptionAlgorithmAES256CBC
		case "aes128-gcm":
			mozilla.ContentEncryptionAlgorithm = mozilla.EncryptionAlgorithmAES128GCM
		case "aes256-gcm":
			mozilla.ContentEncryptionAlgorithm = mozilla.EncryptionAlgorithmAES256GCM
		default:
			return nil, lack{algorithm}
		}
		return mozilla.Encrypt(content, recipients)
	}
	l.open = func(message []byte, p person) ([]byte, error) {
		m, err := mozilla.Parse(message)
		if err != nil {
			return nil, err
		}
		return m.Decrypt(p.cert, p.key)
	}
	return l
}

func newSmallstep(_ testing.TB, w *world) peer {
	l := library{desk: desk{w}, title: "smallstep/pkcs7", path: "github.com/smallstep/pkcs7", mu: new(sync.Mutex)}
	l.newSigned = func(content []byte, p person, hash crypto.Hash, bare, detach bool) ([]byte, error) {
		s, err := pkcs7.NewSignedData(content)
		if err != nil {
			return nil, err
		}
		switch hash {
		case crypto.SHA256:
			s.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
		case crypto.SHA384:
			s.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA384)
		case crypto.SHA512:
			s.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA512)
		}
		add := s.AddSigner
		if bare {
			add = s.SignWithoutAttr
		}
		if err := add(p.cert, p.key, pkcs7.SignerInfoConfig{}); err != nil {
			return nil, err
		}
		if detach {
			s.Detach()
		}
		return s.Finish()
	}
	l.check = func(message, content []byte, roots *x509.CertPool) ([]byte, error) {
		m, err := pkcs7.Parse(message)
		if err != nil {
			return nil, err
		}
		if content != nil {
			m.Content = content
		}
		return m.Content, m.VerifyWithChain(roots)
	}
	l.seal = func(content []byte, algorithm string, recipients []*x509.Certificate) ([]byte, error) {
		switch algorithm {
		case "aes128-cbc":
			pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES128CBC
		case "aes256-cbc":
			pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC
		case "aes128-gcm":
			pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES128GCM
		case "aes256-gcm":
			pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256GCM
		default:
			return nil, lack{algorithm}
		}
		return pkcs7.Encrypt(content, recipients)
	}
	l.open = func(message []byte, p person) ([]byte, error) {
		m, err := pkcs7.Parse(message)
		if err != nil {
			return nil, err
		}
		key, ok := p.key.(crypto.Decrypter)
		if !ok {
			return nil, errors.New("takes RSA keys alone")
		}
		return m.Decrypt(p.cert, key)
	}
	return l
}
