package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// made is a self-signed party whose key openssl generates, of a kind that crypto/x509 writes no certificate for. Its files
// are as openssl wrote them.
type made struct {
	party
	certFile, keyFile string
}

func newMade(t testing.TB, algorithm string, options ...string) made {
	t.Helper()
	dir := t.TempDir()
	m := made{certFile: filepath.Join(dir, "crt"), keyFile: filepath.Join(dir, "key")}
	args := []string{"genpkey", "-algorithm", algorithm, "-out", m.keyFile}
	md := "sha256"
	for _, o := range options {
		args = append(args, "-pkeyopt", o)
		if of, ok := strings.CutPrefix(o, "rsa_pss_keygen_md:"); ok {
			md = of
		}
	}
	openssl(t, nil, args...)
	openssl(t, nil, "req", "-x509", "-new", "-key", m.keyFile, "-subj", "/CN="+algorithm, "-days", "3650", "-"+md, "-out", m.certFile)
	var err error
	if m.cert, err = x509x.ParseCertificate(openssl(t, nil, "x509", "-in", m.certFile, "-outform", "DER")); err != nil {
		t.Fatal(err)
	}
	key, err := x509x.ParsePrivateKey(openssl(t, nil, "pkey", "-in", m.keyFile, "-outform", "DER"))
	if err != nil {
		t.Fatal(err)
	}
	m.key = key.(crypto.Signer)
	return m
}

func makeBrainpool(t testing.TB, bits int) made {
	return newMade(t, "EC", fmt.Sprintf("ec_paramgen_curve:brainpoolP%dr1", bits))
}

// opensslVerify has openssl verify content, detached and opaque, under the given certificates.
func opensslVerify(t *testing.T, o SignOptions, content []byte) {
	t.Helper()
	var cas []byte
	for _, s := range o.Signers {
		cas = append(cas, openssl(t, s.Certificate.Raw, "x509", "-inform", "DER")...)
	}
	file, ca := temp(t, content), temp(t, cas)
	openssl(t, signDetached(t, o, content), "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-content", file, "-CAfile", ca, "-purpose", "any", "-out", "/dev/null")
	for _, known := range []bool{true, false} {
		got := openssl(t, signOpaque(t, o, content, known), "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", ca, "-purpose", "any")
		if !bytes.Equal(got, content) {
			t.Error("openssl reads other content")
		}
	}
}

// TestSignBrainpool signs on each curve and has openssl verify, and the other way round. The key is used only where that
// is allowed, or where it is not in memory.
func TestSignBrainpool(t *testing.T) {
	content := text(3000)
	for bits, want := range map[int]string{256: "ecdsa-sha256", 384: "ecdsa-sha384", 512: "ecdsa-sha512"} {
		m := makeBrainpool(t, bits)
		o := m.signer()
		if _, err := NewDetachedSigner(o); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%d: a key in memory signs: %v", bits, err)
		}
		o.SoftwareBrainpool = true
		opensslVerify(t, o, content)
		signed, err := VerifyDetached(signDetached(t, o, content), bytes.NewReader(content), Limits{})
		if r := good(t, signed, err, m.party); r.Algorithm != want || r.Weak {
			t.Errorf("%d: %s", bits, r.Algorithm)
		}
		o.SoftwareBrainpool = false
		o.Signers[0].Key = hiddenSigner{m.key}
		signed, err = VerifyDetached(signDetached(t, o, content), bytes.NewReader(content), Limits{})
		good(t, signed, err, m.party)
		for _, md := range []string{"sha256", "sha512"} {
			verifyForms(t, m.party, content, []string{"cms", "-sign", "-binary", "-signer", m.certFile, "-inkey", m.keyFile, "-md", md, "-outform", "DER"}, false)
		}
	}
}

