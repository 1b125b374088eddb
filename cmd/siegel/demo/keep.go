package demo

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/certs/democa"
)

// keep leaves the messages of the way, the certificates and the keys in dir, for other programs to check.
func (s *story) keep(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	password := rand.Text()
	aliceP12, err := democa.PKCS12(s.alice, password, s.ca.Certificate())
	if err != nil {
		return err
	}
	bobP12, err := democa.PKCS12(s.bob, password, s.ca.Certificate())
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"1-sent.eml": s.sent, "2-outgoing-wire.eml": s.outgoing,
		"3-incoming-wire.eml": s.incoming, "4-delivered.eml": s.delivered,
		"ca.pem":    democa.CertificatePEM(s.ca.Certificate()),
		"alice.p12": aliceP12, "bob.p12": bobP12, "password.txt": []byte(password + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	s.say("\nKept in %s: 1-sent.eml 2-outgoing-wire.eml 3-incoming-wire.eml 4-delivered.eml ca.pem alice.p12 bob.p12 password.txt", dir)
	return nil
}
