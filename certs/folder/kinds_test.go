package folder_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// authority has OpenSSL make an authority, since democa knows only what crypto/x509 does.
func authority(t testing.TB, keyArgs ...string) place {
	p := place{certstest.New(t, nil)}
	p.Write("trust/.keep")
	p.OpenSSL(append([]string{"req", "-x509", "-nodes", "-newkey"}, append(keyArgs, "-keyout", ".ca.key", "-out", "trust/ca.pem",
		"-subj", "/CN=CA", "-days", "30")...)...)
	return p
}

// user makes a key and a certificate of alice@firma.example for it: .user.key and .user.pem.
func (p place) user(keyUsage string, genpkey ...string) {
	p.Helper()
	p.OpenSSL(append([]string{"genpkey", "-out", ".user.key", "-algorithm"}, genpkey...)...)
	p.OpenSSL("pkey", "-in", ".user.key", "-pubout", "-out", ".user.pub")
	p.Write(".ext", []byte("keyUsage="+keyUsage+"\nextendedKeyUsage=emailProtection\nsubjectAltName=email:alice@firma.example\n"))
	p.OpenSSL("genpkey", "-algorithm", "ED25519", "-out", ".other.key") // X25519 cannot sign a request
	p.OpenSSL("req", "-new", "-key", ".other.key", "-subj", "/CN=Alice", "-out", ".csr")
	p.OpenSSL("x509", "-req", "-in", ".csr", "-force_pubkey", ".user.pub", "-CA", "trust/ca.pem", "-CAkey", ".ca.key",
		"-days", "20", "-extfile", ".ext", "-out", ".user.pem")
}

// loadNow loads the folder at the time that OpenSSL made its certificates at.
func (p place) loadNow(o folder.Options) (*folder.Folder, folder.Report) {
	o.Now = time.Now()
	return p.load(o)
}

