package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/democa"
)

// certFiles writes the files of an administrator: alice.p12 with its password beside it, bob.p12 without, and the authority of
// both.
func certFiles(dir string) error {
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		return err
	}
	p7, err := bundle.PKCS7([]*x509.Certificate{ca.Certificate()})
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.p7b": p7, "alice.p12.password": []byte("geheim\n")}
	for name, password := range map[string]string{"alice": "geheim", "bob": "anderes"} {
		id, err := ca.Issue(name+"@firma.example", democa.Options{})
		if err != nil {
			return err
		}
		if files[name+".p12"], err = democa.PKCS12(id, password); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// What the commands on certificates say without a gateway.
func TestCertsCommandsAlone(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/certs",
		Setup: func(e *testscript.Env) error {
			dir := filepath.Join(e.WorkDir, "files")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			return certFiles(dir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"siegel": scriptSiegel},
	})
}
