package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// vector reads a file of the public test vectors.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("SIEGEL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "testdata")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the public test vectors are not there: put them into %s or set SIEGEL_TESTDATA", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRFC4134Signed verifies the signed examples of RFC 4134. Their signatures are DSA with SHA-1, RSA with MD5 or SHA-1
// under keys of 1024 bits: all are weak. One of 4.6 has a DSA key with the parameters of its issuer's certificate, which
// crypto/x509 does not parse, and nobody has used for twenty years.
func TestRFC4134Signed(t *testing.T) {
	content := vector(t, "rfc4134/ExContent.bin")
	cases := map[string]struct {
		detached bool
		content  []byte
		signers  []string // the algorithm of each
		errs     []error
	}{
		"4.1":  {false, content, []string{"dsa-sha1"}, []error{nil}},
		"4.2":  {false, content, []string{"rsa-sha1"}, []error{nil}},
		"4.3":  {true, content, []string{"dsa-sha1"}, []error{nil}},
		"4.4":  {false, content, []string{"dsa-sha1"}, []error{nil}},
		"4.5":  {false, content, []string{"rsa-sha1"}, []error{nil}},
		"4.6":  {false, content, []string{"dsa-sha1", "dsa-sha1"}, []error{nil, ErrNoCertificate}},
		"4.7":  {false, content, []string{"dsa-sha1"}, []error{nil}},
		"4.10": {false, content, []string{"dsa-sha1"}, []error{nil}},
		"4.11": {false, nil, nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			message := vector(t, "rfc4134/"+name+".bin")
			var signed *Signed
			var err error
			if c.detached {
				signed, err = VerifyDetached(message, bytes.NewReader(content), Limits{})
			} else {
				var got []byte
				got, signed, err = verifyOpaque(message)
				if !bytes.Equal(got, c.content) {
					t.Errorf("content %q", got)
				}
			}
			if err != nil || len(signed.Signers) != len(c.signers) {
				t.Fatalf("%v, %+v", err, signed)
			}
			for i, r := range signed.Signers {
				if r.Algorithm != c.signers[i] || !errors.Is(r.Err, c.errs[i]) || !r.Weak {
					t.Errorf("signer %+v", r)
				}
			}
		})
	}
}

