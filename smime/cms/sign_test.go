package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	smallstep "github.com/smallstep/pkcs7"
	mozilla "go.mozilla.org/pkcs7"
)

// signCases are the ways to sign.
func signCases(t testing.TB) map[string]SignOptions {
	cases := map[string]SignOptions{}
	for _, name := range []string{"rsa", "rsa3072", "p256", "p384", "p521"} {
		for _, hash := range []crypto.Hash{0, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			o := get(t, name).signer()
			o.Signers[0].Hash = hash
			o.Signers[0].Key = hiddenSigner{o.Signers[0].Key}
			cases[fmt.Sprintf("%s-%d", name, hash)] = o
		}
	}
	pss := get(t, "rsa").signer()
	pss.Signers[0].PSS = true
	cases["pss-256"] = pss
	pss = get(t, "rsa").signer()
	pss.Signers[0].PSS, pss.Signers[0].Hash = true, crypto.SHA512
	cases["pss-512"] = pss
	chain := get(t, "rsa").signer()
	chain.Signers[0].Chain = []*x509.Certificate{get(t, "p256").cert, chain.Signers[0].Certificate, nil}
	cases["chain"] = chain
	other := get(t, "p256").signer()
	other.Signers[0].Encryption = get(t, "rsa").cert
	cases["encryption"] = other
	bare := get(t, "p256").signer()
	bare.Capabilities, bare.Time = Capabilities{}, time.Time{}
	cases["bare"] = bare
	return cases
}

// TestSignAgainstOpenSSL has openssl verify what was signed, detached and opaque.
func TestSignAgainstOpenSSL(t *testing.T) {
	content := text(100000)
	for name, o := range signCases(t) {
		t.Run(name, func(t *testing.T) {
			file, ca := temp(t, content), temp(t, openssl(t, o.Signers[0].Certificate.Raw, "x509", "-inform", "DER"))
			der := signDetached(t, o, content)
			openssl(t, der, "cms", "-verify", "-binary", "-inform", "DER", "-content", file, "-CAfile", ca, "-purpose", "any", "-out", "/dev/null")
			for _, known := range []bool{true, false} {
				opaque := signOpaque(t, o, content, known)
				got := openssl(t, opaque, "cms", "-verify", "-binary", "-inform", "DER", "-CAfile", ca, "-purpose", "any")
				if !bytes.Equal(got, content) {
					t.Error("openssl reads other content")
				}
			}
		})
	}
}

// TestSignVerify verifies what was signed, around every boundary, in every form.
func TestSignVerify(t *testing.T) {
	for name, o := range signCases(t) {
		t.Run(name, func(t *testing.T) {
			p := party{cert: o.Signers[0].Certificate}
			all := sizes()
			if strings.HasPrefix(name, "p3") || strings.HasPrefix(name, "p5") {
				all = []int{0, 17, 65536} // the larger curves are slow in Go, and sizes do not concern them
			}
			for _, size := range all {
				content := text(size)
				signed, err := VerifyDetached(signDetached(t, o, content), bytes.NewReader(content), Limits{})
				r := good(t, signed, err, p)
				if !r.SigningTime.Equal(o.Time) || r.Weak || signed.ContentType != "data" {
					t.Fatalf("result %+v", r)
				}
				for _, known := range []bool{true, false} {
					got, signed, err := verifyOpaque(signOpaque(t, o, content, known))
					good(t, signed, err, p)
					if !bytes.Equal(got, content) {
						t.Fatal("other content")
					}
				}
			}
		})
	}
}

func TestSignEd25519(t *testing.T) {
	o := get(t, "ed25519").signer()
	content := text(5000)
	if o.Micalg() != "sha-512" {
		t.Error("micalg", o.Micalg())
	}
	signed, err := VerifyDetached(signDetached(t, o, content), bytes.NewReader(content), Limits{})
	if r := good(t, signed, err, get(t, "ed25519")); r.Algorithm != "ed25519" || r.Digest != "sha512" {
		t.Errorf("result %+v", r)
	}
}

