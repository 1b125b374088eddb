package folder_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/internal/secret"
)

// The files that NSS, GnuPG and Java write are read, and each key belongs to its certificate.
func TestFilesOfOtherPrograms(t *testing.T) {
	for name, keys := range map[string]int{"nss.p12": 1, "gpgsm.p12": 1, "keytool.p12": 2} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			p := place{TB: t, dir: t.TempDir()}
			p.write(name, data)
			p.write("trust/.keep")
			f, r := p.load(folder.Options{Passwords: []secret.String{secret.New("falsch"), secret.New("geheim")}})
			if r[0].Certificates != keys || r[0].Keys != keys {
				t.Errorf("report:\n%s", r)
			}
			all := f.Identities()
			if len(all) != keys {
				t.Fatalf("%d identities", len(all))
			}
			for _, id := range all {
				if !bytes.Equal(must(x509.MarshalPKIXPublicKey(id.Key.Public())), id.Certificate.RawSubjectPublicKeyInfo) {
					t.Error("the key is another one")
				}
				decrypt(t, id)
			}
			_, r = p.load(folder.Options{Passwords: []secret.String{secret.New("falsch")}})
			if r[0].Keys != 0 || len(r[0].Findings) != 1 {
				t.Errorf("with a wrong password:\n%s", r)
			}
		})
	}
}
