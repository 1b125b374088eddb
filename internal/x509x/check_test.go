package x509x_test

import (
	"errors"
	"testing"

	"crypto/x509"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// Signatures with the salt that OpenSSL takes by itself verify, under the rules of crypto/x509 for issuers.
func TestCheckSignatureFrom(t *testing.T) {
	dir := authorities(t, "pss", "rsa", "bp256", "pss-restricted")
	write(t, dir, "index.txt", "")
	write(t, dir, "ca.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=10\n")
	root := parse(t, readDER(t, dir, "pss.ca"))
	openssl(t, dir, "x509", "-req", "-in", "bp256.csr", "-CA", "pss.ca", "-CAkey", "pss.key", "-extfile", "leaf.ext", "-out", "leaf")
	openssl(t, dir, "ca", "-config", "ca.cnf", "-gencrl", "-cert", "pss.ca", "-keyfile", "pss.key", "-out", "crl")
	leaf := parse(t, readDER(t, dir, "leaf"))
	crl, err := x509x.ParseRevocationList(readDER(t, dir, "crl"))
	if err != nil {
		t.Fatal(err)
	}
	if leaf.SignatureAlgorithm != x509.UnknownSignatureAlgorithm || crl.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		t.Fatalf("crypto/x509 knows them: %v, %v", leaf.SignatureAlgorithm, crl.SignatureAlgorithm)
	}
	for name, err := range map[string]error{"certificate": x509x.CheckSignatureFrom(leaf, root), "list": x509x.CheckListSignatureFrom(crl, root)} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	none, noCRL, other := *root, *root, parse(t, readDER(t, dir, "rsa.ca"))
	none.IsCA = false
	noCRL.KeyUsage = x509.KeyUsageDigitalSignature
	changed := *leaf
	changed.RawTBSCertificate = root.RawTBSCertificate
	for name, err := range map[string]error{
		"no authority": x509x.CheckSignatureFrom(leaf, &none), "key usage": x509x.CheckSignatureFrom(leaf, &noCRL), "another key": x509x.CheckSignatureFrom(leaf, other),
		"other content": x509x.CheckSignatureFrom(&changed, root), "list of no authority": x509x.CheckListSignatureFrom(crl, &none),
		"list, key usage": x509x.CheckListSignatureFrom(crl, &noCRL), "list of another key": x509x.CheckListSignatureFrom(crl, other),
		"a key of another kind": x509x.CheckSignatureFrom(leaf, parse(t, readDER(t, dir, "bp256.ca"))),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if !errors.Is(x509x.CheckSignatureFrom(leaf, other), x509x.ErrSignature) {
		t.Error("not ErrSignature")
	}
	// A key for PSS with SHA-256 makes no signatures of other kinds.
	restricted := parse(t, readDER(t, dir, "pss-restricted.ca"))
	if err := x509x.CheckSignatureFrom(issue(t, dir, "rsa", "pss-restricted", "leaf.ext"), restricted); err != nil {
		t.Error(err)
	}
	v15 := *restricted
	v15.PublicKey = other.PublicKey
	if err := x509x.CheckSignatureFrom(issue(t, dir, "bp256", "rsa", "leaf.ext"), &v15); !errors.Is(err, x509x.ErrSignature) {
		t.Errorf("PKCS #1 v1.5 by a key for PSS: %v", err)
	}
}
