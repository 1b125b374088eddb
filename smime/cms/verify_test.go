package cms

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

// TestVerifyOpenSSL verifies what openssl signs, in every form it has.
func TestVerifyOpenSSL(t *testing.T) {
	content := text(60000)
	kinds := map[string][]string{"": nil, "keyid": {"-keyid"}, "noattr": {"-noattr"}, "nosmimecap": {"-nosmimecap"},
		"cades": {"-cades"}}
	for _, name := range []string{"rsa", "rsa3072", "p256", "p384", "p521"} {
		p := get(t, name)
		cert, key := p.files(t)
		for _, md := range []string{"sha256", "sha384", "sha512", "sha1"} {
			for kind, options := range kinds {
				base := append([]string{"cms", "-sign", "-binary", "-signer", cert, "-inkey", key, "-md", md, "-outform", "DER"}, options...)
				t.Run(name+"-"+md+"-"+kind, func(t *testing.T) {
					verifyForms(t, p, content, base, md == "sha1")
				})
			}
		}
	}
}

// verifyForms verifies what the openssl command base signs, detached, opaque and streamed.
func verifyForms(t *testing.T, p party, content []byte, base []string, weak bool) {
	t.Helper()
	signed, err := VerifyDetached(openssl(t, content, base...), bytes.NewReader(content), Limits{})
	if r := good(t, signed, err, p); r.Weak != weak {
		t.Errorf("weak: %v", r.Weak)
	}
	for _, form := range [][]string{{"-nodetach"}, {"-nodetach", "-stream"}} {
		if slices.Contains(base, "rsa_padding_mode:pss") && slices.Contains(form, "-stream") {
			continue // openssl 3.0 cannot write this itself
		}
		der := openssl(t, content, append(base[:len(base):len(base)], form...)...)
		got, signed, err := verifyOpaque(der)
		good(t, signed, err, p)
		if !bytes.Equal(got, content) {
			t.Errorf("%v: other content", form)
		}
	}
}

func TestVerifyOpenSSLPSS(t *testing.T) {
	p := get(t, "rsa")
	cert, key := p.files(t)
	content := text(10000)
	for _, md := range []string{"sha256", "sha384", "sha512"} {
		for _, salt := range []string{"digest", "0", "20", "max"} {
			base := []string{"cms", "-sign", "-binary", "-signer", cert, "-inkey", key, "-md", md, "-outform", "DER",
				"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:" + salt}
			t.Run(md+"-"+salt, func(t *testing.T) { verifyForms(t, p, content, base, false) })
		}
	}
}

// TestVerifySeveral has two signers, of which one is broken afterwards.
func TestVerifySeveral(t *testing.T) {
	content := text(5000)
	one, two := get(t, "rsa"), get(t, "p384")
	cert1, key1 := one.files(t)
	cert2, key2 := two.files(t)
	der := openssl(t, content, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha512",
		"-signer", cert1, "-inkey", key1, "-signer", cert2, "-inkey", key2)
	_, signed, err := verifyOpaque(der)
	if err != nil || len(signed.Signers) != 2 {
		t.Fatalf("%v, %+v", err, signed)
	}
	for _, r := range signed.Signers {
		if r.Err != nil || r.Digest != "sha512" {
			t.Errorf("signer %+v", r)
		}
	}
	der[len(der)-1] ^= 1 // within the last signature
	_, signed, err = verifyOpaque(der)
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, r := range signed.Signers {
		if r.Err != nil {
			broken++
			if !errors.Is(r.Err, ErrSignature) || r.Certificate == nil {
				t.Errorf("broken signer %+v", r)
			}
		}
	}
	if broken != 1 {
		t.Errorf("%d broken signers", broken)
	}
}