// TestSignPSSKey holds that a key for RSASSA-PSS alone makes nothing else, and with its parameters.
func TestSignPSSKey(t *testing.T) {
	content := text(3000)
	cases := []struct {
		options []string
		hash    crypto.Hash // asked for
		want    string      // algorithm; "" where signing is refused
	}{
		{nil, 0, "rsapss-sha256"},
		{nil, crypto.SHA512, "rsapss-sha512"},
		{[]string{"rsa_pss_keygen_md:sha384", "rsa_pss_keygen_mgf1_md:sha384", "rsa_pss_keygen_saltlen:48"}, 0, "rsapss-sha384"},
		{[]string{"rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:64"}, 0, "rsapss-sha256"},
		{[]string{"rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:20"}, crypto.SHA512, ""},
		{[]string{"rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha1", "rsa_pss_keygen_saltlen:32"}, 0, ""},
	}
	for _, c := range cases {
		m := newMade(t, "RSA-PSS", append([]string{"rsa_keygen_bits:2048"}, c.options...)...)
		o := m.signer()
		o.Signers[0].Hash = c.hash
		if c.want == "" {
			if _, err := NewDetachedSigner(o); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%v: %v", c.options, err)
			}
			continue
		}
		opensslVerify(t, o, content)
		signed, err := VerifyDetached(signDetached(t, o, content), bytes.NewReader(content), Limits{})
		if r := good(t, signed, err, m.party); r.Algorithm != c.want {
			t.Errorf("%v: %s", c.options, r.Algorithm)
		}
		md := strings.TrimPrefix(c.want, "rsapss-")
		verifyForms(t, m.party, content, []string{"cms", "-sign", "-binary", "-signer", m.certFile, "-inkey", m.keyFile, "-md", md, "-keyopt", "rsa_padding_mode:pss", "-outform", "DER"}, false)
	}
}

// TestVerifyPSSKey holds that a signature that the certificate's key must not make is not one.
func TestVerifyPSSKey(t *testing.T) {
	m := newMade(t, "RSA-PSS", "rsa_keygen_bits:2048", "rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:32")
	content := text(100)
	for _, spec := range []signatureSpec{{scheme: schemeRSA}, {scheme: schemePSS, salt: 20}, {scheme: schemePSS, salt: 32}} {
		spec.digest, _ = digestByHash(crypto.SHA256)
		h := crypto.SHA256.New()
		h.Write(content)
		var opts crypto.SignerOpts = crypto.SHA256
		if spec.scheme == schemePSS {
			opts = &rsa.PSSOptions{SaltLength: spec.salt, Hash: crypto.SHA256}
		}
		value, err := m.key.Sign(rand.Reader, h.Sum(nil), opts)
		if err != nil {
			t.Fatal(err)
		}
		f := forge{p: m.party, content: content, sigAlg: encodeSignature(spec), signature: value}
		if err := verdict(t, f.build(t)); (err == nil) != (spec.salt == 32) || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s with a salt of %d: %v", spec.name(), spec.salt, err)
		}
	}
}

// several is options for signers of every kind.
func several(t testing.TB) (SignOptions, []party) {
	var o SignOptions
	var all []party
	for i, name := range []string{"rsa", "p256", "p384", "p521", "ed25519"} {
		p := get(t, name)
		s := p.signer().Signers[0]
		s.BySubjectKeyID = i%2 == 1
		o.Signers, all = append(o.Signers, s), append(all, p)
	}
	pss := get(t, "rsa2").signer().Signers[0]
	pss.PSS = true
	return SignOptions{Signers: append(o.Signers, pss), Time: get(t, "rsa").signer().Time}, append(all, get(t, "rsa2"))
}

// TestSignSeveral has several sign at once, by name and by key identifier, and breaks each in turn.
func TestSignSeveral(t *testing.T) {
	o, all := several(t)
	content := text(70000)
	if o.Micalg() != "sha-256,sha-384,sha-512" {
		t.Error("micalg", o.Micalg())
	}
	der := signDetached(t, o, content)
	check := func(signed *Signed, err error) {
		t.Helper()
		if err != nil || len(signed.Signers) != len(all) || len(signed.Certificates) != len(all) {
			t.Fatalf("%+v, %v", signed, err)
		}
		for i, p := range all {
			if !signed.Certificates[i].Equal(p.cert) {
				t.Errorf("certificate %d is another's", i)
			}
			found := slices.ContainsFunc(signed.Signers, func(r SignerResult) bool {
				return r.Err == nil && r.Certificate.Equal(p.cert) && r.ID.Matches(p.cert) && (r.ID.SubjectKeyID != nil) == (i%2 == 1 && i < 5)
			})
			if !found {
				t.Errorf("%s did not sign", p.name)
			}
		}
	}
	check(VerifyDetached(der, bytes.NewReader(content), Limits{}))
	for _, known := range []bool{true, false} {
		_, signed, err := verifyOpaque(signOpaque(t, o, content, known))
		check(signed, err)
	}
	o.Signers = slices.DeleteFunc(o.Signers, func(s Signer) bool { return s.Certificate.PublicKeyAlgorithm == x509.Ed25519 })
	opensslVerify(t, o, content) // which cannot do Ed25519 here
}

