package folder_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
)

// put issues a certificate and lays it down, with its key where the case has one.
func (p place) put(name, address string, withKey bool, o democa.Options) certs.Identity {
	p.Helper()
	id := p.Issue(address, o)
	if withKey {
		p.Write(name, democa.CertificatePEM(id.Certificate), certstest.KeyPEM(p, id))
	} else {
		p.Write(name, democa.CertificatePEM(id.Certificate))
	}
	return id
}

// Of several certificates of an address the newest valid one is used, and every key decrypts.
func TestRotation(t *testing.T) {
	p := newPlace(t)
	expired := p.put("0.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(-2, 0, 0)})
	older := p.put("1.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, -6, 0)})
	newer := p.put("2.pem", "Alice@Firma.example", true, democa.Options{NotBefore: now.AddDate(0, -1, 0)})
	future := p.put("3.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, 1, 0)})
	f, _ := p.load(folder.Options{})

	for _, c := range []struct {
		at   time.Time
		want certs.Identity
	}{
		{now, newer}, {now.AddDate(0, -2, 0), older}, {now.AddDate(-2, 1, 0), expired}, {now.AddDate(0, 2, 0), future}, {now, newer},
	} {
		for _, address := range []string{"alice@firma.example", "ALICE@FIRMA.EXAMPLE"} {
			id, err := f.Signing(t.Context(), address, c.at)
			if err != nil || !id.Certificate.Equal(c.want.Certificate) {
				t.Errorf("%v: %s signs with %v, %v", c.at, address, id.Certificate, err)
			}
			cert, err := f.Recipient(t.Context(), address, c.at)
			if err != nil || !cert.Equal(c.want.Certificate) {
				t.Errorf("%v: %s is encrypted to with %v, %v", c.at, address, cert, err)
			}
		}
	}
	all := f.Identities()
	if len(all) != 4 || !all[0].Certificate.Equal(future.Certificate) || !all[3].Certificate.Equal(expired.Certificate) {
		t.Errorf("%d identities decrypt", len(all))
	}
	one := identities(t, f, certs.KeyIDOf(expired.Certificate))
	if len(one) != 1 {
		t.Fatalf("%d identities", len(one))
	}
	certstest.Opens(t, one[0])
	if none := identities(t, f, certs.KeyID{}); len(none) != 0 {
		t.Errorf("%d identities for nothing", len(none))
	}
}

// identities are those that decrypt what is for one of the ids; a folder is never away.
func identities(t *testing.T, f *folder.Folder, ids ...certs.KeyID) []certs.Identity {
	t.Helper()
	all, err := f.Decryption(t.Context(), ids)
	if err != nil {
		t.Error(err)
	}
	return all
}

// What may not be used is not, and the error says why.
func TestUnusable(t *testing.T) {
	p := newPlace(t)
	other := must(democa.NewCA(now))
	stranger := must(other.Issue("stranger@x.example", democa.Options{}))
	p.Write("stranger.pem", democa.CertificatePEM(stranger.Certificate), certstest.KeyPEM(t, stranger))
	p.put("expired.pem", "expired@x.example", true, democa.Options{NotBefore: now.AddDate(-3, 0, 0)})
	p.put("signs.pem", "signs@x.example", true, democa.Options{KeyUsage: x509.KeyUsageDigitalSignature})
	p.put("partner.pem", "partner@x.example", false, democa.Options{})
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p.put("ec.pem", "ec@x.example", true, democa.Options{Key: ec})
	nobody := p.put("nobody.pem", "nobody@x.example", true, democa.Options{Alter: func(c *x509.Certificate) { c.EmailAddresses = nil }})
	f, _ := p.load(folder.Options{})

	for _, c := range []struct{ address, sign, encrypt string }{
		{"stranger@x.example", "untrusted", "untrusted"},
		{"expired@x.example", "expired", "expired"},
		{"signs@x.example", "", "purpose"},
		{"partner@x.example", "unknown", ""},
		{"ec@x.example", "", ""},
		{"nobody@x.example", "unknown", "unknown"},
		{"unheard@x.example", "unknown", "unknown"},
		{"no address", "unknown", "unknown"},
		{"", "unknown", "unknown"},
	} {
		_, signErr := f.Signing(t.Context(), c.address, now)
		_, encryptErr := f.Recipient(t.Context(), c.address, now)
		if outcome(signErr) != c.sign || outcome(encryptErr) != c.encrypt {
			t.Errorf("%s: sign %q (%v), encrypt %q (%v)", c.address, outcome(signErr), signErr, outcome(encryptErr), encryptErr)
		}
	}
	if len(identities(t, f, certs.KeyID{SubjectKeyID: nobody.Certificate.SubjectKeyId})) != 1 {
		t.Error("a key without address does not decrypt")
	}
}

func outcome(err error) string {
	var u *certs.UnusableError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, certs.ErrNotFound):
		return "unknown"
	case errors.As(err, &u) && len(u.Result.Reasons) > 0:
		return string(u.Result.Status)
	}
	return err.Error()
}

// The program that uses the folder says which keys it can serve.
// publicOnly is a key that nobody has.
type publicOnly struct{ crypto.Signer }

// Public is an RSA key with more bits than mail is encrypted to.
func (publicOnly) Public() crypto.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 9000)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

