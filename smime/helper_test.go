package smime_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// now is when all tests take place.
var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// person has a certificate and its key.
type person struct {
	address string
	cert    *x509.Certificate
	key     crypto.Signer
}

func (p person) signers() []smime.Signer {
	return []smime.Signer{{Certificate: p.cert, Chain: []*x509.Certificate{}, Key: p.key}}
}

// to are the recipients for people.
func to(people ...person) (all []cms.Recipient) {
	for _, p := range people {
		all = append(all, cms.Recipient{Certificate: p.cert})
	}
	return all
}

// world is a root and the people it certifies.
type world struct {
	root                *x509.Certificate
	rootKey             crypto.Signer
	alice, bob, mallory person
	stranger            person // certified by nobody
}

var theWorld = sync.OnceValue(func() *world {
	keys := fixedKeys()
	w := &world{rootKey: keys[0]}
	w.root = w.certify(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, w.rootKey)
	w.alice = w.person("alice@firma.example", keys[1])
	w.bob = w.person("bob@partner.example", keys[2])
	w.mallory = w.person("mallory@evil.example", keys[3])
	w.stranger = person{address: "alice@firma.example", key: w.mallory.key}
	w.stranger.cert = w.certify(template("alice@firma.example"), nil, w.stranger.key)
	return w
})

// fixedKeys are the keys of the world, the same in every process: RSA keys are slow to make, and fuzzing works on
// messages that other processes signed. They are for these tests alone.
func fixedKeys() (all []crypto.Signer) {
	rest := must(os.ReadFile("testdata/keys.pem"))
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all
		}
		all = append(all, must(x509.ParsePKCS8PrivateKey(block.Bytes)).(crypto.Signer))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var serial = big.NewInt(0x5eed)

func template(addresses ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test " + strings.Join(addresses, " ")}, EmailAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
}

// certify signs a template by the issuer, or by itself where that is nil.
func (w *world) certify(t, issuer *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.SerialNumber = new(big.Int).Set(serial.Add(serial, big.NewInt(1)))
	if t.NotBefore.IsZero() {
		t.NotBefore, t.NotAfter = now.AddDate(-1, 0, 0), now.AddDate(20, 0, 0)
	}
	id := sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.Public())))
	t.SubjectKeyId = id[:20]
	parent, signKey := t, key
	if issuer != nil {
		parent, signKey = issuer, w.rootKey
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signKey))))
}

func (w *world) person(address string, key crypto.Signer) person {
	return person{address, w.certify(template(address), w.root, key), key}
}

// with gives a person another certificate by the root.
func (w *world) with(p person, change func(*x509.Certificate)) person {
	t := template(p.address)
	change(t)
	p.cert = w.certify(t, w.root, p.key)
	return p
}

// judge trusts the root, for signing mail.
func (w *world) judge(_ context.Context, leaf *x509.Certificate, more []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(w.root)
	for _, c := range more {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
	if err == nil {
		return smime.Valid, nil
	}
	if at.After(leaf.NotAfter) {
		return smime.Expired, []string{err.Error()}
	}
	return smime.Untrusted, []string{err.Error()}
}

// keys finds the keys of people.
func keys(people ...person) cms.KeyFinder {
	return func([]cms.RecipientID) (all []cms.Key) {
		for _, p := range people {
			all = append(all, cms.Key{Certificate: p.cert, Decrypter: p.key.(crypto.Decrypter)})
		}
		return all
	}
}

// text is a message in memory.
type text string

func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s text) Size() int64                  { return int64(len(s)) }

// memory is scratch in memory.
type memory struct {
	bytes.Buffer
	closed bool
}

func (m *memory) Open() (io.ReadCloser, error) {
	if m.closed {
		return nil, os.ErrClosed
	}
	return io.NopCloser(bytes.NewReader(m.Bytes())), nil
}
func (m *memory) Size() int64  { return int64(m.Len()) }
func (m *memory) Close() error { m.closed = true; return nil }

func scratch() smime.Buffer { return new(memory) }

// options are those of bob's gateway.
func (w *world) options() smime.OpenOptions {
	return smime.OpenOptions{Keys: keys(w.bob), Judge: w.judge, Scratch: scratch, Now: now}
}