// TestResultNames holds the names that callers show.
func TestResultNames(t *testing.T) {
	pss := get(t, "rsa").signer()
	pss.Signers[0].PSS, pss.Signers[0].Hash = true, crypto.SHA384
	cases := map[string]SignOptions{"rsa-sha256": get(t, "rsa").signer(), "rsapss-sha384": pss, "ecdsa-sha256": get(t, "p256").signer()}
	for want, o := range cases {
		signed, err := VerifyDetached(signDetached(t, o, nil), strings.NewReader(""), Limits{})
		r := good(t, signed, err, party{cert: o.Signers[0].Certificate})
		if r.Algorithm != want || !strings.HasSuffix(want, r.Digest) {
			t.Errorf("%s: %s %s", want, r.Algorithm, r.Digest)
		}
		if !slices.Equal(r.Capabilities, Capabilities{"aes256-gcm", "aes128-gcm", "aes256-cbc", "aes192-cbc", "aes128-cbc", "chacha20-poly1305", "rsa-oaep-sha256", "rsapss-sha256"}) {
			t.Errorf("capabilities %q", r.Capabilities)
		}
		if micalg := strings.Replace(r.Digest, "sha", "sha-", 1); o.Micalg() != micalg {
			t.Errorf("micalg %s", o.Micalg())
		}
	}
}

// TestSignIsDER compares with what openssl would write. (It sorts certificates, so there is one here.)
func TestSignIsDER(t *testing.T) {
	for _, name := range []string{"rsa", "p256", "p521", "ed25519"} {
		o := get(t, name).signer()
		if !isDER(t, signDetached(t, o, text(100))) {
			t.Errorf("%s: a detached signature is not DER", name)
		}
		for _, size := range []int{0, 100, 127, 128, 255, 256, 65535, 65536} {
			if !isDER(t, signOpaque(t, o, text(size), true)) {
				t.Errorf("%s: an opaque signature of %d bytes is not DER", name, size)
			}
		}
	}
	if !isDER(t, signOpaque(t, get(t, "rsa").signer(), text(3<<20), true)) {
		t.Error("a long opaque signature with RSA is not DER")
	}
	if isDER(t, signOpaque(t, get(t, "rsa").signer(), text(10), false)) {
		t.Error("unknown size gives DER")
	}
}

