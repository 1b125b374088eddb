package vault_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// Keys of every kind sign in every way that S/MIME needs, verified by the standard library.
func TestSign(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	for _, kind := range []string{"rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			if _, err := c.NewKey(t.Context(), kind, kind); err != nil {
				t.Fatal(err)
			}
			key := bound(t, c, "main:"+kind, certificate(t, c, "main:"+kind, x509.KeyUsageDigitalSignature))
			if kind == "ed25519" {
				message := []byte("a message")
				signature, err := key.Sign(nil, message, crypto.Hash(0))
				if err != nil || !ed25519.Verify(key.Public().(ed25519.PublicKey), message, signature) {
					t.Error(err)
				}
				if _, err := key.Sign(nil, make([]byte, 64), crypto.SHA512); err == nil {
					t.Error("a digest was signed")
				}
				return
			}
			for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				signBy(t, key, hash)
			}
			for _, wrong := range []crypto.SignerOpts{crypto.SHA1, crypto.MD5SHA1, crypto.Hash(0), crypto.SHA3_256} {
				if _, err := key.Sign(nil, make([]byte, 20), wrong); err == nil {
					t.Errorf("signed by %v", wrong.HashFunc())
				}
			}
			if _, err := key.Sign(nil, make([]byte, 31), crypto.SHA256); err == nil {
				t.Error("a digest that is too short was signed")
			}
		})
	}
}

func signBy(t *testing.T, key crypto.Signer, hash crypto.Hash) {
	t.Helper()
	digest, signature, err := sign(key, "a text", hash)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); ok {
		if !ecdsa.VerifyASN1(public, digest, signature) {
			t.Errorf("%v: the signature is wrong", hash)
		}
		return
	}
	public := publicRSA(t, key)
	if err := rsa.VerifyPKCS1v15(public, hash, digest, signature); err != nil {
		t.Errorf("%v: %v", hash, err)
	}
	for asked, want := range map[int]int{
		rsa.PSSSaltLengthEqualsHash: hash.Size(), rsa.PSSSaltLengthAuto: public.Size() - 2 - hash.Size(), 20: 20, hash.Size(): hash.Size(),
	} {
		digest, signature, err := sign(key, "a text", &rsa.PSSOptions{SaltLength: asked, Hash: hash})
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: want}); err != nil {
			t.Errorf("%v, salt %d: %v", hash, asked, err)
		}
	}
}

