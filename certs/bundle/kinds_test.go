package bundle_test

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
)

// The bundles that OpenSSL writes give their certificates, whatever the name and the form.
func TestPKCS7(t *testing.T) {
	p := newPlace(t)
	alice, bob := p.Issue("alice@firma.example", democa.Options{}), p.Issue("bob@firma.example", democa.Options{})
	p.Write("all.pem", democa.CertificatePEM(alice.Certificate), democa.CertificatePEM(bob.Certificate), democa.CertificatePEM(p.CA.Certificate()))
	p.Write("alice.pem", democa.CertificatePEM(alice.Certificate), certstest.KeyPEM(t, alice))
	p.Write("more.pem", democa.CertificatePEM(bob.Certificate), democa.CertificatePEM(p.CA.Certificate()))
	p.Write("mail", []byte("hello\n"))
	p.OpenSSL("crl2pkcs7", "-nocrl", "-certfile", "all.pem", "-outform", "DER", "-out", "all.p7b")
	p.OpenSSL("crl2pkcs7", "-nocrl", "-certfile", "all.pem", "-out", "text.p7c")
	p.OpenSSL("cms", "-sign", "-binary", "-in", "mail", "-signer", "alice.pem", "-certfile", "more.pem", "-outform", "DER", "-out", "mail.p7s")
	p.OpenSSL("cms", "-sign", "-binary", "-nodetach", "-stream", "-in", "mail", "-signer", "alice.pem", "-certfile", "more.pem", "-outform", "DER", "-out", "ber.p7m")
	p.OpenSSL("cms", "-sign", "-binary", "-in", "mail", "-signer", "alice.pem", "-certfile", "more.pem", "-outform", "PEM", "-out", "cms.txt")
	if ber := must(os.ReadFile(p.Path("ber.p7m"))); !bytes.HasPrefix(ber, []byte{0x30, 0x80}) {
		t.Fatalf("OpenSSL wrote no BER: % x", ber[:2])
	}
	for _, name := range []string{"all.p7b", "text.p7c", "mail.p7s", "ber.p7m", "cms.txt"} {
		c, err := bundle.ReadFile(p.Path(name), bundle.Options{})
		if err != nil || len(c.Keys) != 0 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range []*x509.Certificate{alice.Certificate, bob.Certificate, p.CA.Certificate()} {
			if !holdsCertificate(c, want) {
				t.Errorf("%s: %s is missing", name, want.Subject)
			}
		}
	}
}

func holdsCertificate(c bundle.Contents, want *x509.Certificate) bool {
	for _, have := range c.Certificates {
		if have.Equal(want) {
			return true
		}
	}
	return false
}

// One certificate of a kind that the standard library refuses does not hide the others of its bundle.
func TestPKCS7Brainpool(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	p.OpenSSL("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-nodes", "-keyout", "key", "-out", "odd.pem", "-subj", "/CN=odd")
	p.Write("alice.pem", democa.CertificatePEM(alice.Certificate))
	p.OpenSSL("crl2pkcs7", "-nocrl", "-certfile", "alice.pem", "-certfile", "odd.pem", "-outform", "DER", "-out", "both")
	c, err := bundle.ReadFile(p.Path("both"), bundle.Options{})
	if err != nil || len(c.Certificates) != 2 || !holdsCertificate(c, alice.Certificate) {
		t.Fatalf("%d certificates, %v", len(c.Certificates), err)
	}
}