// What each kind of key is used for, from each form in which OpenSSL writes it.
func TestKindsOfKeys(t *testing.T) {
	pss := []string{"RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"}
	bp := []string{"EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}
	for _, c := range []struct {
		name          string
		genpkey       []string
		usage         string
		brainpool     bool
		sign, encrypt bool
		decrypt       int
		key           crypto.PrivateKey
	}{
		{"P-256", []string{"EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, "digitalSignature,keyAgreement", false, true, true, 1, &ecdsa.PrivateKey{}},
		{"P-384 without keyAgreement", []string{"EC", "-pkeyopt", "ec_paramgen_curve:P-384"}, "digitalSignature", false, true, false, 1, &ecdsa.PrivateKey{}},
		{"Ed25519", []string{"ED25519"}, "digitalSignature", false, true, false, 1, ed25519.PrivateKey{}},
		{"X25519", []string{"X25519"}, "keyAgreement", false, false, true, 1, &ecdh.PrivateKey{}},
		{"PSS", pss, "digitalSignature,keyEncipherment", false, true, false, 0, &rsa.PrivateKey{}},
		{"Brainpool", bp, "digitalSignature,keyAgreement", false, false, false, 0, nil},
		{"Brainpool where it may be used", bp, "digitalSignature,keyAgreement", true, true, true, 1, &ecdsa.PrivateKey{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := authority(t, "rsa:2048")
			p.user(c.usage, c.genpkey...)
			forms := map[string]func(){
				"a.pem": func() {
					p.OpenSSL("x509", "-in", ".user.pem", "-out", "a.crt")
					p.OpenSSL("pkey", "-in", ".user.key", "-out", "a.key")
				},
				"a.key": func() {
					p.OpenSSL("x509", "-in", ".user.pem", "-out", "a.crt")
					p.OpenSSL("pkcs8", "-topk8", "-in", ".user.key", "-out", "a.key", "-passout", "pass:geheim")
				},
				"a.p12": func() {
					p.OpenSSL("pkcs12", "-export", "-in", ".user.pem", "-inkey", ".user.key", "-certfile", "trust/ca.pem", "-out", "a.p12", "-passout", "pass:geheim")
				},
			}
			for form, write := range forms {
				p.Remove("a.crt", "a.key", "a.p12")
				write()
				f, r := p.loadNow(folder.Options{SoftwareBrainpool: c.brainpool, Passwords: []secret.String{secret.New("geheim")}})
				p.uses(f, form, c.sign, c.encrypt, c.decrypt, c.key)
				if t.Failed() {
					t.Fatalf("%s:\n%s", form, r)
				}
			}
		})
	}
}

// uses checks what a folder does with the one certificate in it.
func (p place) uses(f *folder.Folder, form string, sign, encrypt bool, decrypt int, key crypto.PrivateKey) {
	p.Helper()
	id, err := f.Signing(p.Context(), "alice@firma.example", time.Now())
	if sign != (err == nil) || sign && (id.Key == nil || fmt.Sprintf("%T", id.Private()) != fmt.Sprintf("%T", key)) {
		p.Errorf("%s: signs with %T: %v", form, id.Private(), err)
	}
	c, err := f.Recipient(p.Context(), "alice@firma.example", time.Now())
	if encrypt != (err == nil) || encrypt && c.PublicKey == nil {
		p.Errorf("%s: encrypted to: %v", form, err)
	}
	all := f.Identities()
	if len(all) != decrypt {
		p.Errorf("%s: %d identities decrypt", form, len(all))
	}
	for _, id := range all {
		public := id.Private().(interface{ Public() crypto.PublicKey }).Public()
		mine, err := x509x.MarshalPublicKey(public)
		theirs, err2 := x509x.MarshalPublicKey(id.Certificate.PublicKey)
		if err != nil || err2 != nil || !bytes.Equal(mine, theirs) || (id.Key == nil) == (id.Agreement == nil) {
			p.Errorf("%s: identity %+v: %v, %v", form, id, err, err2)
		}
	}
}

// A Brainpool authority, its Brainpool user, and the chain that goes with a signature.
func TestBrainpoolChain(t *testing.T) {
	p := authority(t, "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1")
	p.user("digitalSignature,keyAgreement", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1")
	p.OpenSSL("x509", "-in", ".user.pem", "-out", "a.crt")
	f, r := p.loadNow(folder.Options{})
	_, err := f.Recipient(t.Context(), "alice@firma.example", time.Now())
	var unusable *certs.UnusableError
	if !errors.As(err, &unusable) || !strings.Contains(err.Error(), "EC on brainpoolP512r1, which is not used here to encrypt; arithmetic on Brainpool curves is not in constant time") {
		t.Errorf("%v\n%s", err, r)
	}
	f, _ = p.loadNow(folder.Options{SoftwareBrainpool: true})
	c, err := f.Recipient(t.Context(), "alice@firma.example", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if r := f.Validator().Validate(t.Context(), c, nil, certs.Sign, "alice@firma.example", time.Now()); !r.Valid() || len(r.Chain) != 2 {
		t.Errorf("%+v", r)
	}
}

func TestWrongPasswordOfOddKinds(t *testing.T) {
	p := authority(t, "rsa:2048")
	p.user("digitalSignature", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1")
	for _, mac := range []string{"", "-nomac"} {
		args := []string{"pkcs12", "-export", "-in", ".user.pem", "-inkey", ".user.key", "-out", "a.p12", "-passout", "pass:geheim"}
		if mac != "" {
			args = append(args, mac)
		}
		p.OpenSSL(args...)
		_, r := p.loadNow(folder.Options{SoftwareBrainpool: true, Passwords: []secret.String{secret.New("falsch")}})
		if r[0].Keys != 0 || len(r.Problems()) == 0 {
			t.Errorf("%s: %s", mac, r)
		}
	}
	p.OpenSSL("pkcs12", "-export", "-in", ".user.pem", "-inkey", ".user.key", "-out", "a.p12", "-passout", "pass:geheim", "-keypbe", "PBE-SHA1-3DES")
	for password, keys := range map[string]int{"falsch": 0, "geheim": 1} {
		_, r := p.loadNow(folder.Options{SoftwareBrainpool: true, Passwords: []secret.String{secret.New(password)}})
		if r[0].Keys != keys || (len(r.Problems()) == 0) != (keys == 1) {
			t.Errorf("old encryption, password %s: %s", password, r)
		}
	}
}
