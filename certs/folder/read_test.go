package folder_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/internal/secret"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// place is a folder under test.
type place struct{ certstest.Place }

// sharedCA is made once: keys take long.
var sharedCA = sync.OnceValue(func() *democa.CA { return must(democa.NewCA(now)) })

func newPlace(t testing.TB) place {
	p := place{certstest.New(t, sharedCA())}
	p.Write("trust/ca.pem", democa.CertificatePEM(p.CA.Certificate()))
	return p
}

func (p place) load(o folder.Options) (*folder.Folder, folder.Report) {
	p.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	f, r, err := folder.Load(p.Dir, o)
	if err != nil {
		p.Fatal(err)
	}
	return f, r
}

// Every form in which an identity may lie in the folder gives the same identity.
func TestForms(t *testing.T) {
	shared := newPlace(t)
	id := shared.Issue("alice@firma.example", democa.Options{})
	cert := democa.CertificatePEM(id.Certificate)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecID := shared.Issue("alice@firma.example", democa.Options{Key: ec})
	ecCert := democa.CertificatePEM(ecID.Certificate)
	export := func(p place, password string, more ...string) {
		p.Write("tmp.pem", cert, certstest.KeyPEM(t, id))
		p.OpenSSL(append([]string{"pkcs12", "-export", "-in", "tmp.pem", "-out", "alice.p12", "-passout", "pass:" + password}, more...)...)
		p.Remove("tmp.pem")
	}
	for _, c := range []struct {
		name   string
		make   func(p place)
		files  int // that gave something, beside the anchor
		option folder.Options
		want   certs.Identity
	}{
		{"one PEM file", func(p place) { p.Write("a.pem", cert, certstest.KeyPEM(t, id)) }, 1, folder.Options{}, id},
		{"key first, with text between", func(p place) { p.Write("a.pem", certstest.KeyPEM(t, id), []byte("subject: alice\n"), cert) }, 1, folder.Options{}, id},
		{"separate files in subfolders", func(p place) { p.Write("x/a.crt", cert); p.Write("y/z/a.key", certstest.KeyPEM(t, id)) }, 2, folder.Options{}, id},
		{"PKCS#1", func(p place) {
			p.Write("a.crt", cert)
			p.Write("tmp", certstest.KeyPEM(t, id))
			p.OpenSSL("rsa", "-in", "tmp", "-traditional", "-out", "a.key")
			p.Remove("tmp")
		}, 2, folder.Options{}, id},
		{"DER", func(p place) {
			p.Write("a.cer", id.Certificate.Raw)
			p.Write("a.p8", must(x509.MarshalPKCS8PrivateKey(id.Key)))
		}, 2, folder.Options{}, id},
		{"PEM named .der, DER named .pem", func(p place) { p.Write("a.der", cert); p.Write("b.pem", must(x509.MarshalPKCS8PrivateKey(id.Key))) }, 2, folder.Options{}, id},
		{"SEC 1 with parameters", func(p place) {
			p.Write("a.crt", ecCert)
			p.Write("tmp", certstest.KeyPEM(t, ecID))
			p.OpenSSL("ec", "-in", "tmp", "-out", "tmp2")
			p.OpenSSL("ecparam", "-name", "prime256v1", "-out", "tmp3")
			p.Write("a.key", must(os.ReadFile(filepath.Join(p.Dir, "tmp3"))), must(os.ReadFile(filepath.Join(p.Dir, "tmp2"))))
			p.Remove("tmp", "tmp2", "tmp3")
		}, 2, folder.Options{}, ecID},
		{"PKCS#7", func(p place) {
			p.Write("tmp", cert)
			p.OpenSSL("crl2pkcs7", "-nocrl", "-certfile", "tmp", "-outform", "DER", "-out", "a.p7b")
			p.Write("a.key", certstest.KeyPEM(t, id))
			p.Remove("tmp")
		}, 2, folder.Options{}, id},
		{"PKCS#12 with its password beside it", func(p place) {
			export(p, "geheim")
			p.Write("alice.p12.password", []byte("geheim\n"))
		}, 1, folder.Options{}, id},
		{"PKCS#12 with a password of the list", func(p place) { export(p, "pässwörd") }, 1, folder.Options{Passwords: []secret.String{secret.New("x"), secret.New("pässwörd")}}, id},
		{"PKCS#12 without a password", func(p place) { export(p, "") }, 1, folder.Options{}, id},
		{"PKCS#12 in old encryption", func(p place) { export(p, "geheim", "-legacy") }, 1, folder.Options{Passwords: []secret.String{secret.New("geheim")}}, id},
		{"PKCS#12 in 3DES with SHA-1", func(p place) {
			export(p, "geheim", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")
		}, 1, folder.Options{Passwords: []secret.String{secret.New("geheim")}}, id},
		{"PKCS#12 in AES-128, SHA-512", func(p place) {
			export(p, "geheim", "-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha512", "-iter", "50000")
		}, 1, folder.Options{Passwords: []secret.String{secret.New("geheim")}}, id},
		{"PKCS#12 with the chain", func(p place) {
			p.Write("tmp2.pem", democa.CertificatePEM(p.CA.Certificate()))
			export(p, "geheim", "-certfile", "tmp2.pem", "-name", "Alice", "-caname", "CA")
			p.Remove("tmp2.pem")
		}, 1, folder.Options{Passwords: []secret.String{secret.New("geheim")}}, id},
		{"PKCS#12 without a key", func(p place) { export(p, "geheim", "-nokeys"); p.Write("a.key", certstest.KeyPEM(t, id)) }, 2, folder.Options{Passwords: []secret.String{secret.New("geheim")}}, id},
		{"a file twice", func(p place) {
			p.Write("a.pem", cert, certstest.KeyPEM(t, id))
			p.Write("b.pem", cert, certstest.KeyPEM(t, id))
		}, 2, folder.Options{}, id},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place{certstest.New(t, shared.CA)}
			p.Write("trust/ca.pem", democa.CertificatePEM(p.CA.Certificate()))
			c.make(p)
			f, r := p.load(c.option)
			if len(r.Problems()) > 0 || len(r) != c.files+1 {
				t.Errorf("report:\n%s", r)
			}
			got, err := f.Signing(t.Context(), "alice@firma.example", now)
			if err != nil || !got.Certificate.Equal(c.want.Certificate) {
				t.Fatalf("got %v, %v", got.Certificate, err)
			}
			if !bytes.Equal(must(x509.MarshalPKIXPublicKey(got.Key.Public())), c.want.Certificate.RawSubjectPublicKeyInfo) {
				t.Error("the key is another one")
			}
			if all := f.Identities(); len(all) != 1 {
				t.Errorf("%d identities", len(all))
			}
		})
	}
}

