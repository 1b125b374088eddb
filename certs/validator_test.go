package certs_test

import (
	"context"

	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
)

var epoch = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// world is what the cases build their chains from.
type world struct {
	root, issuing *democa.CA
	key, small    *rsa.PrivateKey
	ec            *ecdsa.PrivateKey
}

func newWorld(t testing.TB) world {
	t.Helper()
	var w world
	w.root = must(democa.NewCA(epoch))
	w.key = must(rsa.GenerateKey(rand.Reader, 2048))
	w.small = must(rsa.GenerateKey(rand.Reader, 1024))
	w.ec = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	w.issuing = must(w.root.Intermediate("Issuing CA", democa.Options{Key: w.ec}))
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sub makes an authority below the root, odd in some way.
func (w world) sub(alter func(*x509.Certificate)) *democa.CA {
	return must(w.root.Intermediate("Odd CA", democa.Options{Key: w.ec, Alter: alter}))
}

// leaf makes a certificate of alice@firma.example below ca, odd in some way.
func (w world) leaf(ca *democa.CA, alter func(*x509.Certificate)) *x509.Certificate {
	return must(ca.Issue("alice@firma.example", democa.Options{Key: w.key, Alter: alter})).Certificate
}

func (w world) selfSigned(alter func(*x509.Certificate)) *x509.Certificate {
	t := w.leaf(w.root, alter)
	t.RawSubject = nil
	t.AuthorityKeyId = nil
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, t, w.key.Public(), w.key))))
}

func eku(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = u }
}

func ku(u x509.KeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.KeyUsage = u }
}

func emailInSubject(address string, keepSAN bool) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: address}}
		if !keepSAN {
			c.EmailAddresses = nil
		}
	}
}

// chainCase is one chain, what is said of it, and whether openssl says the same.
type chainCase struct {
	name          string
	leaf          *x509.Certificate
	intermediates []*x509.Certificate
	anchors       []*x509.Certificate
	purpose       certs.Purpose // empty: sign
	address       string        // empty: alice@firma.example; "-": none
	at            time.Time     // zero: epoch
	want          certs.Status
	reason        string // in the reasons
	disagrees     string // why openssl says otherwise
}