func TestSignAgainstLibraries(t *testing.T) {
	content := text(3000) // more would not be read by one of them
	for _, name := range []string{"rsa", "p256"} {
		o := get(t, name).signer()
		detached, opaque := signDetached(t, o, content), signOpaque(t, o, content, true)
		for _, der := range [][]byte{detached, opaque} {
			m, err := mozilla.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			m.Content = content
			if err := m.Verify(); err != nil {
				t.Errorf("mozilla: %v", err)
			}
			s, err := smallstep.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			s.Content = content
			if err := s.Verify(); err != nil {
				t.Errorf("smallstep: %v", err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	other := get(t, "rsa2")
	cases := map[string]func(*SignOptions){
		"no key":         func(o *SignOptions) { o.Signers[0].Key = nil },
		"no certificate": func(o *SignOptions) { o.Signers[0].Certificate = nil },
		"another's key":  func(o *SignOptions) { o.Signers[0].Key = other.key },
		"SHA-1":          func(o *SignOptions) { o.Signers[0].Hash = crypto.SHA1 },
		"SHA-224":        func(o *SignOptions) { o.Signers[0].Hash = crypto.SHA224 },
		"unknown digest": func(o *SignOptions) { o.Signers[0].Hash = crypto.SHA3_256 },
		"nobody":         func(o *SignOptions) { o.Signers = nil },
		"second without": func(o *SignOptions) { o.Signers = append(o.Signers, Signer{Certificate: other.cert}) },
		"no identifier": func(o *SignOptions) {
			o.Signers[0].BySubjectKeyID = true
			o.Signers[0].Certificate = &x509.Certificate{PublicKey: o.Signers[0].Certificate.PublicKey}
		},
		"capability": func(o *SignOptions) { o.Capabilities = Capabilities{"rot13"} },
	}
	for name, change := range cases {
		o := get(t, "rsa").signer()
		change(&o)
		if _, err := NewDetachedSigner(o); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewOpaqueSigner(io.Discard, 1, o); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wrongSigner says it is one key and signs with another, as a card with several keys may.
type wrongSigner struct {
	crypto.Signer
	other crypto.Signer
}

func (w wrongSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return w.other.Sign(r, digest, o)
}

// brokenSigner cannot sign.
type brokenSigner struct{ crypto.Signer }

var errCard = errors.New("card was pulled")

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errCard }

func TestSignOpaqueKeyFails(t *testing.T) {
	o := get(t, "rsa").signer()
	right := o.Signers[0].Key
	o.Signers[0].Key = wrongSigner{right, get(t, "rsa2").key}
	s, err := NewDetachedSigner(o)
	if err != nil {
		t.Fatal(err)
	}
	if der, err := s.Finish(); err == nil || der != nil {
		t.Error("a signature of another key was handed out")
	}
	o.Signers[0].Key = brokenSigner{right}
	w, err := NewOpaqueSigner(io.Discard, 0, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, errCard) {
		t.Errorf("error of the key: %v", err)
	}
}

func TestSignMisuse(t *testing.T) {
	o := get(t, "rsa").signer()
	s, _ := NewDetachedSigner(o)
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(); err == nil {
		t.Error("a second Finish signs again")
	}
	if _, err := s.Write([]byte("x")); err == nil {
		t.Error("Write after Finish")
	}
	for _, name := range []string{"rsa", "p256"} {
		w, _ := NewOpaqueSigner(io.Discard, 10, get(t, name).signer())
		if err := w.Close(); err == nil {
			t.Errorf("%s: too little content", name)
		}
		w, _ = NewOpaqueSigner(io.Discard, 10, get(t, name).signer())
		if _, err := w.Write(make([]byte, 11)); err == nil {
			t.Errorf("%s: too much content", name)
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: Close after too much content", name)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: second Close: %v", name, err)
		}
	}
}

// TestWriterFails breaks the writer after each number of bytes.
func TestWriterFails(t *testing.T) {
	p := get(t, "rsa")
	makers := map[string]func(io.Writer) (io.WriteCloser, error){
		"sign":     func(w io.Writer) (io.WriteCloser, error) { return NewOpaqueSigner(w, 100, p.signer()) },
		"sign ber": func(w io.Writer) (io.WriteCloser, error) { return NewOpaqueSigner(w, -1, p.signer()) },
		"encrypt": func(w io.Writer) (io.WriteCloser, error) {
			return NewEncrypter(w, EncryptOptions{Recipients: to(p), Size: 100})
		},
		"encrypt ber": func(w io.Writer) (io.WriteCloser, error) {
			return NewEncrypter(w, EncryptOptions{Recipients: to(p), Size: -1, Algorithm: AES128GCM})
		},
	}
	for name, newWriter := range makers {
		for room := range 4 {
			sink := &shortWriter{room: room}
			err := func() error {
				w, err := newWriter(sink)
				if err != nil {
					return err
				}
				if _, err = w.Write(make([]byte, 100)); err != nil {
					_ = w.Close()
					return err
				}
				return w.Close()
			}()
			if sink.failed && !errors.Is(err, io.ErrShortWrite) {
				t.Errorf("%s, failing at write %d: %v", name, room, err)
			}
		}
	}
}

// shortWriter takes room writes and then fails.
type shortWriter struct {
	room   int
	failed bool
}

func (w *shortWriter) Write(p []byte) (int, error) {
	if w.room--; w.room < 0 {
		w.failed = true
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// TestSignTime holds both forms of signingTime.
func TestSignTime(t *testing.T) {
	for _, year := range []int{1950, 2026, 2049, 2050, 2120} {
		o := get(t, "p256").signer()
		o.Time = time.Date(year, 12, 31, 23, 59, 58, 999, time.FixedZone("", 3600))
		signed, err := VerifyDetached(signDetached(t, o, nil), strings.NewReader(""), Limits{})
		if r := good(t, signed, err, get(t, "p256")); !r.SigningTime.Equal(o.Time.Truncate(time.Second)) {
			t.Errorf("%d: %v", year, r.SigningTime)
		}
	}
}

func BenchmarkBareRSA(b *testing.B) {
	key := get(b, "rsa").key.(*rsa.PrivateKey)
	digest := make([]byte, 32)
	for b.Loop() {
		if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}