// TestSignSameTwice has one key sign with two digests, and its certificate in the message once.
func TestSignSameTwice(t *testing.T) {
	p := get(t, "p256")
	o := p.signer()
	o.Signers = append(o.Signers, Signer{Certificate: p.cert, Key: p.key, Hash: crypto.SHA512, Chain: []*x509.Certificate{p.cert, nil, get(t, "rsa").cert}})
	signed, err := VerifyDetached(signDetached(t, o, nil), strings.NewReader(""), Limits{})
	if err != nil || len(signed.Signers) != 2 || signed.Signers[0].Err != nil || signed.Signers[1].Err != nil || len(signed.Certificates) != 2 {
		t.Errorf("%+v, %v", signed, err)
	}
	opensslVerify(t, o, text(10))
	o.Signers[1].Chain = nil
	if !isDER(t, signDetached(t, o, nil)) || !isDER(t, signOpaque(t, o, text(100), true)) {
		t.Error("two signatures are not DER")
	}
}

// TestSignVersions holds versions of SignedData and SignerInfo (RFC 5652, 5.1 and 5.3).
func TestSignVersions(t *testing.T) {
	for _, byKey := range []bool{false, true} {
		o := get(t, "p256").signer()
		o.Signers[0].BySubjectKeyID = byKey
		out := string(openssl(t, signDetached(t, o, nil), "cms", "-cmsout", "-print", "-noout", "-inform", "DER"))
		want := 2
		if byKey {
			want = 0
		}
		if strings.Count(out, "version: 1")+strings.Count(out, "version: 3") < 2 || strings.Count(out, "version: 1") != want {
			t.Errorf("by key %v: %s", byKey, out)
		}
	}
}

// TestDefaultHash holds the digest that goes with each key where none is asked for.
func TestDefaultHash(t *testing.T) {
	for name, want := range map[string]string{"rsa": "sha256", "rsa3072": "sha256", "p256": "sha256", "p384": "sha384", "p521": "sha512", "ed25519": "sha512"} {
		signed, err := VerifyDetached(signDetached(t, get(t, name).signer(), nil), strings.NewReader(""), Limits{})
		if r := good(t, signed, err, get(t, name)); r.Digest != want {
			t.Errorf("%s: %s", name, r.Digest)
		}
	}
}

// TestSignWrongBrainpool checks what an opaque key answers there too.
func TestSignWrongBrainpool(t *testing.T) {
	m, other := makeBrainpool(t, 256), makeBrainpool(t, 256)
	o := m.signer()
	o.Signers[0].Key = wrongSigner{hiddenSigner{m.key}, other.key}
	s, err := NewDetachedSigner(o)
	if err != nil {
		t.Fatal(err)
	}
	if der, err := s.Finish(); err == nil || der != nil {
		t.Error("a signature of another key was handed out")
	}
	o.Signers[0].Key = other.key
	if _, err := NewOpaqueSigner(io.Discard, 1, o); !errors.Is(err, ErrUnsupported) {
		t.Errorf("another's key: %v", err)
	}
	if _, ok := m.key.(*ecdsa.PrivateKey); !ok {
		t.Errorf("the key is a %T", m.key)
	}
}

// TestCertificatesOnly writes certificates alone; openssl lists them, and they come back in their order.
func TestCertificatesOnly(t *testing.T) {
	list := []*x509.Certificate{get(t, "p384").cert, get(t, "rsa").cert, get(t, "p256").cert}
	der := CertificatesOnly(append(list, list[1], nil))
	content, signed, err := verifyOpaque(der)
	if err != nil || len(content) != 0 || len(signed.Signers) != 0 || !slices.EqualFunc(signed.Certificates, list, (*x509.Certificate).Equal) {
		t.Errorf("%+v, %v", signed, err)
	}
	out := openssl(t, der, "pkcs7", "-inform", "DER", "-print_certs", "-noout")
	if n := strings.Count(string(out), "subject="); n != 3 || !isDER(t, CertificatesOnly(list[:1])) {
		t.Errorf("openssl finds %d certificates: %s", n, out)
	}
	if _, signed, err = verifyOpaque(CertificatesOnly(nil)); err != nil || len(signed.Certificates) != 0 {
		t.Errorf("none: %v", err)
	}
}