// What cannot be used is reported with what to do, and does not stop the rest.
func TestReport(t *testing.T) {
	shared := newPlace(t)
	id := shared.Issue("alice@firma.example", democa.Options{})
	cert := democa.CertificatePEM(id.Certificate)
	other := must(democa.NewCA(now))
	for _, c := range []struct {
		name string
		make func(p place)
		want string // "file: text", of a problem or a note
	}{
		{"encrypted PKCS#8", func(p place) {
			p.Write("tmp", certstest.KeyPEM(t, id))
			p.OpenSSL("pkcs8", "-topk8", "-in", "tmp", "-out", "a.key", "-passout", "pass:geheim")
			p.Remove("tmp")
		}, "a.key: a private key is encrypted and no password known fits; put the right one into a file of the same name"},
		{"PKCS#8 in an old encryption", func(p place) {
			p.Write("tmp", certstest.KeyPEM(t, id))
			p.OpenSSL("pkcs8", "-topk8", "-in", "tmp", "-out", "a.key", "-passout", "pass:geheim", "-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default")
			p.Remove("tmp")
		}, "a.key: a private key cannot be decrypted: its encryption is not of a kind that is read; make a PKCS#12 file"},
		{"encrypted old PEM", func(p place) {
			p.Write("tmp", certstest.KeyPEM(t, id))
			p.OpenSSL("rsa", "-in", "tmp", "-traditional", "-aes128", "-out", "a.key", "-passout", "pass:geheim")
			p.Remove("tmp")
		}, "a.key: a private key is encrypted"},
		{"wrong password", func(p place) {
			p.Write("a.p12", must(democa.PKCS12(id, "geheim")))
			p.Write("a.p12.password", []byte("falsch"))
		}, "a.p12: no password known fits; put the right one into a file of the same name with .password after it"},
		{"no password", func(p place) { p.Write("a.pfx", must(democa.PKCS12(id, "geheim"))) }, "a.pfx: no password known fits"},
		{"open password file", func(p place) {
			p.Write("a.p12", must(democa.PKCS12(id, "geheim")))
			chmod(p.Write("a.p12.password", []byte("geheim")), 0o644)
		}, "a.p12: everybody on this machine can read its password file; restrict it: chmod 600"},
		{"damaged PKCS#12", func(p place) { p.Write("a.p12", must(democa.PKCS12(id, "geheim"))[:500]) }, "a.p12: the file is damaged or not PKCS#12; export the key again"},
		{"huge PKCS#12", func(p place) { p.Write("a.p12", make([]byte, 2<<20)) }, "a.p12: it is larger than"},
		{"key that everybody can read", func(p place) { chmod(p.Write("a.pem", cert, certstest.KeyPEM(t, id)), 0o644) }, "a.pem: everybody on this machine can read this private key; restrict it: chmod 600"},
		{"key without certificate", func(p place) { p.Write("a.key", certstest.KeyPEM(t, id)) }, "a.key: a private key has no certificate in this folder and cannot be used; add its certificate"},
		{"key among the anchors", func(p place) { p.Write("trust/a.pem", cert, certstest.KeyPEM(t, id)) }, "trust/a.pem: a private key lies among the trusted certificates and was not used"},
		{"Brainpool certificate", func(p place) {
			p.OpenSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-nodes", "-keyout", "tmp", "-out", "a.pem", "-subj", "/CN=Bob", "-set_serial", "0x17", "-days", "36500", "-addext", "basicConstraints=critical,CA:FALSE")
			p.Remove("tmp")
		}, "a.pem: the certificate of CN=Bob (serial 17) is signed by itself and not an anchor"},
		{"certificate on a curve of its own", func(p place) {
			p.OpenSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-pkeyopt", "ec_param_enc:explicit", "-nodes", "-keyout", "tmp", "-out", "a.pem", "-subj", "/CN=Bob", "-set_serial", "0x17")
			p.Remove("tmp")
		}, "a.pem: the certificate of CN=Bob (serial 17, issued by CN=Bob, key: EC on a curve of its own) is of an unsupported kind"},
		{"Brainpool key", func(p place) {
			p.OpenSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1", "-nodes", "-keyout", "a.key", "-out", "trust/a.pem", "-subj", "/CN=Bob")
		}, "a.key: a private key on the curve brainpoolP384r1 is not used: arithmetic on Brainpool curves is not in constant time"},
		{"X448 key", func(p place) { p.OpenSSL("genpkey", "-algorithm", "x448", "-out", "a.key") }, "a.key: a private key cannot be read"},
		{"damaged PEM", func(p place) { p.Write("a.pem", cert[:200]) }, "a.pem: a PEM block is damaged"},
		{"second block damaged", func(p place) { p.Write("a.pem", cert, cert[:200]) }, "a.pem: a PEM block is damaged"},
		{"no certificate", func(p place) { p.Write("a.cer", []byte("hello")) }, "a.cer: it holds neither a certificate nor a key"},
		{"damaged key", func(p place) {
			p.Write("a.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}))
		}, "a.key: a private key cannot be read"},
		{"bundle", func(p place) { p.Write("a.p7b", []byte{0x30, 0}) }, "a.p7b: it cannot be read: it is no signed data, which is what bundles of certificates are"},
		{"something else", func(p place) { p.Write("readme.txt", []byte("hello")) }, "readme.txt: not read: its name ends with none of"},
		{"certificate request", func(p place) {
			p.Write("a.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{1}}))
		}, "a.pem: a block of the kind CERTIFICATE REQUEST was left out"},
		{"pipe", func(p place) { p.link("/dev/null", "a.pem") }, "a.pem: it cannot be read: it is not a regular file"},
		{"dangling link", func(p place) { p.link("nowhere", "a.pem") }, "a.pem: it cannot be read: no such file"},
		{"too large", func(p place) { must(0, os.Truncate(p.Write("a.pem"), 17<<20)) }, "a.pem: it cannot be read: the file is too large"},
		{"no anchor", func(p place) { p.Remove("trust/ca.pem") }, "trust: there is no trusted certificate, so no certificate will be found valid"},
		{"unknown issuer", func(p place) {
			id := must(other.Issue("bob@x.example", democa.Options{}))
			p.Write("a.pem", democa.CertificatePEM(id.Certificate))
		}, "a.pem: the certificate of CN=bob@x.example (serial"},
		{"retired", func(p place) {
			id := p.Issue("alice@firma.example", democa.Options{NotBefore: now.AddDate(-2, 0, 0)})
			p.Write("a.pem", democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id))
		}, "a.pem: it is not used to sign; its key is kept to decrypt"},
		{"identity without address", func(p place) {
			id := p.Issue("alice@firma.example", democa.Options{Alter: func(c *x509.Certificate) { c.EmailAddresses = nil }})
			p.Write("a.pem", democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id))
		}, "a.pem: the certificate of CN=alice@firma.example bears no mail address; its key can only decrypt"},
		{"a name that forges lines", func(p place) { p.Write("a\n b.pem", []byte("x")) }, `a\n b.pem: it holds neither`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place{certstest.New(t, shared.CA)}
			p.Write("trust/ca.pem", democa.CertificatePEM(p.CA.Certificate()))
			c.make(p)
			_, r := p.load(folder.Options{})
			var lines []string
			for _, file := range r {
				for _, f := range file.Findings {
					lines = append(lines, file.Path+": "+f.Text)
				}
			}
			text := strings.Join(lines, "\n")
			if !strings.Contains(text, c.want) {
				t.Errorf("got\n%s\nwant %s", text, c.want)
			}
			if strings.Contains(r.String(), "geheim") || strings.Contains(r.String(), "falsch") {
				t.Errorf("a password is in the report:\n%s", r)
			}
		})
	}
}

