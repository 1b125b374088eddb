package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// pki has OpenSSL make authorities and users of the kinds that democa does not know.
type pki struct {
	testing.TB
	dir string
}

func (p pki) openssl(args ...string) {
	p.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// root makes a self-signed authority NAME.
func (p pki) root(name string, keyArgs ...string) *x509.Certificate {
	p.Helper()
	p.openssl(append([]string{"req", "-x509", "-nodes", "-subj", "/CN=" + name, "-days", "30", "-keyout", name + ".key", "-out", name + ".pem", "-newkey"}, keyArgs...)...)
	return p.read(name)
}

// issue makes a certificate NAME of alice@firma.example under an authority.
func (p pki) issue(name, ca, extensions string, args ...string) *x509.Certificate {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "ext"), []byte(extensions), 0o600); err != nil {
		p.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, name+".key")); err != nil {
		p.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-out", name+".key")
	}
	p.openssl("req", "-new", "-key", name+".key", "-subj", "/CN="+name, "-out", "csr")
	p.openssl(append([]string{"x509", "-req", "-in", "csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-days", "20", "-extfile", "ext", "-out", name + ".pem"}, args...)...)
	return p.read(name)
}

func (p pki) read(name string) *x509.Certificate {
	p.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name+".pem"))
	if err != nil {
		p.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509x.ParseCertificate(block.Bytes)
	if err != nil {
		p.Fatal(err)
	}
	return c
}

const mailLeaf = "keyUsage=digitalSignature,keyAgreement\nextendedKeyUsage=emailProtection\nsubjectAltName=email:alice@firma.example\n"
const mailCA = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n"

// Chains over Brainpool and RSASSA-PSS keys are judged like any other; a PSS key signs by PSS alone, and as its certificate says.
func TestKindsOfKeys(t *testing.T) {
	p := pki{t, t.TempDir()}
	bp := p.root("bp", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1")
	pss := p.root("pss", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32")
	rsa := p.root("rsa", "rsa:2048")
	small := p.root("small", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:1024")
	middle := p.issue("middle", "bp", mailCA)
	p.openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "psskey.key")
	// The PSS authority's key under a certificate that calls it a plain RSA key makes signatures of the other kind.
	p.openssl("pkey", "-in", "pss.key", "-outform", "DER", "-out", "pss.der")
	p.write("v15.key", pkcs1(t, p.dir, "pss.der"))
	p.openssl("req", "-x509", "-new", "-key", "v15.key", "-subj", "/CN=pss", "-days", "30", "-out", "v15.pem")
	for _, c := range []struct {
		name    string
		leaf    *x509.Certificate
		with    []*x509.Certificate
		anchor  *x509.Certificate
		purpose certs.Purpose
		want    certs.Status
		reason  string
	}{
		{"Brainpool under Brainpool", p.issue("a", "bp", mailLeaf), nil, bp, certs.Sign, certs.StatusValid, ""},
		{"Brainpool, to encrypt", p.issue("a", "bp", mailLeaf), nil, bp, certs.Encrypt, certs.StatusValid, ""},
		{"three Brainpool keys", p.issue("b", "middle", mailLeaf), []*x509.Certificate{middle}, bp, certs.Sign, certs.StatusValid, ""},
		{"under PSS", p.issue("c", "pss", mailLeaf), nil, pss, certs.Sign, certs.StatusValid, ""},
		{"PSS under RSA", p.issue("psskey", "rsa", mailLeaf), nil, rsa, certs.Sign, certs.StatusValid, ""},
		{"PSS, to encrypt", p.issue("psskey", "rsa", "keyUsage=keyEncipherment\n"), nil, rsa, certs.Encrypt, certs.StatusPurpose, "cannot be encrypted to"},
		{"PKCS #1 v1.5 under PSS", p.issue("d", "v15", mailLeaf), nil, pss, certs.Sign, certs.StatusUntrusted, "is signed in a way that the key of the CA certificate of CN=pss"},
		{"PSS with another hash than its own", p.issue("e", "v15", mailLeaf, "-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:64"), nil, pss, certs.Sign, certs.StatusUntrusted, "is signed in a way"},
		{"small PSS", p.issue("f", "small", mailLeaf, "-sigopt", "rsa_pss_saltlen:32"), nil, small, certs.Sign, certs.StatusWeak, "an RSA key of 1024 bits"},
		{"SHA-1 under Brainpool", p.issue("g", "bp", mailLeaf, "-sha1"), nil, bp, certs.Sign, certs.StatusWeak, "ECDSA-SHA1"},
		{"PSS over SHA-1", p.issue("h", "rsa", mailLeaf, "-sha1", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"), nil, rsa, certs.Sign, certs.StatusWeak, "RSASSA-PSS over SHA-1"},
		{"PSS with an odd salt", p.issue("i", "rsa", mailLeaf, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:17"), nil, rsa, certs.Sign, certs.StatusValid, ""},
		{"PSS with the longest salt", p.issue("k", "rsa", mailLeaf, "-sha512", "-sigopt", "rsa_padding_mode:pss"), nil, rsa, certs.Sign, certs.StatusValid, ""},
		{"PSS with another mask hash", p.issue("j", "rsa", mailLeaf, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_mgf1_md:sha512"), nil, rsa, certs.Sign, certs.StatusUntrusted, "with parameters, that is not known here"},
		{"PSS with an odd salt of another root", p.issue("i", "rsa", mailLeaf, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:17"), nil, bp, certs.Sign, certs.StatusUntrusted, ""},
		{"another root", p.issue("a", "bp", mailLeaf), nil, rsa, certs.Sign, certs.StatusUntrusted, ""},
	} {
		v := certs.NewValidator([]*x509.Certificate{c.anchor}, nil)
		r := v.Validate(t.Context(), c.leaf, c.with, c.purpose, "", time.Now())
		if r.Status != c.want || !strings.Contains(strings.Join(r.Reasons, "\n"), c.reason) {
			t.Errorf("%s: %s: %q", c.name, r.Status, r.Reasons)
		}
	}
}

func (p pki) write(name string, data []byte) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o600); err != nil {
		p.Fatal(err)
	}
}

// pkcs1 writes an RSASSA-PSS key as one of RSA.
func pkcs1(t testing.TB, dir, name string) []byte {
	der, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509x.ParsePrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})
}