// A certificate that could not be encrypted to is not found, so that its mail is not put off for ever.
func TestTooLargeAKey(t *testing.T) {
	p := newPlace(t)
	p.put("bob.pem", "bob@partner.example", false, democa.Options{Key: publicOnly{}})
	f, report := p.load(folder.Options{})
	if _, err := f.Recipient(t.Context(), "bob@partner.example", now); certs.Why(err, "bob@partner.example") == "" {
		t.Errorf("%v", err)
	}
	if !strings.Contains(report.String(), "RSA with 9001 bits") {
		t.Errorf("the report is %s", report)
	}
}

func TestSupports(t *testing.T) {
	p := newPlace(t)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p.put("ec.pem", "ec@x.example", true, democa.Options{Key: ec})
	f, r := p.load(folder.Options{Supports: func(*x509.Certificate, certs.Purpose) bool { return true }})
	if _, err := f.Recipient(t.Context(), "ec@x.example", now); err != nil || len(r.Problems()) > 0 {
		t.Errorf("%v, %s", err, r)
	}
	f, _ = p.load(folder.Options{Supports: func(*x509.Certificate, certs.Purpose) bool { return false }})
	if _, err := f.Signing(t.Context(), "ec@x.example", now); outcome(err) != "purpose" {
		t.Error(err)
	}
}

// A chain is built from CA certificates in the folder and goes without its root.
func TestChain(t *testing.T) {
	p := newPlace(t)
	upper := must(p.CA.Intermediate("Upper", democa.Options{}))
	lower := must(upper.Intermediate("Lower", democa.Options{}))
	twin := must(upper.Intermediate("Lower", democa.Options{}))
	id := must(lower.Issue("alice@firma.example", democa.Options{}))
	p.Write("alice.pem", democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id))
	p.Write("cas.pem", democa.CertificatePEM(twin.Certificate()), democa.CertificatePEM(lower.Certificate()), democa.CertificatePEM(upper.Certificate()), democa.CertificatePEM(p.CA.Certificate()))
	f, r := p.load(folder.Options{})
	got, err := f.Signing(t.Context(), "alice@firma.example", now)
	if err != nil || len(got.Chain) != 2 || !got.Chain[0].Equal(lower.Certificate()) || !got.Chain[1].Equal(upper.Certificate()) {
		t.Errorf("chain %v, %v\n%s", got.Chain, err, r)
	}
	result := f.Validator().Validate(t.Context(), id.Certificate, nil, certs.Sign, "alice@firma.example", now)
	if !result.Valid() || len(result.Chain) != 4 {
		t.Errorf("%+v", result)
	}
}

