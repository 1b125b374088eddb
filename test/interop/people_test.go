package interop

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// person is a certificate with its key, as files too: openssl made both.
type person struct {
	name    string
	cert    *x509.Certificate
	key     crypto.PrivateKey
	base    string // of the files .crt and .key (PEM), .crt.der, .key.der (PKCS #8) and .p12 (password x)
	address string
}

func (p person) file(kind string) string { return p.base + "." + kind }

// kinds are the keys, as arguments of openssl genpkey.
var kinds = map[string][]string{
	"rsa":     {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	"rsa2":    {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	"rsapss":  {"-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"},
	"p256":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
	"p384":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
	"p521":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
	"bp256":   {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"},
	"bp384":   {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP384r1"},
	"bp512":   {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1"},
	"ed25519": {"-algorithm", "ED25519"},
	"x25519":  {"-algorithm", "X25519"},
}

// world is a root and the people it certified.
type world struct {
	dir    string
	root   person
	people map[string]person
}

// theWorld is made once for all tests.
var theWorld = sync.OnceValues(func() (*world, error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return nil, err
	}
	atEnd(func() { os.RemoveAll(dir) })
	w := &world{dir: dir, people: map[string]person{}}
	root := filepath.Join(dir, "root")
	if err := runAll(
		append([]string{"openssl", "genpkey", "-out", root + ".key"}, kinds["rsa"]...),
		[]string{"openssl", "req", "-x509", "-new", "-key", root + ".key", "-subj", "/O=Interop/CN=Root", "-days", "9000", "-addext", "keyUsage=keyCertSign", "-out", root + ".crt"},
		[]string{"openssl", "x509", "-in", root + ".crt", "-outform", "DER", "-out", root + ".crt.der"},
	); err != nil {
		return nil, err
	}
	if w.root, err = load("root", root); err != nil {
		return nil, err
	}
	for name := range kinds {
		if err := w.certify(name); err != nil {
			return nil, err
		}
	}
	return w, nil
})

// certify makes a key and has the root certify it. A request needs a signature, which not every key can make: the
// root's key signs it, and the public key is put in.
func (w *world) certify(name string) error {
	base := filepath.Join(w.dir, name)
	extensions := fmt.Sprintf("subjectAltName=email:%s@interop.example\nkeyUsage=critical,digitalSignature,keyEncipherment,keyAgreement\nextendedKeyUsage=emailProtection\nsubjectKeyIdentifier=hash\n", name)
	if err := os.WriteFile(base+".ext", []byte(extensions), 0o600); err != nil {
		return err
	}
	err := runAll(
		append([]string{"openssl", "genpkey", "-out", base + ".key"}, kinds[name]...),
		[]string{"openssl", "pkey", "-in", base + ".key", "-pubout", "-out", base + ".pub"},
		[]string{"openssl", "req", "-new", "-key", w.root.file("key"), "-subj", "/O=Interop/CN=" + name, "-out", base + ".csr"},
		[]string{"openssl", "x509", "-req", "-in", base + ".csr", "-CA", w.root.file("crt"), "-CAkey", w.root.file("key"), "-force_pubkey", base + ".pub",
			"-days", "900", "-extfile", base + ".ext", "-out", base + ".crt"},
		[]string{"openssl", "x509", "-in", base + ".crt", "-outform", "DER", "-out", base + ".crt.der"},
		[]string{"openssl", "pkcs8", "-topk8", "-nocrypt", "-in", base + ".key", "-outform", "DER", "-out", base + ".key.der"},
		[]string{"openssl", "pkcs12", "-export", "-inkey", base + ".key", "-in", base + ".crt", "-certfile", w.root.file("crt"), "-name", name, "-passout", "pass:x",
			"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-out", base + ".p12"},
	)
	if err != nil {
		return err
	}
	w.people[name], err = load(name, base)
	return err
}

func load(name, base string) (person, error) {
	p := person{name: name, base: base, address: name + "@interop.example"}
	cert, err := os.ReadFile(p.file("crt"))
	if err != nil {
		return p, err
	}
	key, err := os.ReadFile(p.file("key"))
	if err != nil {
		return p, err
	}
	block, _ := pem.Decode(cert)
	if p.cert, err = x509x.ParseCertificate(block.Bytes); err != nil {
		return p, fmt.Errorf("certificate of %s: %w", name, err)
	}
	block, _ = pem.Decode(key)
	if p.key, err = x509x.ParsePrivateKey(block.Bytes); err != nil {
		return p, fmt.Errorf("key of %s: %w", name, err)
	}
	return p, nil
}

// runAll runs commands one after the other.
func runAll(commands ...[]string) error {
	for _, args := range commands {
		if _, err := run(nil, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command and returns its standard output; the error has its standard error.
func run(stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(string(stdin))
	var out, problem strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return []byte(out.String()), fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(problem.String()))
	}
	return []byte(out.String()), nil
}

func getWorld(t testing.TB) *world {
	t.Helper()
	w, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ending is what is to be done after all tests, the last first.
var ending struct {
	sync.Mutex
	calls []func()
}

func atEnd(f func()) {
	ending.Lock()
	defer ending.Unlock()
	ending.calls = append(ending.calls, f)
}

// TestMain ends and removes what tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range slices.Backward(ending.calls) {
		f()
	}
	os.Exit(code)
}
