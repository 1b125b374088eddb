package bundle_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

const password = "geheimnis"

// OpenSSL, NSS, GnuPG and Java read the PKCS#12 files that are written here, in the form of today and of yesterday, and
// what they write of them is read again.
func TestPKCS12Peers(t *testing.T) {
	needs(t, "openssl", "pk12util", "certutil", "gpgsm", "keytool")
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	chain := []*x509.Certificate{p.CA.Certificate()}
	p.Write("modern.p12", must(bundle.PKCS12(alice.Key, alice.Certificate, chain, secret.New(password), false)))
	p.Write("legacy.p12", must(bundle.PKCS12(alice.Key, alice.Certificate, chain, secret.New(password), true)))
	p.Write("password", []byte(password))
	for _, name := range []string{"modern.p12", "legacy.p12"} {
		p.holds(t, p.Path(name), with(password), alice, 2)
		legacy := []string{}
		if name == "legacy.p12" {
			legacy = []string{"-legacy"}
		}
		info := p.OpenSSL(append([]string{"pkcs12", "-in", name, "-info", "-nodes", "-passin", "pass:" + password}, legacy...)...)
		if strong := strings.Contains(info, "PBES2, PBKDF2, AES-256-CBC"); strong != (name == "modern.p12") || strings.Count(info, "BEGIN CERTIFICATE") != 2 || !strings.Contains(info, "BEGIN PRIVATE KEY") {
			t.Errorf("%s in OpenSSL:\n%s", name, info)
		}
		nss := "sql:" + t.TempDir()
		p.Write("empty", nil)
		p.Run("certutil", "-N", "-d", nss, "-f", "empty", "--empty-password")
		p.Run("pk12util", "-i", name, "-d", nss, "-w", "password", "-K", "")
		keys := p.Run("certutil", "-K", "-d", nss, "-f", "empty")
		if !strings.Contains(keys, "rsa") {
			t.Errorf("%s in NSS:\n%s", name, keys)
		}
		nickname := strings.TrimSpace(keys[strings.LastIndex(strings.TrimRight(keys, "\n"), "  ")+1:])
		p.Run("pk12util", "-o", "nss.p12", "-n", nickname, "-d", nss, "-w", "password", "-K", "")
		p.holds(t, p.Path("nss.p12"), with(password), alice, 2)
		if text := p.Run("keytool", "-list", "-keystore", name, "-storetype", "PKCS12", "-storepass", password); !strings.Contains(text, "PrivateKeyEntry") {
			t.Errorf("%s in Java:\n%s", name, text)
		}
		p.Run("keytool", "-importkeystore", "-noprompt", "-srckeystore", name, "-srcstoretype", "PKCS12", "-srcstorepass", password,
			"-destkeystore", "java-"+name, "-deststoretype", "PKCS12", "-deststorepass", password)
		p.holds(t, p.Path("java-"+name), with(password), alice, 2)
	}
	p.gpgsm(t, "legacy.p12")
}

