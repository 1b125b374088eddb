package bundle_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// The files that NSS, GnuPG and Java wrote are read, and each key belongs to its certificate.
func TestFilesOfOtherPrograms(t *testing.T) {
	for name, keys := range map[string]int{"nss.p12": 1, "gpgsm.p12": 1, "keytool.p12": 2} {
		t.Run(name, func(t *testing.T) {
			c, err := bundle.ReadFile(filepath.Join("testdata", name), bundle.Options{Passwords: []secret.String{secret.New("falsch"), secret.New("geheim")}})
			if err != nil || len(c.Certificates) != keys || len(c.Keys) != keys {
				t.Fatalf("%d certificates, %d keys, %v", len(c.Certificates), len(c.Keys), err)
			}
			ids, without := c.Identities()
			if len(ids) != keys || without != 0 {
				t.Fatalf("%d identities, %d keys without", len(ids), without)
			}
			for _, id := range ids {
				certstest.Opens(t, id)
			}
			if c, r := bundle.Load(filepath.Join("testdata", name), with("falsch")); len(c.Keys) != 0 || len(r.Findings) == 0 || !strings.Contains(r.String(), "no password known fits") {
				t.Errorf("with a wrong password:\n%s", r)
			}
		})
	}
}
