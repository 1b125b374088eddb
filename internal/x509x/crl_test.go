package x509x_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Lists of both versions, by authorities of kinds that crypto/x509 refuses, verify.
func TestRevocationLists(t *testing.T) {
	for _, kind := range []string{"bp256", "p256", "pss"} {
		dir := authorities(t, kind)
		write(t, dir, "index.txt", "")
		write(t, dir, "ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=10\n[e]\nauthorityKeyIdentifier=keyid\n")
		ca := parse(t, readDER(t, dir, kind+".ca"))
		for _, version := range [][]string{nil, {"-crlexts", "e"}} {
			args := append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-cert", kind + ".ca", "-keyfile", kind + ".key", "-out", "crl"}, version...)
			if kind == "pss" {
				args = append(args, "-sigopt", "rsa_pss_saltlen:digest")
			}
			openssl(t, dir, args...)
			der := readDER(t, dir, "crl")
			crl, err := x509x.ParseRevocationList(der)
			if err != nil || crl.CheckSignatureFrom(ca) != nil || !bytes.Equal(crl.Raw, der) {
				t.Errorf("%s %v: %v", kind, version, err)
				continue
			}
			if _, err := x509.ParseRevocationList(der); (err == nil) != (version != nil) {
				t.Errorf("%s %v: crypto/x509 says %v", kind, version, err)
			}
			crl.RawTBSRevocationList[len(crl.RawTBSRevocationList)-1] ^= 1
			if crl.CheckSignatureFrom(ca) == nil {
				t.Errorf("%s %v: verifies over something else", kind, version)
			}
			if _, err := x509x.ParseRevocationList(append(der, 0)); err == nil {
				t.Errorf("%s %v: something may follow", kind, version)
			}
		}
	}
}

func FuzzParseRevocationList(f *testing.F) {
	f.Add([]byte{0x30, 0x04, 0x30, 0x02, 0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		want, xerr := x509.ParseRevocationList(der)
		crl, err := x509x.ParseRevocationList(der)
		if err == nil && !bytes.Equal(crl.Raw, der) {
			t.Fatal("not what was given")
		}
		if xerr == nil && len(want.Raw) == len(der) && err != nil {
			t.Fatalf("crypto/x509 reads it: %v", err)
		}
	})
}