func TestPKCS7Refuses(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	good := must(bundle.PKCS7([]*x509.Certificate{alice.Certificate}))
	p.Write("alice.pem", democa.CertificatePEM(alice.Certificate))
	p.OpenSSL("cms", "-encrypt", "-in", "alice.pem", "-outform", "DER", "-out", "sealed.p7c", "alice.pem")
	deep := []byte{}
	for range 40 {
		deep = append([]byte{0x30, 0x80}, append(deep, 0, 0)...)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"cut off":           {good[:len(good)-5], "damaged or not PKCS#7"},
		"something follows": {append(bytes.Clone(good), 1, 1), "damaged or not PKCS#7"},
		"no certificates":   {must(bundle.PKCS7(nil)), "holds no certificate"},
		"nested":            {deep, "damaged or not PKCS#7"},
		"encrypted":         {must(os.ReadFile(p.Path("sealed.p7c"))), "no signed data"},
		"too large":         {append(bytes.Clone(good), make([]byte, 4<<20)...), "larger than 4194304 bytes"},
		"nothing":           {nil, "damaged or not PKCS#7"},
		"4 bytes":           {[]byte{0x30, 0x1f, 0xff, 0xff}, "damaged or not PKCS#7"},
	} {
		c2, r := bundle.Load(p.Write("x.p7b", c.data), bundle.Options{})
		if text := r.String(); !strings.Contains(text, c.want) || len(c2.Certificates) > 0 {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// PEM as editors of Windows write it, OpenSSL's trusted certificates, and DER certificates behind each other.
func TestOddForms(t *testing.T) {
	p := newPlace(t)
	alice, bob := p.Issue("alice@firma.example", democa.Options{}), p.Issue("bob@firma.example", democa.Options{})
	text := democa.CertificatePEM(alice.Certificate)
	crlf := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	wide := func(order binary.AppendByteOrder, mark uint16) []byte {
		out := order.AppendUint16(nil, mark)
		for _, u := range utf16.Encode([]rune(string(crlf))) {
			out = order.AppendUint16(out, u)
		}
		return out
	}
	p.Write("alice.pem", text)
	p.OpenSSL("x509", "-in", "alice.pem", "-trustout", "-addtrust", "emailProtection", "-out", "trusted")
	for name, c := range map[string]struct {
		data []byte
		want int
	}{
		"CRLF":                     {crlf, 1},
		"mark of UTF-8":            {append([]byte("\xef\xbb\xbf"), crlf...), 1},
		"UTF-16, little endian":    {wide(binary.LittleEndian, 0xfeff), 1},
		"UTF-16, big endian":       {wide(binary.BigEndian, 0xfeff), 1},
		"trusted certificate":      {must(os.ReadFile(p.Path("trusted"))), 1},
		"DER behind DER":           {append(bytes.Clone(alice.Certificate.Raw), bob.Certificate.Raw...), 2},
		"text around it":           {append(append([]byte("Bag Attributes\n  friendlyName: Alice\n"), text...), "\nthat was it\n"...), 1},
		"a request beside it":      {append(bytes.Clone(text), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{1}})...), 1},
		"a list of revoked beside": {append(bytes.Clone(text), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})...), 1},
	} {
		got, err := bundle.Read(c.data, bundle.Options{})
		if err != nil || len(got.Certificates) != c.want || !got.Certificates[0].Equal(alice.Certificate) {
			t.Errorf("%s: %d certificates, %v", name, len(got.Certificates), err)
		}
	}
	if _, err := bundle.Read([]byte("\xfe\xed\xfe\xed rest"), bundle.Options{}); err == nil || !strings.Contains(err.Error(), "keytool -importkeystore") {
		t.Errorf("a key store of Java: %v", err)
	}
}

// Keys in every encryption that OpenSSL has for them, in PEM and DER, today's and yesterday's.
func TestEncryptedKeys(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	p.Write("key", certstest.KeyPEM(t, alice))
	cert := democa.CertificatePEM(alice.Certificate)
	for name, args := range map[string][]string{
		"PBES2, AES":          {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim"},
		"PBES2, 3DES":         {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-v2", "des3"},
		"PBES2, scrypt":       {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-scrypt"},
		"PBES1, 3DES":         {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-v1", "PBE-SHA1-3DES"},
		"PBES1, RC2":          {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-v1", "PBE-SHA1-RC2-40", "-provider", "legacy", "-provider", "default"},
		"old PEM, AES":        {"rsa", "-in", "key", "-traditional", "-aes256", "-passout", "pass:geheim"},
		"old PEM, 3DES":       {"rsa", "-in", "key", "-traditional", "-des3", "-passout", "pass:geheim"},
		"PBES2, AES, in DER":  {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-outform", "DER"},
		"PBES1, 3DES, in DER": {"pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-v1", "PBE-SHA1-3DES", "-outform", "DER"},
	} {
		p.OpenSSL(append(args, "-out", "sealed")...)
		c, err := bundle.ReadFile(p.Path("sealed"), with("falsch", "geheim"))
		if err != nil || len(c.Keys) != 1 {
			t.Errorf("%s: %d keys, %v", name, len(c.Keys), err)
			continue
		}
		c.Add(must(bundle.Read(cert, bundle.Options{})))
		ids, _ := c.Identities()
		if len(ids) != 1 {
			t.Errorf("%s: the key is another one", name)
		}
		if _, err := bundle.ReadFile(p.Path("sealed"), with("falsch")); err == nil || !strings.Contains(err.Error(), "no password known fits") {
			t.Errorf("%s, with a wrong password: %v", name, err)
		}
	}
	p.OpenSSL("pkcs8", "-topk8", "-in", "key", "-passout", "pass:geheim", "-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default", "-out", "sealed")
	if _, err := bundle.ReadFile(p.Path("sealed"), with("geheim")); err == nil || !strings.Contains(err.Error(), "make a PKCS#12 file") {
		t.Errorf("DES: %v", err)
	}
}

// Of files that nobody named, those are left alone whose name says that they hold something else.
func TestNamed(t *testing.T) {
	p := newPlace(t)
	alice := p.Issue("alice@firma.example", democa.Options{})
	for name, want := range map[string]int{"a.cer": 1, "a.der": 1, "a.CRT": 1, "a.txt": 0, "README": 0} {
		c, r := bundle.Load(p.Write(name, alice.Certificate.Raw), bundle.Options{Named: true})
		if len(c.Certificates) != want || want == 0 && !strings.Contains(r.String(), "note: not read: its name ends with none of .pem") {
			t.Errorf("%s: %s", name, r)
		}
	}
	if c, r := bundle.Load(p.Write("notes.txt", democa.CertificatePEM(alice.Certificate)), bundle.Options{Named: true}); len(c.Certificates) != 1 {
		t.Errorf("PEM under any name: %s", r)
	}
}