func cases(w world) []chainCase {
	root := []*x509.Certificate{w.root.Certificate()}
	issuing := []*x509.Certificate{w.issuing.Certificate()}
	plain := w.leaf(w.issuing, nil)
	below := func(alter func(*x509.Certificate)) (*x509.Certificate, []*x509.Certificate) {
		ca := w.sub(alter)
		return w.leaf(ca, nil), []*x509.Certificate{ca.Certificate()}
	}
	var all []chainCase
	add := func(c chainCase) { all = append(all, c) }

	add(chainCase{name: "plain", leaf: plain, intermediates: issuing, anchors: root, want: certs.StatusValid})
	add(chainCase{name: "plain, to encrypt", leaf: plain, intermediates: issuing, anchors: root, purpose: certs.Encrypt, want: certs.StatusValid})
	add(chainCase{name: "intermediate twice and others between", leaf: plain, anchors: root, want: certs.StatusValid,
		intermediates: []*x509.Certificate{plain, root[0], issuing[0], w.sub(nil).Certificate(), issuing[0]}})
	add(chainCase{name: "intermediate missing", leaf: plain, anchors: root, want: certs.StatusUntrusted, reason: "its issuer, CN=Issuing CA,O=Siegel demonstration\\, not for real mail, is not known"})
	add(chainCase{name: "anchor missing", leaf: plain, intermediates: issuing, want: certs.StatusUntrusted})
	add(chainCase{name: "anchor only among the intermediates", leaf: plain, intermediates: append(issuing, root...), want: certs.StatusUntrusted})
	add(chainCase{name: "anchor that is not self-signed", leaf: plain, anchors: issuing, want: certs.StatusValid})
	add(chainCase{name: "the leaf as anchor", leaf: plain, anchors: []*x509.Certificate{plain}, want: certs.StatusValid})

	self := w.selfSigned(nil)
	add(chainCase{name: "self-signed", leaf: self, anchors: root, want: certs.StatusUntrusted, reason: "signed by itself and not an anchor"})
	add(chainCase{name: "self-signed and its own anchor", leaf: self, anchors: []*x509.Certificate{self}, want: certs.StatusValid})

	twin := must(democa.NewCA(epoch))
	add(chainCase{name: "another CA of the same name", leaf: plain, intermediates: issuing, anchors: []*x509.Certificate{twin.Certificate()}, want: certs.StatusUntrusted,
		reason: "no path"})
	add(chainCase{name: "two CAs of one name", leaf: plain, intermediates: issuing, anchors: []*x509.Certificate{twin.Certificate(), root[0]}, want: certs.StatusValid})

	add(chainCase{name: "expired", leaf: plain, intermediates: issuing, anchors: root, at: plain.NotAfter.Add(time.Second), want: certs.StatusExpired, reason: "expired on 2031-05-01 11:00 UTC"})
	add(chainCase{name: "last second", leaf: plain, intermediates: issuing, anchors: root, at: plain.NotAfter, want: certs.StatusValid,
		disagrees: "openssl ends a second early; RFC 5280, 4.1.2.5 includes the end"})
	add(chainCase{name: "not yet valid", leaf: plain, intermediates: issuing, anchors: root, at: plain.NotBefore.Add(-time.Second), want: certs.StatusTime, reason: "not valid before 2030-05-01 11:00 UTC"})
	add(chainCase{name: "first second", leaf: plain, intermediates: issuing, anchors: root, at: plain.NotBefore, want: certs.StatusValid})
	add(chainCase{name: "expired and unknown", leaf: plain, at: plain.NotAfter.Add(time.Hour), want: certs.StatusUntrusted, reason: "expired on"})
	leaf, cas := below(func(c *x509.Certificate) { c.NotAfter = epoch.Add(-time.Minute) })
	add(chainCase{name: "expired CA", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusExpired, reason: "the CA certificate of CN=Odd CA"})
	leaf, cas = below(func(c *x509.Certificate) { c.NotBefore = epoch.Add(time.Hour) })
	add(chainCase{name: "CA from the future", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusTime})

	for _, u := range []struct {
		name          string
		ku            x509.KeyUsage
		sign, encrypt certs.Status
	}{
		{"signature only", x509.KeyUsageDigitalSignature, certs.StatusValid, certs.StatusPurpose},
		{"nonRepudiation only", x509.KeyUsageContentCommitment, certs.StatusValid, certs.StatusPurpose},
		{"keyEncipherment only", x509.KeyUsageKeyEncipherment, certs.StatusPurpose, certs.StatusValid},
		{"keyAgreement with RSA", x509.KeyUsageKeyAgreement, certs.StatusPurpose, certs.StatusPurpose},
		{"dataEncipherment only", x509.KeyUsageDataEncipherment, certs.StatusPurpose, certs.StatusPurpose},
		{"absent", 0, certs.StatusValid, certs.StatusValid},
	} {
		leaf := w.leaf(w.root, ku(u.ku))
		add(chainCase{name: "key usage " + u.name + ", to sign", leaf: leaf, anchors: root, want: u.sign})
		add(chainCase{name: "key usage " + u.name + ", to encrypt", leaf: leaf, anchors: root, purpose: certs.Encrypt, want: u.encrypt})
	}
	ecLeaf := must(w.root.Issue("alice@firma.example", democa.Options{Key: w.ec})).Certificate
	add(chainCase{name: "elliptic curve to sign", leaf: ecLeaf, anchors: root, want: certs.StatusValid})
	add(chainCase{name: "elliptic curve to encrypt", leaf: ecLeaf, anchors: root, purpose: certs.Encrypt, want: certs.StatusValid,
		disagrees: "openssl asks for keyEncipherment whatever the key; RFC 8550, 4.4.2 has keyAgreement for keys that agree"})
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	edLeaf := must(w.root.Issue("alice@firma.example", democa.Options{Key: ed})).Certificate
	add(chainCase{name: "Ed25519 to sign", leaf: edLeaf, anchors: root, want: certs.StatusValid})
	add(chainCase{name: "Ed25519 to encrypt", leaf: edLeaf, anchors: root, purpose: certs.Encrypt, want: certs.StatusPurpose, reason: "only signs"})

	for _, u := range []struct {
		name      string
		eku       []x509.ExtKeyUsage
		want      certs.Status
		disagrees string
	}{
		{"none", nil, certs.StatusValid, ""},
		{"emailProtection and clientAuth", []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}, certs.StatusValid, ""},
		{"serverAuth only", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, certs.StatusPurpose, ""},
		{"anyExtendedKeyUsage", []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, certs.StatusValid, "openssl does not take anyExtendedKeyUsage for mail; RFC 8550, 4.4.4 does"},
	} {
		add(chainCase{name: "extended key usage " + u.name, leaf: w.leaf(w.root, eku(u.eku...)), anchors: root, want: u.want, disagrees: u.disagrees})
		leaf, cas := below(eku(u.eku...))
		add(chainCase{name: "CA with extended key usage " + u.name, leaf: leaf, intermediates: cas, anchors: root, want: u.want, disagrees: u.disagrees})
	}

	leaf, cas = below(func(c *x509.Certificate) { c.IsCA, c.MaxPathLen = false, 0 })
	add(chainCase{name: "issuer that is no CA", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusUntrusted})
	leaf, cas = below(ku(x509.KeyUsageDigitalSignature))
	add(chainCase{name: "CA that may not issue", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusUntrusted})
	short := w.sub(func(c *x509.Certificate) { c.MaxPathLenZero = true })
	deep := must(short.Intermediate("Deep CA", democa.Options{Key: w.ec}))
	add(chainCase{name: "path too long", leaf: w.leaf(deep, nil), intermediates: []*x509.Certificate{short.Certificate(), deep.Certificate()}, anchors: root, want: certs.StatusUntrusted})
	add(chainCase{name: "critical extension", anchors: root, want: certs.StatusUntrusted, reason: "critical extension",
		leaf: w.leaf(w.root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		})})
	add(chainCase{name: "CA certificate without address as leaf", leaf: w.issuing.Certificate(), anchors: root, purpose: certs.Any, address: "-", want: certs.StatusValid, reason: "bears no mail address"})

	permit := func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"firma.example"} }
	forbid := func(c *x509.Certificate) { c.ExcludedEmailAddresses = []string{"firma.example"} }
	leaf, cas = below(permit)
	add(chainCase{name: "address permitted", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusValid})
	leaf, cas = below(forbid)
	add(chainCase{name: "address excluded", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusUntrusted, reason: "bears alice@firma.example, which the name constraints of CN=Odd CA"})
	leaf, cas = below(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{".firma.example"} })
	add(chainCase{name: "subdomains permitted", leaf: leaf, intermediates: cas, anchors: root, want: certs.StatusUntrusted})
	for _, keep := range []bool{true, false} {
		odd := w.sub(permit)
		leaf := w.leaf(odd, emailInSubject("boss@bank.example", keep))
		add(chainCase{name: fmt.Sprintf("address in the subject not permitted, SAN %v", keep), leaf: leaf, intermediates: []*x509.Certificate{odd.Certificate()}, anchors: root,
			address: "boss@bank.example", want: certs.StatusUntrusted, reason: "bears boss@bank.example, which the name constraints of CN=Odd CA"})
	}
	odd := w.sub(permit)
	add(chainCase{name: "address in the subject permitted", leaf: w.leaf(odd, emailInSubject("Alice@FIRMA.example", false)), intermediates: []*x509.Certificate{odd.Certificate()}, anchors: root, want: certs.StatusValid,
		disagrees: "openssl compares local parts by case"})

	add(chainCase{name: "domain in capitals", leaf: plain, intermediates: issuing, anchors: root, address: "alice@FIRMA.Example", want: certs.StatusValid})
	add(chainCase{name: "local part in capitals", leaf: plain, intermediates: issuing, anchors: root, address: "ALICE@firma.example", want: certs.StatusValid,
		disagrees: "openssl compares local parts by case; RFC 8550, 3 says they SHOULD compare without"})
	add(chainCase{name: "another address", leaf: plain, intermediates: issuing, anchors: root, address: "bob@firma.example", want: certs.StatusMismatch, reason: "is for alice@firma.example, not for bob@firma.example"})
	add(chainCase{name: "address in the subject", leaf: w.leaf(w.root, emailInSubject("boss@bank.example", false)), anchors: root, address: "boss@bank.example", want: certs.StatusValid})
	add(chainCase{name: "second of several addresses", leaf: w.leaf(w.root, func(c *x509.Certificate) { c.EmailAddresses = append(c.EmailAddresses, "team@firma.example") }), anchors: root, address: "team@firma.example", want: certs.StatusValid})
	nobody := w.leaf(w.root, func(c *x509.Certificate) { c.EmailAddresses = nil })
	add(chainCase{name: "no address, none asked", leaf: nobody, anchors: root, address: "-", want: certs.StatusValid, reason: "bears no mail address"})
	add(chainCase{name: "no address, one asked", leaf: nobody, anchors: root, want: certs.StatusMismatch})

	weak := must(w.root.Issue("alice@firma.example", democa.Options{Key: w.small})).Certificate
	add(chainCase{name: "RSA key of 1024 bits", leaf: weak, anchors: root, want: certs.StatusWeak, reason: "RSA key of 1024 bits"})
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }
	add(chainCase{name: "SHA-1 signature", leaf: w.leaf(w.root, sha1), anchors: root, want: certs.StatusWeak, reason: "signed with SHA1-RSA"})
	add(chainCase{name: "SHA-1 signature by another CA of the name", leaf: w.leaf(w.root, sha1), anchors: []*x509.Certificate{twin.Certificate()}, want: certs.StatusUntrusted})
	odd = w.sub(sha1)
	add(chainCase{name: "CA with a SHA-1 signature", leaf: w.leaf(odd, nil), intermediates: []*x509.Certificate{odd.Certificate()}, anchors: root, want: certs.StatusWeak, reason: "the CA certificate of CN=Odd CA"})
	weakCA := must(w.root.Intermediate("Weak CA", democa.Options{Key: w.small}))
	add(chainCase{name: "CA with an RSA key of 1024 bits", leaf: w.leaf(weakCA, nil), intermediates: []*x509.Certificate{weakCA.Certificate()}, anchors: root, want: certs.StatusWeak})
	return all
}

