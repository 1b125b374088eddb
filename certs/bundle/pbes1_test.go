package bundle_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
)

// What OpenSSL encrypts as before PBES2, 3DES and RC2, opens under passwords of any length and letters; keys that go-pkcs12 does not know do by 3DES.
func TestOldEncryptions(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	p.Write("key", certstest.KeyPEM(t, alice))
	p.Write("cert", democa.CertificatePEM(alice.Certificate))
	p.OpenSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-nodes", "-keyout", "odd.key", "-out", "odd.cert", "-subj", "/CN=odd")
	old, rc2 := []string{"-legacy", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"}, []string{"-legacy", "-keypbe", "PBE-SHA1-RC2-128"}
	for name, password := range map[string]string{"short": "x", "umlauts": "Größe", "a block": strings.Repeat("ä1", 15) + "z", "more than a block": strings.Repeat("Länge ", 20), "none": ""} {
		for form, args := range map[string][]string{
			"3DES": append(old, "-in", "cert", "-inkey", "key"), "RC2": append(rc2, "-in", "cert", "-inkey", "key"), "as OpenSSL had it": {"-legacy", "-in", "cert", "-inkey", "key"},
			"Brainpool by 3DES": append(old, "-in", "odd.cert", "-inkey", "odd.key"), "no MAC": append(old, "-nomac", "-in", "cert", "-inkey", "key"),
		} {
			p.OpenSSL(append([]string{"pkcs12", "-export", "-out", "old.p12", "-passout", "pass:" + password}, args...)...)
			c, err := bundle.ReadFile(p.Path("old.p12"), bundle.Options{Passwords: []secret.String{secret.New("falsch"), secret.New(password)}, SoftwareBrainpool: true})
			if ids, without := c.Identities(); err != nil || len(ids) != 1 || without != 0 {
				t.Errorf("%s, password %s: %d with keys, %d keys without, %v", form, name, len(ids), without, err)
			}
		}
	}
}
