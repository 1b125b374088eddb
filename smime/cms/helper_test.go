package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// party is a certificate with its key.
type party struct {
	name string
	cert *x509.Certificate
	key  crypto.Signer     // nil: one that does not sign
	own  crypto.PrivateKey // where key is nil
}

// signer is p as someone who signs.
func (p party) signer() SignOptions {
	return SignOptions{Signers: []Signer{{Certificate: p.cert, Key: p.key}}, Time: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
}

// opener is p as someone who decrypts.
func (p party) opener() Key {
	if key, ok := p.key.(*rsa.PrivateKey); ok {
		return Key{Certificate: p.cert, Decrypter: opaqueDecrypter{key}}
	}
	agreement, err := NewKeyAgreement(p.private(), AgreementOptions{SoftwareBrainpool: true})
	if err != nil {
		panic(err)
	}
	return Key{Certificate: p.cert, Agreement: agreement}
}

func (p party) private() crypto.PrivateKey {
	if p.key == nil {
		return p.own
	}
	return p.key
}

// finder finds the keys of parties.
func finder(parties ...party) KeyFinder {
	return func([]RecipientID) (keys []Key) {
		for _, p := range parties {
			keys = append(keys, p.opener())
		}
		return keys
	}
}

// hiddenSigner hides what kind of key it has, as a card does.
type hiddenSigner struct{ key crypto.Signer }

func (h hiddenSigner) Public() crypto.PublicKey { return h.key.Public() }
func (h hiddenSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return h.key.Sign(r, digest, o)
}

// opaqueDecrypter hides its key as well.
type opaqueDecrypter struct{ key *rsa.PrivateKey }

func (o opaqueDecrypter) Public() crypto.PublicKey { return o.key.Public() }
func (o opaqueDecrypter) Decrypt(r io.Reader, text []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return o.key.Decrypt(r, text, opts)
}

// testKeys are private keys that everyone knows, by name: making RSA keys takes its time, and what fuzzing found for a
// key is worth something only as long as the key is the same.
var testKeys = sync.OnceValue(func() map[string]crypto.PrivateKey {
	keys := map[string]crypto.PrivateKey{}
	data, err := os.ReadFile(filepath.Join("testdata", "keys.pem"))
	if err != nil {
		panic(err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if keys[block.Headers["Name"]], err = x509x.ParsePrivateKey(block.Bytes); err != nil {
			panic(err)
		}
	}
	return keys
})

// parties are made once for all tests, the same certificates each time but for their signatures.
var parties = sync.OnceValue(func() map[string]party {
	made := map[string]party{}
	for i, name := range []string{"rsa", "rsa2", "rsa3072", "p256", "p384", "p521", "ed25519", "stranger"} {
		made[name] = certify(name, testKeys()[name].(crypto.Signer), 1001+int64(i), nil)
	}
	return made
})

// certify makes a self-signed certificate. A nil keyID means that of the key.
func certify(name string, key crypto.Signer, serial int64, keyID []byte) party {
	if keyID == nil {
		der, _ := x509.MarshalPKIXPublicKey(key.Public())
		sum := sha1.Sum(der)
		keyID = sum[:]
	}
	template := &x509.Certificate{
		SerialNumber:   big.NewInt(serial),
		Subject:        pkix.Name{CommonName: "Test " + name, Organization: []string{"Siegel Tests"}},
		EmailAddresses: []string{name + "@example.com"},
		NotBefore:      time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:       time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:       x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign | x509.KeyUsageKeyAgreement,
		ExtKeyUsage:    []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		SubjectKeyId:   keyID, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return party{name: name, cert: cert, key: key}
}

func get(t testing.TB, name string) party {
	t.Helper()
	p, ok := parties()[name]
	if !ok {
		p, ok = agreeing()[name]
	}
	if !ok {
		t.Fatalf("no party %s", name)
	}
	return p
}

// files writes p's certificate and key as PEM.
func (p party) files(t testing.TB) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := marshalPrivateKey(p.private())
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, p.name+".crt"), filepath.Join(dir, p.name+".key")
	write(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return cert, key
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// temp writes data to a file of its own.
func temp(t testing.TB, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "data")
	write(t, name, data)
	return name
}

// openssl runs openssl and returns its output.
func openssl(t testing.TB, stdin []byte, args ...string) []byte {
	t.Helper()
	out, err := tryOpenSSL(stdin, args...)
	if err != nil {
		t.Fatalf("openssl %q: %v", args, err)
	}
	return out
}

func tryOpenSSL(stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, &commandError{err, stderr.String()}
	}
	return out, nil
}

type commandError struct {
	err    error
	stderr string
}

func (e *commandError) Error() string { return e.err.Error() + ": " + e.stderr }

// text is n bytes that look like mail.
func text(n int) []byte {
	line := []byte("Content-Type: text/plain\r\n\r\nSehr geehrte Damen und Herren, anbei der Vertrag.\r\n")
	return bytes.Repeat(line, n/len(line)+1)[:n]
}

// sizes are contents around every boundary.
func sizes() []int { return []int{0, 1, 15, 16, 17, 4096, 65519, 65520, 65535, 65536, 65537, 300000} }

// signDetached is a detached signature over content.
func signDetached(t testing.TB, o SignOptions, content []byte) []byte {
	t.Helper()
	s, err := NewDetachedSigner(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(content); err != nil {
		t.Fatal(err)
	}
	der, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// signOpaque is content within a SignedData. A negative size announces none.
func signOpaque(t testing.TB, o SignOptions, content []byte, known bool) []byte {
	t.Helper()
	size := int64(-1)
	if known {
		size = int64(len(content))
	}
	var out bytes.Buffer
	w, err := NewOpaqueSigner(&out, size, o)
	if err != nil {
		t.Fatal(err)
	}
	pour(t, w, content)
	return out.Bytes()
}

// pour writes content in uneven steps and closes w.
func pour(t testing.TB, w io.WriteCloser, content []byte) {
	t.Helper()
	for step := 1; len(content) > 0; step = step*3 + 1 {
		n := min(step, len(content))
		if _, err := w.Write(content[:n]); err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// encrypt is content within an envelope.
func encrypt(t testing.TB, o EncryptOptions, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewEncrypter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	pour(t, w, content)
	return out.Bytes()
}

// decrypt reads all of an envelope.
func decrypt(message []byte, find KeyFinder) ([]byte, EnvelopeInfo, error) {
	return decryptWith(message, DecryptOptions{Keys: find})
}

func decryptWith(message []byte, o DecryptOptions) ([]byte, EnvelopeInfo, error) {
	d, err := NewDecrypter(bytes.NewReader(message), o)
	if d == nil {
		return nil, EnvelopeInfo{}, err
	}
	if err != nil {
		return nil, d.Info(), err
	}
	plain, err := io.ReadAll(d)
	return plain, d.Info(), err
}

// verifyOpaque reads all of a SignedData.
func verifyOpaque(message []byte) ([]byte, *Signed, error) {
	v, err := NewVerifier(bytes.NewReader(message), Limits{})
	if err != nil {
		return nil, nil, err
	}
	content, err := io.ReadAll(v)
	if err != nil {
		return content, nil, err
	}
	signed, err := v.Signed()
	return content, signed, err
}

// good fails unless s has exactly one signer, who is p and right.
func good(t testing.TB, s *Signed, err error, p party) SignerResult {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Signers) != 1 {
		t.Fatalf("%d signers", len(s.Signers))
	}
	r := s.Signers[0]
	if r.Err != nil {
		t.Fatalf("signature: %v", r.Err)
	}
	if r.Certificate == nil || !r.Certificate.Equal(p.cert) {
		t.Fatal("another signer")
	}
	return r
}

// isDER reports whether openssl takes message for what its DER encoding would be.
func isDER(t testing.TB, message []byte) bool {
	t.Helper()
	return bytes.Equal(message, openssl(t, message, "cms", "-cmsout", "-inform", "DER", "-outform", "DER"))
}
