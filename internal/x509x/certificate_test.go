package x509x_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/brainpool"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// kinds are keys that OpenSSL makes, and what certificates under them are signed with.
var kinds = []struct {
	name    string
	keygen  []string
	signing []string
}{
	{"rsa", []string{"RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, []string{"-sha256"}},
	{"pss", []string{"RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"}, []string{"-sha384", "-sigopt", "rsa_pss_saltlen:digest"}},
	{"pss-restricted", []string{"RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"}, []string{"-sha256"}},
	{"p256", []string{"EC", "-pkeyopt", "ec_paramgen_curve:P-256"}, []string{"-sha256"}},
	{"bp256", []string{"EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, []string{"-sha256"}},
	{"bp384", []string{"EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1"}, []string{"-sha384"}},
	{"bp512", []string{"EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1"}, []string{"-sha512"}},
	{"ed25519", []string{"ED25519"}, nil},
}

func openssl(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readDER(t testing.TB, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", name)
	}
	return block.Bytes
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509x.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const caExtensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
const leafExtensions = "keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nsubjectAltName=email:a@firma.example\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"

// authorities makes a root of each kind that is named, or of all, and keys NAME.key for leaves.
func authorities(t testing.TB, names ...string) string {
	dir := t.TempDir()
	write(t, dir, "ca.ext", caExtensions)
	write(t, dir, "leaf.ext", leafExtensions)
	for _, k := range kinds {
		if len(names) > 0 && !slices.Contains(names, k.name) {
			continue
		}
		openssl(t, dir, append([]string{"genpkey", "-out", k.name + ".key", "-algorithm"}, k.keygen...)...)
		openssl(t, dir, "req", "-new", "-key", k.name+".key", "-subj", "/CN="+k.name, "-out", k.name+".csr")
		args := []string{"x509", "-req", "-in", k.name + ".csr", "-signkey", k.name + ".key", "-days", "30", "-extfile", "ca.ext", "-out", k.name + ".ca"}
		openssl(t, dir, append(args, k.signing...)...)
	}
	return dir
}

// issue makes a certificate of the key under the issuer.
func issue(t testing.TB, dir, key, issuer, extensions string) *x509.Certificate {
	t.Helper()
	out := key + ".by." + issuer
	args := []string{"x509", "-req", "-in", key + ".csr", "-CA", issuer + ".ca", "-CAkey", issuer + ".key", "-days", "20", "-extfile", extensions, "-out", out}
	for _, k := range kinds {
		if k.name == issuer {
			args = append(args, k.signing...)
		}
	}
	openssl(t, dir, args...)
	return parse(t, readDER(t, dir, out))
}

// Each kind of key under an authority of each kind, as OpenSSL makes and as crypto/x509 verifies them.
func TestChainsOfEveryKind(t *testing.T) {
	dir := authorities(t)
	for _, issuer := range kinds {
		root := parse(t, readDER(t, dir, issuer.name+".ca"))
		if err := root.CheckSignatureFrom(root); err != nil {
			t.Errorf("%s does not verify itself: %v", issuer.name, err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(root)
		for _, key := range kinds {
			leaf := issue(t, dir, key.name, issuer.name, "leaf.ext")
			if err := leaf.CheckSignatureFrom(root); err != nil {
				t.Errorf("%s under %s: %v", key.name, issuer.name, err)
			}
			chains, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
			if err != nil || len(chains) != 1 || len(chains[0]) != 2 || chains[0][0] != leaf || chains[0][1] != root {
				t.Errorf("%s under %s: %v, %v", key.name, issuer.name, chains, err)
			}
			if leaf.EmailAddresses[0] != "a@firma.example" || leaf.NotAfter.Before(time.Now()) || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
				t.Errorf("%s under %s: read as %+v", key.name, issuer.name, leaf)
			}
			other := x509.NewCertPool()
			other.AddCert(parse(t, certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1")))
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: other}); err == nil {
				t.Errorf("%s under %s verifies under another root", key.name, issuer.name)
			}
		}
	}
}

// A Brainpool root, a PSS authority below it and a Brainpool leaf.
func TestChainOfThree(t *testing.T) {
	dir := authorities(t, "bp512", "pss", "bp384")
	root := parse(t, readDER(t, dir, "bp512.ca"))
	middle := issue(t, dir, "pss", "bp512", "ca.ext")
	leaf := issue(t, dir, "bp384", "pss", "leaf.ext")
	roots, middles := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	middles.AddCert(middle)
	o := x509.VerifyOptions{Roots: roots, Intermediates: middles, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}
	chains, err := leaf.Verify(o)
	if err != nil || len(chains) != 1 || len(chains[0]) != 3 {
		t.Fatalf("%v, %v", chains, err)
	}
	o.Intermediates = nil
	if _, err := leaf.Verify(o); err == nil {
		t.Error("it verifies without its issuer")
	}
}

// What x509x gives is what crypto/x509 gives where that can read the certificate.
func TestSameAsX509(t *testing.T) {
	for _, args := range [][]string{{"-newkey", "rsa:2048"}, {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"}, {"-newkey", "ed25519"}} {
		der := certificate(t, args...)
		want, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, der); !got.Equal(want) || got.PublicKeyAlgorithm != want.PublicKeyAlgorithm {
			t.Errorf("%v is read otherwise", args)
		}
		if r, err := x509x.RestrictionOf(want); err != nil || r.PSSOnly {
			t.Errorf("%v: %+v, %v", args, r, err)
		}
	}
}

func TestBrainpoolCertificate(t *testing.T) {
	der := certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1")
	c := parse(t, der)
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != brainpool.P384r1() || c.PublicKeyAlgorithm != x509.ECDSA || !x509x.Brainpool(key.Curve) {
		t.Fatalf("key %T, %v", c.PublicKey, c.PublicKeyAlgorithm)
	}
	if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBSCertificate) || !bytes.Contains(c.RawTBSCertificate, c.RawSubjectPublicKeyInfo) {
		t.Error("the raw parts are not those of the certificate")
	}
	spki, err := x509x.MarshalPublicKey(key)
	if err != nil || !bytes.Equal(spki, c.RawSubjectPublicKeyInfo) {
		t.Errorf("the key is written as %x, %v", spki, err)
	}
	if _, err := x509.MarshalPKIXPublicKey(key); err == nil {
		t.Error("crypto/x509 knows Brainpool by now: take x509x back")
	}
	der[0] ^= 1 // the caller's bytes are not kept
	if c.Raw[0] != 0x30 {
		t.Error("the certificate shares its bytes with the caller")
	}
}

func TestX25519Certificate(t *testing.T) {
	dir := authorities(t, "p256")
	openssl(t, dir, "genpkey", "-algorithm", "X25519", "-out", "x.key")
	openssl(t, dir, "pkey", "-in", "x.key", "-pubout", "-out", "x.pub")
	openssl(t, dir, "x509", "-req", "-in", "p256.csr", "-force_pubkey", "x.pub", "-CA", "p256.ca", "-CAkey", "p256.key", "-out", "x.crt")
	c := parse(t, readDER(t, dir, "x.crt"))
	key, ok := c.PublicKey.(*ecdh.PublicKey)
	private, err := x509x.ParsePrivateKey(readDER(t, dir, "x.key"))
	if !ok || err != nil || !key.Equal(private.(*ecdh.PrivateKey).PublicKey()) {
		t.Errorf("key %T, %v", c.PublicKey, err)
	}
}

// No bit of a certificate may be changed, and no key put in the place of another one.
func TestTampered(t *testing.T) {
	dir := authorities(t, "bp256")
	root := parse(t, readDER(t, dir, "bp256.ca"))
	leaf := issue(t, dir, "bp256", "bp256", "leaf.ext")
	for i := range leaf.RawTBSCertificate {
		at := bytes.Index(leaf.Raw, leaf.RawTBSCertificate) + i
		changed := bytes.Clone(leaf.Raw)
		changed[at] ^= 1 << (i % 8)
		if c, err := x509x.ParseCertificate(changed); err == nil && c.CheckSignatureFrom(root) == nil {
			t.Errorf("bit %d of octet %d may be changed", i%8, i)
		}
	}
	own := leaf.RawSubjectPublicKeyInfo
	foreign := parse(t, certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1")).RawSubjectPublicKeyInfo
	swapped := parse(t, bytes.Replace(leaf.Raw, own, foreign, 1))
	if err := swapped.CheckSignatureFrom(root); err == nil {
		t.Error("another key passes for the certificate's")
	}
}

func TestRefusedCertificates(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout", "-out", "whole")
	openssl(t, dir, "ec", "-in", "whole", "-conv_form", "compressed", "-out", "key")
	openssl(t, dir, "req", "-x509", "-new", "-key", "key", "-subj", "/CN=a", "-out", "compressed.crt")
	good := certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1")
	point := bytes.LastIndex(good, []byte{0x03, 0x42, 0x00, 0x04}) + 3
	change := func(f func([]byte)) []byte { b := bytes.Clone(good); f(b); return b }
	for name, der := range map[string][]byte{
		"parameters of its own":  certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-pkeyopt", "ec_param_enc:explicit"),
		"P-256 spelled out":      certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"),
		"a twisted curve":        certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256t1"),
		"another curve":          certificate(t, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
		"a compressed point":     readDER(t, dir, "compressed.crt"),
		"a point off the curve":  change(func(b []byte) { b[point+64] ^= 1 }),
		"the point at infinity":  change(func(b []byte) { clear(b[point+1 : point+65]) }),
		"a coordinate above p":   change(func(b []byte) { copy(b[point+1:], bytes.Repeat([]byte{0xff}, 32)) }),
		"another form of point":  change(func(b []byte) { b[point] = 6 }),
		"something after it":     append(bytes.Clone(good), 0),
		"a version that is none": bytes.Replace(good, []byte{0xa0, 3, 2, 1, 2}, []byte{0xa0, 3, 2, 1, 7}, 1),
		"nothing":                nil,
	} {
		if c, err := x509x.ParseCertificate(der); err == nil && c.PublicKey != nil {
			t.Errorf("%s: accepted with %T", name, c.PublicKey)
		} else if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRestriction(t *testing.T) {
	dir := authorities(t, "pss", "pss-restricted")
	for name, want := range map[string]*x509x.PSS{"pss": nil, "pss-restricted": {Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}} {
		c := parse(t, readDER(t, dir, name+".ca"))
		if _, ok := c.PublicKey.(*rsa.PublicKey); !ok || c.PublicKeyAlgorithm != x509.RSA {
			t.Errorf("%s: key %T", name, c.PublicKey)
		}
		r, err := x509x.RestrictionOf(c)
		if err != nil || !r.PSSOnly || (want == nil) != (r.Parameters == nil) || want != nil && *want != *r.Parameters {
			t.Errorf("%s: %+v, %v", name, r.Parameters, err)
		}
		for p, may := range map[x509x.PSS]bool{
			{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}: true, {Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 64}: true,
			{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 31}: want == nil, {Hash: crypto.SHA512, MGFHash: crypto.SHA256, SaltLength: 32}: want == nil,
			{Hash: crypto.SHA256, MGFHash: crypto.SHA1, SaltLength: 32}: want == nil,
		} {
			if r.Allows(p) != may {
				t.Errorf("%s allows %+v: %v", name, p, !may)
			}
		}
	}
}

func TestParsePSS(t *testing.T) {
	for der, want := range map[string]x509x.PSS{
		"3000": {Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20},
		"3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120": {Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32},
		"3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040202a203020120":         {Hash: crypto.SHA256, MGFHash: crypto.SHA384, SaltLength: 32},
	} {
		b, err := hex.DecodeString(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x509x.ParsePSS(b); err != nil || got != want {
			t.Errorf("%s: %+v, %v", der, got, err)
		}
	}
	for _, der := range []string{"", "30", "0500", "300000", "3005a303020102", "3005a2030201ff", "3007a20502037fffff", "3006a00430020600", "300ca10a3008060648864886f70d"} {
		b, err := hex.DecodeString(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x509x.ParsePSS(b); err == nil {
			t.Errorf("%s: %+v", der, got)
		}
	}
}

// A key of every kind and in every form that OpenSSL writes signs what its certificate verifies.
func TestPrivateKeys(t *testing.T) {
	dir := authorities(t)
	for _, k := range kinds {
		c := parse(t, readDER(t, dir, k.name+".ca"))
		forms := []string{k.name + ".key"}
		if strings.HasPrefix(k.name, "bp") || k.name == "p256" {
			openssl(t, dir, "ec", "-in", k.name+".key", "-out", k.name+".sec1")
			openssl(t, dir, "ec", "-in", k.name+".key", "-no_public", "-out", k.name+".nopub")
			forms = append(forms, k.name+".sec1", k.name+".nopub")
		}
		for _, form := range forms {
			private, err := x509x.ParsePrivateKey(readDER(t, dir, form))
			if err != nil {
				t.Errorf("%s: %v", form, err)
				continue
			}
			signer := private.(crypto.Signer)
			mine, err := x509x.MarshalPublicKey(signer.Public())
			theirs, err2 := x509x.MarshalPublicKey(c.PublicKey)
			if err != nil || err2 != nil || !bytes.Equal(mine, theirs) {
				t.Errorf("%s: the public keys differ: %v, %v", form, err, err2)
			}
		}
	}
}

func TestRefusedPrivateKeys(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-pkeyopt", "ec_param_enc:explicit", "-out", "explicit")
	openssl(t, dir, "ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout", "-out", "sec1")
	good := readDER(t, dir, "sec1")
	secret := good[7 : 7+32]
	with := func(value []byte) []byte { return bytes.Replace(good, secret, value, 1) }
	for name, der := range map[string][]byte{
		"explicit parameters": readDER(t, dir, "explicit"), "zero": with(make([]byte, 32)),
		"the order": with(brainpool.P256r1().Params().N.Bytes()), "too large": with(bytes.Repeat([]byte{0xff}, 32)),
		"cut off": good[:20], "more after it": append(bytes.Clone(good), 0), "nothing": nil,
	} {
		if key, err := x509x.ParsePrivateKey(der); err == nil {
			t.Errorf("%s: %T", name, key)
		}
	}
	if _, err := x509x.ParsePrivateKey(good); err != nil {
		t.Error(err)
	}
}

// A signature by the parsed key is one to OpenSSL.
func TestBrainpoolSignature(t *testing.T) {
	dir := authorities(t, "bp256")
	private, err := x509x.ParsePrivateKey(readDER(t, dir, "bp256.key"))
	if err != nil {
		t.Fatal(err)
	}
	hash := crypto.SHA256.New()
	hash.Write([]byte("text"))
	signature, err := private.(crypto.Signer).Sign(rand.Reader, hash.Sum(nil), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "text", "text")
	write(t, dir, "signature", string(signature))
	openssl(t, dir, "pkey", "-in", "bp256.key", "-pubout", "-out", "bp256.pub")
	openssl(t, dir, "dgst", "-sha256", "-verify", "bp256.pub", "-signature", "signature", "text")
}

// Whatever the bytes, a certificate that is accepted is those bytes, and its key is the one in them.
func FuzzParseCertificate(f *testing.F) {
	for _, args := range [][]string{
		{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}, {"-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"}, {"-newkey", "ed25519"},
	} {
		f.Add(certificate(f, args...))
	}
	f.Add(relativePoints(f, "relative, signer, address", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := x509x.ParseCertificate(der)
		if want, xerr := x509.ParseCertificate(der); xerr == nil && (err != nil || !want.Equal(c)) {
			t.Fatalf("crypto/x509 reads it: %v", err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.RawTBSCertificate) || !bytes.Contains(c.RawTBSCertificate, c.RawSubjectPublicKeyInfo) {
			t.Fatal("the raw parts are not those of the certificate")
		}
		for _, e := range c.Extensions {
			if !bytes.Contains(der, e.Value) {
				t.Fatalf("extension %v is not that of the certificate", e.Id)
			}
		}
		info, err := x509x.Parse(der)
		if err != nil || info.Serial.Cmp(c.SerialNumber) != 0 {
			t.Fatalf("read twice with different results: %v", err)
		}
		if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok && x509x.Brainpool(key.Curve) {
			if spki, err := x509x.MarshalPublicKey(key); err != nil || !bytes.HasSuffix(c.RawSubjectPublicKeyInfo, spki[len(spki)-64:]) {
				t.Fatalf("the key is not that of the certificate: %v", err)
			}
		}
	})
}

// Nothing that is accepted as a private key lacks a public one.
func FuzzParsePrivateKey(f *testing.F) {
	dir := f.TempDir()
	openssl(f, dir, "ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout", "-out", "sec1")
	openssl(f, dir, "pkcs8", "-topk8", "-nocrypt", "-in", "sec1", "-out", "pkcs8")
	f.Add(readDER(f, dir, "sec1"))
	f.Add(readDER(f, dir, "pkcs8"))
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := x509x.ParsePrivateKey(der)
		if err != nil {
			return
		}
		switch k := key.(type) {
		case *ecdsa.PrivateKey:
			if public, err := x509x.MarshalPublicKey(&k.PublicKey); err != nil || len(public) == 0 {
				t.Fatalf("no public key: %v", err)
			}
		case *rsa.PrivateKey, ed25519.PrivateKey, *ecdh.PrivateKey:
		default:
			t.Fatalf("%T", key)
		}
	})
}

func FuzzParsePSS(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		if p, err := x509x.ParsePSS(der); err == nil && (p.Hash == 0 || p.MGFHash == 0 || p.SaltLength < 0) {
			t.Fatalf("%+v", p)
		}
	})
}