func chmod(path string, mode fs.FileMode) {
	if err := os.Chmod(path, mode); err != nil {
		panic(err)
	}
}

func (p place) link(to, name string) {
	if err := os.Symlink(to, filepath.Join(p.Dir, name)); err != nil {
		p.Fatal(err)
	}
}

func TestReportString(t *testing.T) {
	p := newPlace(t)
	id := p.Issue("alice@firma.example", democa.Options{})
	p.Write("alice.pem", democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id))
	p.Write("notes", []byte("x"))
	p.Write(".hidden", []byte("x"))
	_, r := p.load(folder.Options{})
	want := "alice.pem: 1 certificate, 1 key\n" +
		"notes: 0 certificates, 0 keys\n  note: not read: its name ends with none of .pem .crt .cer .der .key .p8 .pk8 .p12 .pfx .p7b .p7c .p7s .spc .jks\n" +
		"trust/ca.pem: 1 certificate, 0 keys\n"
	if r.String() != want {
		t.Errorf("got\n%s\nwant\n%s", r, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	p := newPlace(t)
	if _, _, err := folder.Load(filepath.Join(p.Dir, "none"), folder.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, _, err := folder.Load(p.Dir, folder.Options{TrustDir: filepath.Join(p.Dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no trust folder: %v", err)
	}
	p.Write("1/2/3/4/5/6/7/8/9/a.pem", nil)
	if _, _, err := folder.Load(p.Dir, folder.Options{}); err == nil || !strings.Contains(err.Error(), "more than 8 deep") {
		t.Errorf("too deep: %v", err)
	}
}

// Without a folder there are no certificates, and nothing of the current directory is taken for one; authorities alone
// are read.
func TestLoadNothing(t *testing.T) {
	p := newPlace(t)
	p.Write("trust/stray.pem", nil)
	t.Chdir(p.Dir)
	f, r, err := folder.Load("", folder.Options{})
	if err != nil || f.Validator() == nil || r.String() != "" {
		t.Errorf("%v, report %q", err, r)
	}
	if _, r, err = folder.Load("", folder.Options{TrustDir: filepath.Join(p.Dir, "trust")}); err != nil || !strings.Contains(r.String(), "trust/stray.pem") {
		t.Errorf("%v, report %q", err, r)
	}
}

// The files of RFC 9216 hold one key and three certificates, each in a part of its own.
func TestVectorsRFC9216(t *testing.T) {
	dir := os.Getenv("SIEGEL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "testdata")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no public test vectors in %s; set SIEGEL_TESTDATA", dir)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := place{certstest.New(t, nil)}
	for _, name := range []string{"alice", "bob", "carlos"} {
		p.Write(name+".p12", must(os.ReadFile(filepath.Join(dir, "rfc9216", name+".p12"))))
		p.Write(name+".p12.password", []byte(name))
	}
	p.Write("alice.sign.crt", must(os.ReadFile(filepath.Join(dir, "rfc9216", "alice.sign.crt"))))
	p.Write("alice.sign.key", must(os.ReadFile(filepath.Join(dir, "rfc9216", "alice.sign.key"))))
	p.Write("trust/ca.pem", must(os.ReadFile(filepath.Join(dir, "rfc9216", "ca.rsa.crt"))))
	f, r := p.load(folder.Options{Now: at})
	t.Logf("\n%s", r)
	for _, file := range r {
		if strings.HasSuffix(file.Path, ".p12") && (file.Certificates != 3 || file.Keys == 0 && file.Path != "carlos.p12") {
			t.Errorf("%s: %d certificates, %d keys", file.Path, file.Certificates, file.Keys)
		}
	}
	id, err := f.Signing(t.Context(), "alice@smime.example", at)
	if err != nil || id.Certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		t.Errorf("Alice signs with %v, %v", id.Certificate, err)
	}
	for _, name := range []string{"alice", "bob"} {
		c, err := f.Recipient(t.Context(), name+"@SMIME.example", at)
		if err != nil || c.KeyUsage&x509.KeyUsageKeyEncipherment == 0 {
			t.Errorf("%s is encrypted to with %v, %v", name, c, err)
		}
	}
}