func TestVerifyLibraries(t *testing.T) {
	content := text(3000)
	p := get(t, "rsa")
	m, err := mozilla.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	m.SetDigestAlgorithm(mozilla.OIDDigestAlgorithmSHA256)
	if err := m.AddSigner(p.cert, p.key, mozilla.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	der, err := m.Finish()
	if err != nil {
		t.Fatal(err)
	}
	got, signed, err := verifyOpaque(der)
	good(t, signed, err, p)
	if !bytes.Equal(got, content) {
		t.Error("other content")
	}
	s, err := smallstep.NewSignedData(content)
	if err != nil {
		t.Fatal(err)
	}
	s.SetDigestAlgorithm(smallstep.OIDDigestAlgorithmSHA512)
	if err := s.AddSigner(p.cert, p.key, smallstep.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	s.Detach()
	if der, err = s.Finish(); err != nil {
		t.Fatal(err)
	}
	signed, err = VerifyDetached(der, bytes.NewReader(content), Limits{})
	good(t, signed, err, p)
}

// TestVerifyCertsOnly reads a message that carries certificates and no signature.
func TestVerifyCertsOnly(t *testing.T) {
	cert, _ := get(t, "rsa").files(t)
	other, _ := get(t, "p256").files(t)
	der := openssl(t, nil, "crl2pkcs7", "-nocrl", "-certfile", cert, "-certfile", other, "-outform", "DER")
	content, signed, err := verifyOpaque(der)
	if err != nil || len(content) != 0 {
		t.Fatal(err, content)
	}
	if len(signed.Signers) != 0 || len(signed.Certificates) != 2 {
		t.Errorf("%d signers, %d certificates", len(signed.Signers), len(signed.Certificates))
	}
}

// TestVerifyNotOurs holds who else is told from a good signature.
func TestVerifyNotOurs(t *testing.T) {
	content := text(500)
	p := get(t, "rsa")
	cert, key := p.files(t)
	without := openssl(t, content, "cms", "-sign", "-binary", "-nocerts", "-signer", cert, "-inkey", key, "-outform", "DER")
	signed, err := VerifyDetached(without, bytes.NewReader(content), Limits{})
	if err != nil || len(signed.Signers) != 1 || !errors.Is(signed.Signers[0].Err, ErrNoCertificate) {
		t.Errorf("no certificate: %+v, %v", signed, err)
	}
	if id := signed.Signers[0].ID; !id.Matches(p.cert) || id.Matches(get(t, "p256").cert) || id.Matches(nil) {
		t.Error("the signer's identifier means another certificate")
	}
	der := signDetached(t, p.signer(), content)
	signed, err = VerifyDetached(der, strings.NewReader("other content"), Limits{})
	if err != nil || !errors.Is(signed.Signers[0].Err, ErrSignature) || signed.Signers[0].SigningTime.IsZero() {
		t.Errorf("changed content: %+v, %v", signed, err)
	}
	_, signed, err = verifyOpaque(der)
	if err != nil || !errors.Is(signed.Signers[0].Err, ErrSignature) {
		t.Errorf("detached signature read as opaque: %+v, %v", signed, err)
	}
	empty := signDetached(t, p.signer(), nil)
	if _, signed, _ = verifyOpaque(empty); signed.Signers[0].Err == nil {
		t.Error("absent content was taken for empty content")
	}
	opaque := signOpaque(t, p.signer(), content, true)
	if _, err := VerifyDetached(opaque, bytes.NewReader(content), Limits{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("detached with content: %v", err)
	}
	if _, err := VerifyDetached(encrypt(t, EncryptOptions{Recipients: to(p)}, nil), bytes.NewReader(content), Limits{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an envelope: %v", err)
	}
}

// failingReader fails with err after its content.
type failingReader struct {
	io.Reader
	err error
}

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

// TestVerifySourceFails tells a disk that fails from a message that is malformed.
func TestVerifySourceFails(t *testing.T) {
	disk := errors.New("disk is broken")
	p := get(t, "rsa")
	content := text(5000)
	_, err := VerifyDetached(signDetached(t, p.signer(), content), failingReader{strings.NewReader("x"), disk}, Limits{})
	if !errors.Is(err, disk) {
		t.Errorf("content: %v", err)
	}
	opaque := signOpaque(t, p.signer(), content, true)
	for _, n := range []int{0, 10, 100, 3000, len(opaque) - 10} {
		v, err := NewVerifier(failingReader{bytes.NewReader(opaque[:n]), disk}, Limits{})
		if err == nil {
			_, err = io.Copy(io.Discard, v)
			if s, again := v.Signed(); s != nil || again == nil {
				t.Errorf("a result after %d bytes", n)
			}
		}
		if !errors.Is(err, disk) || errors.Is(err, ErrMalformed) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// TestVerifyTruncated cuts a message at every byte.
func TestVerifyTruncated(t *testing.T) {
	p := get(t, "p256")
	for _, known := range []bool{true, false} {
		opaque := signOpaque(t, p.signer(), text(300), known)
		for n := range opaque {
			if _, _, err := verifyOpaque(opaque[:n]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%d bytes of %d: %v", n, len(opaque), err)
			}
		}
	}
}

// TestVerifyFlipped turns every bit of a message and expects no good signature over other content.
func TestVerifyFlipped(t *testing.T) {
	p := get(t, "p256")
	content := text(120)
	opaque := signOpaque(t, p.signer(), content, true)
	for i := range opaque {
		for bit := range 8 {
			bad := bytes.Clone(opaque)
			bad[i] ^= 1 << bit
			got, signed, err := verifyOpaque(bad)
			if err != nil {
				continue
			}
			for _, r := range signed.Signers {
				if r.Err == nil && (!bytes.Equal(got, content) || !r.Certificate.Equal(p.cert)) {
					t.Fatalf("bit %d of byte %d: other content is signed", bit, i)
				}
			}
		}
	}
}

// TestVerifySignedBeforeEnd holds that there is no outcome before the content is read.
func TestVerifySignedBeforeEnd(t *testing.T) {
	v, err := NewVerifier(bytes.NewReader(signOpaque(t, get(t, "rsa").signer(), text(500), true)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := v.Signed(); s != nil || err == nil {
		t.Error("an outcome before the content")
	}
	var out bytes.Buffer
	if n, err := v.WriteTo(&out); n != 500 || err != nil || !bytes.Equal(out.Bytes(), text(500)) {
		t.Error("WriteTo:", n, err)
	}
	s, err := v.Signed()
	good(t, s, err, get(t, "rsa"))
	if n, err := v.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error("Read after the end:", n, err)
	}
}
