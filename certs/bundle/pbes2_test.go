package bundle

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// sealed has OpenSSL make a key on a Brainpool curve and encrypt it.
func sealed(t testing.TB, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, a := range [][]string{
		{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-out", "key"},
		append([]string{"pkcs8", "-topk8", "-in", "key", "-out", "sealed", "-passout", "pass:geheim"}, args...),
	} {
		cmd := exec.Command("openssl", a...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "sealed"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return block.Bytes
}

// Each cipher and each pseudorandom function that OpenSSL writes is read.
func TestEncryptedKey(t *testing.T) {
	for _, cipher := range []string{"aes-128-cbc", "aes-192-cbc", "aes-256-cbc"} {
		for _, prf := range []string{"hmacWithSHA1", "hmacWithSHA224", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"} {
			der := sealed(t, "-v2", cipher, "-v2prf", prf, "-iter", "1000")
			plain, err := encryptedKey(der, "geheim")
			if err != nil {
				t.Errorf("%s, %s: %v", cipher, prf, err)
				continue
			}
			if _, err := x509x.ParsePrivateKey(plain); err != nil {
				t.Errorf("%s, %s: %v", cipher, prf, err)
			}
			// Padding that fits by chance, one time in 256, gives no key.
			if plain, err := encryptedKey(der, "falsch"); err == nil {
				if _, err := x509x.ParsePrivateKey(plain); err == nil {
					t.Errorf("%s, %s: opened by another password", cipher, prf)
				}
			} else if !errors.Is(err, errPassword) {
				t.Errorf("%s, %s: %v", cipher, prf, err)
			}
		}
	}
}

func TestEncryptedKeyRefuses(t *testing.T) {
	good := sealed(t, "-v2", "aes-256-cbc", "-iter", "1000")
	rounds := []byte{0x02, 0x02, 0x03, 0xe8}
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"another cipher":    {sealed(t, "-v2", "camellia-128-cbc"), errScheme},
		"costly scrypt":     {bytes.Replace(sealed(t, "-scrypt"), []byte{0x02, 0x02, 0x40, 0x00}, []byte{0x02, 0x02, 0x7f, 0xff}, 1), errScheme},
		"no rounds":         {bytes.Replace(good, rounds, []byte{0x02, 0x02, 0x00, 0x00}, 1), errScheme},
		"negative rounds":   {bytes.Replace(good, rounds, []byte{0x02, 0x02, 0xff, 0x01}, 1), errScheme},
		"cut off":           {good[:len(good)-1], errParts},
		"something follows": {append(bytes.Clone(good), 0), errParts},
		"nothing":           {nil, errParts},
	} {
		if _, err := encryptedKey(c.der, "geheim"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decryptPBES2(nil, nil, ""); !errors.Is(err, errScheme) {
		t.Error(err)
	}
}

// Whatever the bytes, nothing comes out that is longer than what went in.
func FuzzEncryptedKey(f *testing.F) {
	f.Add(sealed(f, "-v2", "aes-256-cbc", "-iter", "1"))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		plain, err := encryptedKey(der, "geheim")
		if err == nil && len(plain) >= len(der) {
			t.Fatalf("%d bytes out of %d", len(plain), len(der))
		}
	})
}

// Whatever the bytes, each certificate and key that is found is one.
func FuzzDecodeBags(f *testing.F) {
	dir := f.TempDir()
	for _, a := range [][]string{
		{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1", "-nodes", "-keyout", "key", "-out", "cert", "-subj", "/CN=a"},
		{"pkcs12", "-export", "-in", "cert", "-inkey", "key", "-out", "p12", "-passout", "pass:geheim", "-iter", "1", "-macalg", "sha256"},
	} {
		cmd := exec.Command("openssl", a...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			f.Fatalf("openssl: %v\n%s", err, out)
		}
	}
	p12, err := os.ReadFile(filepath.Join(dir, "p12"))
	if err != nil {
		f.Fatal(err)
	}
	if found, keys, err := decodeBags(p12, "geheim"); err != nil || len(found) != 1 || len(keys) != 1 {
		f.Fatalf("%d certificates, %d keys, %v", len(found), len(keys), err)
	}
	f.Add(p12)
	f.Fuzz(func(t *testing.T, data []byte) {
		found, keys, err := decodeBags(data, "geheim")
		if err != nil {
			return
		}
		for _, c := range found {
			if _, err := x509x.ParseCertificate(c.Raw); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range keys {
			if _, ok := k.(interface{ Public() crypto.PublicKey }); !ok {
				t.Fatalf("%T", k)
			}
		}
	})
}