// TestRFC4134Enveloped reads the enveloped examples, whose content is under 3DES (5.1, and 5.3, which is 5.1 as mail)
// or RC2 (5.2): the one where that is allowed, the other never.
func TestRFC4134Enveloped(t *testing.T) {
	cert, err := x509.ParseCertificate(vector(t, "rfc4134/BobRSASignByCarl.cer"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	private, err := x509.ParsePKCS8PrivateKey(vector(t, "rfc4134/BobPrivRSAEncrypt.pri"))
	if err != nil {
		t.Fatal(err)
	}
	bob := func([]RecipientID) []Key {
		return []Key{{Certificate: cert, Decrypter: opaqueDecrypter{private.(*rsa.PrivateKey)}}}
	}
	for name, algorithm := range map[string]Algorithm{"5.1": DESEDE3CBC, "5.2": RC2CBC} {
		for _, legacy := range []bool{false, true} {
			message := vector(t, "rfc4134/"+name+".bin")
			d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{Keys: bob, Legacy: legacy})
			if read := legacy && algorithm == DESEDE3CBC; read == errors.Is(err, ErrUnsupported) {
				t.Fatalf("%s, legacy %v: %v", name, legacy, err)
			} else if read {
				if plain, err := io.ReadAll(d); err != nil || !bytes.Equal(plain, vector(t, "rfc4134/ExContent.bin")) {
					t.Errorf("%s: %q, %v", name, plain, err)
				}
			}
			info := d.Info()
			if info.Type != Enveloped || len(info.Recipients) == 0 || info.Algorithm != string(algorithm) || info.Authenticated {
				t.Errorf("%s: %+v", name, info)
			}
		}
	}
	for _, name := range []string{"6.0", "7.1", "7.2"} { // DigestedData, EncryptedData
		if _, err := NewDecrypter(bytes.NewReader(vector(t, "rfc4134/"+name+".bin")), DecryptOptions{}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pemOf is the first block of a PEM vector.
func pemOf(t testing.TB, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(vector(t, name))
	if block == nil {
		t.Fatal(name, "is not PEM")
	}
	return block.Bytes
}

// sample is one of RFC 9216's people.
func sample(t testing.TB, name, use string) party {
	t.Helper()
	base := "rfc9216/" + name + "." + use
	cert, err := x509x.ParseCertificate(pemOf(t, base+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	der := pemOf(t, base+".key")
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
			t.Fatal(err)
		}
	}
	p := party{name: name, cert: cert, own: key}
	p.key, _ = key.(crypto.Signer)
	return p
}

// TestRFC9216 goes both ways with the sample keys: RSA of Alice and Bob, Ed25519 of Carlos and Dana.
func TestRFC9216(t *testing.T) {
	content := text(1000)
	for name, use := range map[string]string{"alice": "sign", "bob": "sign", "carlos": "sign.25519", "dana": "sign.25519"} {
		p := sample(t, name, use)
		signed, err := VerifyDetached(signDetached(t, p.signer(), content), bytes.NewReader(content), Limits{})
		if r := good(t, signed, err, p); r.Weak {
			t.Errorf("%s is weak", name)
		}
	}
	for _, name := range []string{"alice", "bob"} {
		p := sample(t, name, "encrypt")
		cert, key := p.files(t)
		plain, _, err := decrypt(openssl(t, content, "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-recip", cert), finder(p))
		if err != nil || !bytes.Equal(plain, content) {
			t.Errorf("%s: %v", name, err)
		}
		message := encrypt(t, EncryptOptions{Recipients: to(p), Size: 1000, Algorithm: AES256GCM}, content)
		if got := openssl(t, message, "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", cert, "-inkey", key); !bytes.Equal(got, content) {
			t.Errorf("%s: openssl reads other content", name)
		}
	}
}

// TestRFC9216X25519 goes both ways with the X25519 keys of Carlos and Dana.
func TestRFC9216X25519(t *testing.T) {
	carlos, dana := sample(t, "carlos", "encrypt.25519"), sample(t, "dana", "encrypt.25519")
	for _, algorithm := range algorithms() {
		message := encrypt(t, EncryptOptions{Recipients: to(carlos, dana), Size: 1000, Algorithm: algorithm}, text(1000))
		for _, p := range []party{carlos, dana} {
			plain, info, err := decrypt(message, finder(p))
			if err != nil || !bytes.Equal(plain, text(1000)) {
				t.Errorf("%s, %s: %v", algorithm, p.name, err)
			}
			if r := info.Recipients[0]; r.Kind != "kari" || r.Algorithm != "x25519" {
				t.Errorf("%s: %+v", algorithm, r)
			}
		}
	}
}

// TestPostQuantum reads messages of kinds that came later: an ML-KEM recipient, ML-DSA signers.
func TestPostQuantum(t *testing.T) {
	message := vector(t, "ml-kem-cms/ML-KEM-512.cms")
	if block, _ := pem.Decode(message); block != nil {
		message = block.Bytes
	}
	d, err := NewDecrypter(bytes.NewReader(message), DecryptOptions{})
	if !errors.Is(err, ErrNoKey) {
		t.Fatal(err)
	}
	if info := d.Info(); info.Type != AuthEnveloped || len(info.Recipients) != 1 || info.Recipients[0].Kind != "ori" {
		t.Errorf("%+v", info)
	}
	for _, name := range []string{"mldsa44", "mldsa65", "mldsa87"} {
		_, signed, err := verifyOpaque(pemOf(t, "ml-dsa-cms/"+name+"-signed-attrs.pem"))
		if err != nil || len(signed.Signers) != 1 || signed.Signers[0].Err == nil {
			t.Fatalf("%s: %v, %+v", name, err, signed)
		}
	}
}