func protect(t testing.TB, message string, o smime.ProtectOptions) string {
	t.Helper()
	if o.Time.IsZero() {
		o.Time = now
	}
	var out bytes.Buffer
	if err := smime.Protect(&out, text(message), o); err != nil {
		t.Fatalf("Protect: %v", err)
	}
	return out.String()
}

func open(t testing.TB, message string, o smime.OpenOptions) *smime.Opened {
	t.Helper()
	opened, err := smime.Open(t.Context(), text(message), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened
}

// delivered is the message that Open delivers; it must be the same however it is asked for.
func delivered(t testing.TB, o *smime.Opened) string {
	t.Helper()
	var all, parts strings.Builder
	if _, err := o.WriteTo(&all); err != nil {
		t.Fatal(err)
	}
	h := o.Header()
	h.WriteTo(&parts)
	parts.WriteString("\r\n")
	r := must(o.Body().Open())
	defer r.Close()
	n, err := io.Copy(&parts, r)
	if err != nil || n != o.Body().Size() {
		t.Fatalf("the body has %d bytes, Size says %d (%v)", n, o.Body().Size(), err)
	}
	if crlf(all.String()) != crlf(parts.String()) && h.Complete() {
		t.Errorf("WriteTo gives\n%q\nheader and body are\n%q", all.String(), parts.String())
	}
	return all.String()
}

// crlf makes all line ends CRLF.
func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// letter is a message from alice to bob.
func letter(content string) string {
	return crlf("From: Alice <alice@firma.example>\nTo: bob@partner.example\nSubject: A  letter,\n folded\nDate: Mon, 04 May 2026 12:00:00 +0000\nMIME-Version: 1.0\n" + content)
}

const plain = "Content-Type: text/plain; charset=us-ascii\n\nHello Bob,\nthis is it.\n"

// openssl runs openssl and returns its output.
func openssl(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, err := tryOpenSSL(stdin, args...)
	if err != nil {
		t.Fatalf("openssl %q: %v", args, err)
	}
	return out
}

func tryOpenSSL(stdin string, args ...string) (string, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", &commandError{err, stderr.String()}
	}
	return string(out), nil
}

type commandError struct {
	err    error
	stderr string
}

func (e *commandError) Error() string { return e.err.Error() + ": " + e.stderr }

// files writes a certificate and its key as PEM.
func (p person) files(t testing.TB) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	writePEM(t, cert, "CERTIFICATE", p.cert.Raw)
	writePEM(t, key, "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p.key)))
	return cert, key
}

func (w *world) rootFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "root.pem")
	writePEM(t, name, "CERTIFICATE", w.root.Raw)
	return name
}

func writePEM(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// temp writes text to a file of its own.
func temp(t testing.TB, s string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// layers writes the layers of a report in short.
func layers(r smime.Report) string {
	var all []string
	for _, l := range r.Layers {
		s := l.Type
		switch {
		case l.Type == smime.TypeSigned:
			s += ":" + l.Form + ":" + string(l.Verdict)
		case l.Decrypted:
			s += ":open"
		}
		if l.Errant {
			s += ":errant"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// expect compares verdict and layers.
func expect(t testing.TB, o *smime.Opened, verdict smime.Verdict, want string) {
	t.Helper()
	if o.Verdict != verdict || layers(o.Report) != want {
		t.Errorf("verdict %s, layers %q, want %s, %q; reasons %q %+v", o.Verdict, layers(o.Report), verdict, want, o.Reasons, o.Layers)
	}
}

func emailAttribute(addr string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: addr}
}

// utf8SAN is a subject alternative name of type SmtpUTF8Mailbox (RFC 8398), after one of another type.
func utf8SAN(addr string) []pkix.Extension {
	type otherName struct {
		ID    asn1.ObjectIdentifier
		Value string `asn1:"tag:0,explicit,utf8"`
	}
	other := must(asn1.MarshalWithParams(otherName{asn1.ObjectIdentifier{1, 2, 3}, "x@y"}, "tag:0"))
	name := must(asn1.MarshalWithParams(otherName{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}, addr}, "tag:0"))
	der := must(asn1.Marshal([]asn1.RawValue{{FullBytes: other}, {FullBytes: name}}))
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der}}
}