func (c *chainCase) fill() {
	if c.purpose == "" {
		c.purpose = certs.Sign
	}
	if c.at.IsZero() {
		c.at = epoch
	}
	switch c.address {
	case "":
		c.address = "alice@firma.example"
	case "-":
		c.address = ""
	}
}

func TestValidate(t *testing.T) {
	for _, c := range cases(newWorld(t)) {
		c.fill()
		t.Run(c.name, func(t *testing.T) {
			r := certs.NewValidator(c.anchors, nil).Validate(context.Background(), c.leaf, c.intermediates, c.purpose, c.address, c.at)
			checkResult(t, r, c.want, c.reason)
			if known := certs.NewValidator(c.anchors, c.intermediates).Validate(context.Background(), c.leaf, nil, c.purpose, c.address, c.at); known.Status != r.Status {
				t.Errorf("with known intermediates: %+v", known)
			}
			if ok, out := opensslVerify(t, c); ok != r.Valid() && c.disagrees == "" {
				t.Errorf("%s, but openssl says %v:\n%s", r.Status, ok, out)
			} else if c.disagrees != "" && ok == r.Valid() {
				t.Errorf("openssl agrees after all")
			}
		})
	}
}

func checkResult(t *testing.T, r certs.Result, want certs.Status, reason string) {
	t.Helper()
	if r.Status != want || r.Valid() != (want == certs.StatusValid) || !strings.Contains(strings.Join(r.Reasons, "\n"), reason) {
		t.Errorf("got %s %q, want %s with %q", r.Status, r.Reasons, want, reason)
	}
	if !r.Valid() && len(r.Reasons) == 0 {
		t.Error("no reason is given")
	}
	for _, text := range r.Reasons {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) || len(text) > 400 {
			t.Errorf("unfit to print: %q", text)
		}
	}
}