// RSA keys open content keys under OAEP with SHA-256. Everything else that a message may ask for is said to be impossible, and what
// is not for the key is neither trouble of the vault nor of its configuration.
func TestDecrypt(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	for _, kind := range []string{"rsa-2048", "rsa-4096"} {
		if _, err := c.NewKey(t.Context(), kind, kind); err != nil {
			t.Fatal(err)
		}
		key := bound(t, c, "main:"+kind, certificate(t, c, "main:"+kind, both))
		public := publicRSA(t, key)
		decrypter := key.(crypto.Decrypter)
		contentKey := bytes.Repeat([]byte{7}, 32)
		text, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, public, contentKey, nil)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := decrypter.Decrypt(nil, text, &rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil || !bytes.Equal(plain, contentKey) {
			t.Errorf("%s: %x, %v", kind, plain, err)
		}
		for what, bad := range map[string][]byte{
			"altered": append([]byte{text[0] ^ 1}, text[1:]...), "short": text[1:], "long": append([]byte{0}, text...), "zero": make([]byte, len(text)), "ones": bytes.Repeat([]byte{255}, len(text)),
		} {
			if _, err := decrypter.Decrypt(nil, bad, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA256}); !errors.Is(err, vault.ErrDecryption) || errors.Is(err, certs.ErrUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := c.Check(); err != nil {
			t.Error("what strangers write makes the vault count as away: ", err)
		}
		wantImpossible(t, decrypter, text)
	}
}

func wantImpossible(t *testing.T, key crypto.Decrypter, text []byte) {
	t.Helper()
	for _, opts := range []crypto.DecrypterOpts{
		nil,
		//lint:ignore SA1019 what most mail is encrypted with must be refused
		&rsa.PKCS1v15DecryptOptions{SessionKeyLen: 32},
	} {
		_, err := key.Decrypt(nil, text, opts)
		wantConfig(t, err, "PKCS #1 v1.5", "RSA-OAEP", "the gateway's store")
	}
	for _, opts := range []*rsa.OAEPOptions{{Hash: crypto.SHA1}, {Hash: crypto.SHA512}, {Hash: crypto.SHA256, MGFHash: crypto.SHA1}, {Hash: crypto.SHA256, Label: []byte("x")}} {
		_, err := key.Decrypt(nil, text, opts)
		wantConfig(t, err, "SHA-256 for both")
	}
}

// A key is the one of its certificate whatever was rotated since; a version that is named is that one, and no other
// key is ever taken for it.
func TestVersions(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err == nil {
		t.Error("a key was made over another")
	} else {
		wantConfig(t, err, "already")
	}
	first := certificate(t, c, "main:alice", both)
	s.Write(t, "transit/keys/alice/rotate", nil)
	second := certificate(t, c, "main:alice", both)
	for _, use := range []struct {
		reference   string
		certificate *x509.Certificate
		good        bool
	}{
		{"main:alice", first, true}, {"main:alice", second, true}, {"vault:main:alice:1", first, true}, {"main:alice:2", second, true},
		{"main:alice:1", second, false}, {"main:alice:2", first, false}, {"main:alice:3", first, false},
	} {
		key, err := keyOf(t.Context(), c, use.reference, use.certificate)
		if !use.good {
			wantConfig(t, err, "is not that of the certificate")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		digest, signature, err := sign(key, "text", crypto.SHA256)
		if err != nil || rsa.VerifyPKCS1v15(use.certificate.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest, signature) != nil {
			t.Error(use.reference, err)
		}
		text, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, use.certificate.PublicKey.(*rsa.PublicKey), []byte("key"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := key.(crypto.Decrypter).Decrypt(nil, text, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil || string(plain) != "key" {
			t.Error(use.reference, err)
		}
	}
	if newest(t, c, "main:alice").Public().(*rsa.PublicKey).N.Cmp(second.PublicKey.(*rsa.PublicKey).N) != 0 {
		t.Error("the newest version is not the newest")
	}
	_, err := c.Newest(t.Context(), vault.KeyReference{Vault: "main", Key: "alice", Version: 9})
	wantConfig(t, err, "no version 9")
}

// What is not there, is of another kind, or may not be used is said when the certificate is bound, with what to do.
func TestBinding(t *testing.T) {
	s := started(t, vaulttest.Options{})
	s.Policy(t, "reader", `path "transit/keys/*" { capabilities = ["read"] } path "transit/sign/alice" { capabilities = ["update"] }`)
	c := client(t, s, nil)
	for name, kind := range map[string]string{"alice": "rsa-2048", "bob": "rsa-2048", "curve": "ecdsa-p256"} {
		if _, err := c.NewKey(t.Context(), name, kind); err != nil {
			t.Fatal(err)
		}
	}
	s.Write(t, "transit/keys/symmetric", map[string]any{"type": "aes256-gcm96"})
	alice, curve := certificate(t, c, "main:alice", both), certificate(t, c, "main:curve", x509.KeyUsageKeyAgreement)

	_, err := keyOf(t.Context(), c, "main:nobody", alice)
	wantConfig(t, err, "there is no key at transit/keys/nobody", "type=rsa-3072")
	_, err = keyOf(t.Context(), c, "main:symmetric", alice)
	wantConfig(t, err, "no key that signs")
	_, err = keyOf(t.Context(), c, "main:bob", alice)
	wantConfig(t, err, "the key bob is not that of the certificate", "no version of it has the same public key")
	_, err = keyOf(t.Context(), c, "main:curve", curve)
	wantConfig(t, err, "does not agree on keys (ECDH)", "Use an RSA key")
	if key := bound(t, c, "main:curve", certificate(t, c, "main:curve", both)); key != nil {
		if _, ok := key.(crypto.Decrypter); ok {
			t.Error("a key on a curve decrypts")
		}
	}

	role, id := s.AppRole(t, "reader", "reader", nil)
	limited := client(t, s, func(o *vault.Options) { o.Login = appRole(role, id) })
	_, err = keyOf(t.Context(), limited, "main:alice", alice)
	wantConfig(t, err, "permission denied", `path "transit/decrypt/alice" { capabilities = ["update"] }`)
	wantAway(t, err)
	bound(t, limited, "main:alice", certificate(t, c, "main:alice", x509.KeyUsageDigitalSignature))
	_, err = keyOf(t.Context(), limited, "main:bob", certificate(t, c, "main:bob", x509.KeyUsageDigitalSignature))
	wantConfig(t, err, `path "transit/sign/bob" { capabilities = ["update"] }`)
	_, err = limited.NewKey(t.Context(), "new", "rsa-2048")
	wantConfig(t, err, `path "transit/keys/new" { capabilities = ["update"] }`)
}

// A denial in use, too, says what policy is needed; mail waits meanwhile.
func TestDeniedInUse(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	key := bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
	s.Policy(t, "gateway", strings.ReplaceAll(gatewayPolicy, "transit/sign/", "transit/other/"))
	_, _, err := sign(key, "text", crypto.SHA256)
	wantAway(t, err, `path "transit/sign/alice" { capabilities = ["update"] }`)
	wantConfig(t, err)
	s.Policy(t, "gateway", gatewayPolicy)
	if _, _, err := sign(key, "text", crypto.SHA256); err != nil {
		t.Error("not after the policy was put right: ", err)
	}
}

// A certificate of a key in the vault is requested with the key itself.
func TestRequestCertificate(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	for _, kind := range []string{"rsa-2048", "ecdsa-p384"} {
		key, err := c.NewKey(t.Context(), kind, kind)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{"alice@firma.example"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		r, err := x509.ParseCertificateRequest(der)
		if err != nil || r.CheckSignature() != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "../x", "a b", "a/b", strings.Repeat("a", 300)} {
		_, err := c.NewKey(t.Context(), bad, "rsa-2048")
		wantConfig(t, err, "no name of a key")
	}
}

// Every user's key is used by many at once.
func TestManyAtOnce(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	if _, err := c.NewKey(t.Context(), "alice", "ecdsa-p256"); err != nil {
		t.Fatal(err)
	}
	key := bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
	errs := make(chan error)
	const many = 100
	for i := range many {
		go func() {
			digest, signature, err := sign(key, fmt.Sprint("text ", i), crypto.SHA256)
			if err == nil && !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest, signature) {
				err = errors.New("a signature of something else")
			}
			errs <- err
		}()
	}
	for range many {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	var _ io.Reader // Sign needs none
}