// A certificate that somebody signed himself is used when an administrator pinned it.
func TestPinned(t *testing.T) {
	p := newPlace(t)
	p.OpenSSL("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-out", "trust/bob.pem", "-subj", "/CN=Bob",
		"-addext", "subjectAltName=email:bob@partner.example", "-addext", "extendedKeyUsage=emailProtection", "-days", "9999")
	at := time.Now().Add(time.Minute)
	f, r := p.load(folder.Options{Now: at})
	if _, err := f.Recipient(t.Context(), "bob@partner.example", at); err != nil || len(r.Problems()) > 0 {
		t.Errorf("%v\n%s", err, r)
	}
	if err := os.Rename(p.Dir+"/trust/bob.pem", p.Dir+"/bob.pem"); err != nil {
		t.Fatal(err)
	}
	f, _ = p.load(folder.Options{Now: at})
	if _, err := f.Recipient(t.Context(), "bob@partner.example", at); outcome(err) != "untrusted" {
		t.Error(err)
	}
}

// Two anchors elsewhere, at another path than the folder.
func TestTrustDir(t *testing.T) {
	p := newPlace(t)
	p.put("alice.pem", "alice@firma.example", true, democa.Options{})
	elsewhere := place{certstest.New(t, p.CA)}
	elsewhere.Write("roots/ca.crt", p.CA.Certificate().Raw)
	if err := os.RemoveAll(p.Dir + "/trust"); err != nil {
		t.Fatal(err)
	}
	f, r := p.load(folder.Options{TrustDir: elsewhere.Dir + "/roots"})
	if _, err := f.Signing(t.Context(), "alice@firma.example", now); err != nil || len(r) != 2 || r[1].Path != "roots/ca.crt" {
		t.Errorf("%v\n%s", err, r)
	}
}

// A judgement is kept, but not past the end of a certificate in its path.
func TestJudgementsEnd(t *testing.T) {
	p := newPlace(t)
	ca := must(p.CA.Intermediate("Short", democa.Options{NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 0, 1)}))
	id := must(ca.Issue("alice@firma.example", democa.Options{}))
	p.Write("alice.pem", democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id), democa.CertificatePEM(ca.Certificate()))
	f, _ := p.load(folder.Options{})
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now, ""}, {now.AddDate(0, 0, 1), ""}, {now.AddDate(0, 0, 1).Add(time.Second), "expired"}, {now.AddDate(0, 0, 2), "expired"},
		{now.AddDate(0, 0, -2), "time"}, {now, ""},
	} {
		if _, err := f.Signing(t.Context(), "alice@firma.example", c.at); outcome(err) != c.want {
			t.Errorf("%v: %v, want %q", c.at, err, c.want)
		}
	}
}

func TestConcurrent(t *testing.T) {
	p := newPlace(t)
	for i := range 3 {
		p.put(fmt.Sprint(i, ".pem"), "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, -i, 0)})
	}
	f, _ := p.load(folder.Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				at := now.AddDate(0, -(i+j)%20, 0)
				f.Signing(t.Context(), "alice@firma.example", at)
				f.Recipient(t.Context(), "alice@firma.example", at)
				identities(t, f, certs.KeyIDOf(f.Identities()[j%3].Certificate))
			}
		})
	}
	wg.Wait()
}

// crowd lays down n certificates with one key between them.
func crowd(b *testing.B, n int) place {
	p := newPlace(b)
	shared := must(rsa.GenerateKey(rand.Reader, 2048))
	var all []byte
	for i := range n {
		id := p.Issue(fmt.Sprintf("user%d@firma.example", i), democa.Options{Key: shared})
		all = append(all, democa.CertificatePEM(id.Certificate)...)
	}
	p.Write("all.pem", all)
	return p
}

func BenchmarkRecipient10000(b *testing.B) {
	p := crowd(b, 10_000)
	start := time.Now()
	f, _ := p.load(folder.Options{})
	took := time.Since(start)
	for b.Loop() {
		if _, err := f.Recipient(context.Background(), "User777@Firma.example", now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(took.Seconds(), "s/load")
}

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "certs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_, report, err := folder.Load(dir, folder.Options{})
	fmt.Println(err)
	fmt.Println(report.Problems())
	// Output:
	// <nil>
	// [trust: there is no trusted certificate, so no certificate will be found valid; put the CA certificates you trust into this folder]
}