// opensslVerify asks openssl the same question.
func opensslVerify(t *testing.T, c chainCase) (bool, string) {
	t.Helper()
	if c.purpose == certs.Any {
		c.purpose = certs.Sign // openssl has no purpose that is any use of mail
		if c.leaf.IsCA {
			return true, ""
		}
	}
	dir := t.TempDir()
	write := func(name string, list ...*x509.Certificate) string {
		var text []byte
		for _, cert := range list {
			text = append(text, democa.CertificatePEM(cert)...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-partial_chain", "-auth_level", "2", "-purpose", "smime" + string(c.purpose),
		"-attime", fmt.Sprint(c.at.Unix())}
	if len(c.anchors) > 0 {
		args = append(args, "-CAfile", write("anchors.pem", c.anchors...))
	} else {
		args = append(args, "-no-CAfile")
	}
	if len(c.intermediates) > 0 {
		args = append(args, "-untrusted", write("untrusted.pem", c.intermediates...))
	}
	if c.address != "" {
		args = append(args, "-verify_email", c.address)
	}
	out, err := exec.Command("openssl", append(args, write("leaf.pem", c.leaf))...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil, string(out)
}

func TestValidateOdd(t *testing.T) {
	v := certs.NewValidator(nil, nil)
	for _, leaf := range []*x509.Certificate{nil, {}} {
		if r := v.Validate(context.Background(), leaf, nil, certs.Sign, "", epoch); r.Valid() || len(r.Reasons) == 0 {
			t.Errorf("%+v", r)
		}
	}
	w := newWorld(t)
	leaf := w.leaf(w.root, nil)
	v = certs.NewValidator([]*x509.Certificate{w.root.Certificate()}, nil)
	if r := v.Validate(context.Background(), leaf, []*x509.Certificate{nil, {}}, "knit", "", epoch); r.Status != certs.StatusPurpose {
		t.Errorf("unknown purpose: %+v", r)
	}
	r := v.Validate(context.Background(), leaf, nil, certs.Sign, "alice@firma.example", epoch)
	if len(r.Chain) != 2 || r.Chain[0] != leaf || !r.Chain[1].Equal(w.root.Certificate()) {
		t.Errorf("chain %v", r.Chain)
	}
}

// A stranger's name cannot forge a line, and a thousand certificates do not stop the search.
func TestValidateHostile(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.issuing, func(c *x509.Certificate) {
		c.Subject.CommonName = "Alice\r\nX-Siegel-Verdict: valid \u202e" + strings.Repeat("x", 5000)
	})
	checkResult(t, certs.NewValidator(nil, nil).Validate(context.Background(), leaf, nil, certs.Sign, "bob@x.example", epoch), certs.StatusUntrusted, "")
	var many []*x509.Certificate
	for range 20 {
		many = append(many, must(w.root.Intermediate("Issuing CA", democa.Options{Key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))})).Certificate())
	}
	for range 6 {
		many = append(many, many...)
	}
	v := certs.NewValidator([]*x509.Certificate{w.root.Certificate()}, nil)
	start := processorTime(t)
	checkResult(t, v.Validate(context.Background(), leaf, many, certs.Sign, "", epoch), certs.StatusUntrusted, "")
	if d := processorTime(t) - start; d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// largeExponent is an RSA key whose signatures take long to check.
func largeExponent() *rsa.PrivateKey {
	e := big.NewInt(1<<31 - 1)
	for {
		key := must(rsa.GenerateKey(rand.Reader, 2048))
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(key.Primes[0], one), new(big.Int).Sub(key.Primes[1], one))
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			slow := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: key.N, E: int(e.Int64())}, D: d, Primes: key.Primes}
			slow.Precompute()
			return slow
		}
	}
}

// Keys of strangers that are slow to check with are not tried; an administrator's are.
func TestSlowKeys(t *testing.T) {
	w := newWorld(t)
	slow := must(w.root.Intermediate("Slow CA", democa.Options{Key: largeExponent()}))
	leaf, between := w.leaf(slow, nil), []*x509.Certificate{slow.Certificate()}
	root := []*x509.Certificate{w.root.Certificate()}
	checkResult(t, certs.NewValidator(root, nil).Validate(t.Context(), leaf, between, certs.Sign, "", epoch), certs.StatusUntrusted, "is not known")
	checkResult(t, certs.NewValidator(root, between).Validate(t.Context(), leaf, nil, certs.Sign, "", epoch), certs.StatusValid, "")
}

func BenchmarkValidate(b *testing.B) {
	w := newWorld(b)
	leaf := w.leaf(w.issuing, nil)
	v := certs.NewValidator([]*x509.Certificate{w.root.Certificate()}, []*x509.Certificate{w.issuing.Certificate()})
	for b.Loop() {
		v.Validate(context.Background(), leaf, nil, certs.Sign, "alice@firma.example", epoch)
	}
}