// gpgsm imports a file and exports the key again.
func (p place) gpgsm(t *testing.T, name string) {
	home := t.TempDir()
	for file, text := range map[string]string{"gpg-agent.conf": "allow-loopback-pinentry\n", "gpgsm.conf": "disable-crl-checks\n"} {
		if err := os.WriteFile(home+"/"+file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { p.Run("gpgconf", "--homedir", home, "--kill", "all") })
	p.Run("sh", "-c", "gpgsm --homedir "+home+" --batch --pinentry-mode loopback --passphrase-fd 0 --import "+name+" < password")
	if text := p.Run("gpgsm", "--homedir", home, "--list-secret-keys"); !strings.Contains(text, "alice@firma.example") {
		t.Errorf("gpgsm: %s", text)
	}
}

// What OpenSSL writes in its two forms is what is read, and a key under the empty password is read without one.
func TestPKCS12FromOpenSSL(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	p.Write("alice.pem", democa.CertificatePEM(alice.Certificate), certstest.KeyPEM(t, alice), democa.CertificatePEM(p.CA.Certificate()))
	for name, args := range map[string][]string{
		"modern": nil, "legacy": {"-legacy"}, "no mac": {"-nomac"}, "no encryption": {"-keypbe", "NONE", "-certpbe", "NONE"},
	} {
		p.OpenSSL(append([]string{"pkcs12", "-export", "-in", "alice.pem", "-out", "x", "-passout", "pass:" + password}, args...)...)
		if name == "no mac" { // which the library and the specification want
			if _, err := bundle.ReadFile(p.Path("x"), with(password)); err != nil && !strings.Contains(err.Error(), "export the key again") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		p.holds(t, p.Path("x"), with("falsch", password), alice, 2)
	}
}

// Bundles written here are read by OpenSSL, gpgsm and keytool.
func TestPKCS7Peers(t *testing.T) {
	needs(t, "openssl", "gpgsm", "keytool")
	p := newPlace(t)
	alice, bob := p.Issue("alice@firma.example", democa.Options{}), p.Issue("bob@firma.example", democa.Options{})
	all := []*x509.Certificate{alice.Certificate, bob.Certificate, p.CA.Certificate()}
	p.Write("all.p7b", must(bundle.PKCS7(all)))
	if text := p.OpenSSL("pkcs7", "-inform", "DER", "-in", "all.p7b", "-print_certs"); strings.Count(text, "BEGIN CERTIFICATE") != 3 {
		t.Errorf("OpenSSL:\n%s", text)
	}
	if text := p.Run("keytool", "-printcert", "-file", "all.p7b"); !strings.Contains(text, "Certificate[3]") {
		t.Errorf("keytool:\n%s", text)
	}
	if text := p.Run("gpgsm", "--homedir", t.TempDir(), "--import", "all.p7b"); !strings.Contains(text, "imported: 3") {
		t.Errorf("gpgsm:\n%s", text)
	}
	c, err := bundle.ReadFile(p.Path("all.p7b"), bundle.Options{})
	if err != nil || len(c.Certificates) != 3 {
		t.Fatalf("%d certificates, %v", len(c.Certificates), err)
	}
	for i, want := range all {
		if !bytes.Equal(c.Certificates[i].Raw, want.Raw) {
			t.Errorf("certificate %d is another one", i)
		}
	}
}

// An encrypted key is read by OpenSSL, also one on a Brainpool curve, and by nobody without its password.
func TestKeyPEM(t *testing.T) {
	p := newPlace(t)
	p.OpenSSL("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-outform", "DER", "-out", "bp")
	brainpool := must(x509x.ParsePrivateKey(must(os.ReadFile(p.Path("bp")))))
	alice := p.Issue("alice@firma.example", democa.Options{})
	for name, k := range map[string]any{"RSA": alice.Key, "Brainpool": brainpool} {
		p.Write("sealed", must(bundle.KeyPEM(k, secret.New(password))))
		if text := p.OpenSSL("pkey", "-in", "sealed", "-passin", "pass:"+password, "-check", "-noout"); !strings.Contains(text, "valid") {
			t.Errorf("%s: OpenSSL: %s", name, text)
		}
		o := with(password)
		o.SoftwareBrainpool = true
		c, err := bundle.ReadFile(p.Path("sealed"), o)
		if err != nil || len(c.Keys) != 1 || bundle.KeyID(bundle.Public(c.Keys[0])) != bundle.KeyID(bundle.Public(k)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bundle.PKCS12(brainpool, alice.Certificate, nil, secret.New(password), false); err == nil || !strings.Contains(err.Error(), "as PEM instead") {
		t.Errorf("a Brainpool key in PKCS#12: %v", err)
	}
}

// No private key is written without a password that is worth the name.
func TestNoPassword(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	for _, short := range []string{"", "geheim!"} {
		if _, err := bundle.PKCS12(alice.Key, alice.Certificate, nil, secret.New(short), false); !errors.Is(err, bundle.ErrNoPassword) {
			t.Errorf("PKCS#12 under %q: %v", short, err)
		}
		if _, err := bundle.KeyPEM(alice.Key, secret.New(short)); !errors.Is(err, bundle.ErrNoPassword) {
			t.Errorf("PEM under %q: %v", short, err)
		}
	}
}

// PEM is what OpenSSL makes of the same certificates.
func TestPEM(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	all := []*x509.Certificate{alice.Certificate, p.CA.Certificate()}
	p.Write("alice.der", alice.Certificate.Raw)
	if got, want := bundle.PEM(all[:1]), p.OpenSSL("x509", "-in", "alice.der", "-inform", "DER"); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if c, err := bundle.Read(bundle.PEM(all), bundle.Options{}); err != nil || len(c.Certificates) != 2 {
		t.Errorf("%v", err)
	}
}
