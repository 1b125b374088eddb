package certadmin_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// log keeps acts in memory; with a fault it keeps none.
type log struct {
	acts  []admin.Act
	fault error
}

// Record implements admin.Audit.
func (l *log) Record(_ context.Context, a admin.Act) error {
	if l.fault == nil {
		l.acts = append(l.acts, a)
	}
	return l.fault
}

// stand is the commands on a store of their own, behind a control socket.
type stand struct {
	*testing.T
	client *admin.Client
	store  *store.Store
	audit  *log
	ca     *democa.CA
	vault  vault
}

// vault stands for the vault main: keys by their references. Real ones are in cmd/siegel's tests.
type vault map[string]crypto.PrivateKey

// Key implements store.KeySource. An absent key is that of nobody; "vault:main:away" cannot be asked.
func (v vault) Key(_ context.Context, reference string, _ *x509.Certificate) (crypto.PrivateKey, error) {
	if reference == "vault:main:away" {
		return nil, &certs.UnavailableError{Source: "vault:main", Err: errors.New("it is sealed")}
	}
	return v[reference], nil
}

func newStand(t *testing.T) stand {
	key, clock := atrest.NewKey(), func() time.Time { return now }
	q := must(sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: t.TempDir(), Key: key}))
	t.Cleanup(func() { q.Close() })
	s := stand{T: t, audit: &log{}, ca: must(democa.NewCA(now)), vault: vault{}}
	s.store = must(store.Open(t.Context(), store.Options{Dir: t.TempDir(), Key: key, Now: clock}))
	t.Cleanup(func() { s.store.Close() })
	dir := must(os.MkdirTemp("", "sgl")) // short: a socket's name has room for 108 bytes
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "run", "c.sock")
	c := must(admin.NewControl(admin.ControlOptions{Path: path, Store: q, Audit: s.audit, Now: clock, Certs: certadmin.Commands(certadmin.Options{
		Store: s.store, Now: clock, Sight: func() (certs.Finder, certs.Judge) { return s.store, s.store.Judge() },
		Reach: s.store.Within(store.Surroundings{KeySources: map[string]store.KeySource{"vault:main": s.vault}}).Reach,
	})}))
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	s.client = admin.NewClient(path)
	return s
}

// ask gives a command; what is refused is the error.
func ask[A any](s stand, command string, question any) (answer A, err error) {
	err = s.client.Certs(s.Context(), command, question, &answer)
	return answer, err
}

// refused fails unless err is a refusal with a text.
func (s stand) refused(err error, text string) {
	s.Helper()
	var refused *admin.Error
	if !errors.As(err, &refused) || refused.Code != http.StatusUnprocessableEntity || !strings.Contains(err.Error(), text) {
		s.Errorf("%v, want a refusal with %q", err, text)
	}
}

// person is a certificate with its key, imported.
func (s stand) person(address string, o democa.Options) certs.Identity {
	s.Helper()
	id := must(s.ca.Issue(address, o))
	q := certadmin.Import{Items: []certadmin.Item{{Certificate: id.Certificate.Raw}, {Certificate: s.ca.Certificate().Raw, Trust: "anchor"}}, Keys: [][]byte{must(x509x.MarshalPrivateKey(id.Key))}}
	if _, err := ask[certadmin.Imported](s, "import", q); err != nil {
		s.Fatal(err)
	}
	return id
}

func print(c *x509.Certificate) string { return store.FingerprintOf(c).String() }

// An import says what was new, stands in the audit log before it is done, and a second one changes nothing.
func TestImport(t *testing.T) {
	s := newStand(t)
	id := must(s.ca.Issue("alice@firma.example", democa.Options{}))
	q := certadmin.Import{Items: []certadmin.Item{{Certificate: id.Certificate.Raw}, {Certificate: s.ca.Certificate().Raw, Trust: "anchor"}},
		Keys: [][]byte{must(x509x.MarshalPrivateKey(id.Key))}, Scope: []string{"firma.example"}, Serves: []string{"firma.example"}}
	s.audit.fault = errors.New("disk on fire")
	if _, err := ask[certadmin.Imported](s, "import", q); err == nil || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("without a record: %v", err)
	}
	s.audit.fault = nil
	got, err := ask[certadmin.Imported](s, "import", q)
	if err != nil || len(got.New) != 2 || got.NewKeys != 1 || got.Lone != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range got.New {
		if anchor := c.Trust == "anchor"; anchor != c.CA || anchor != slices.Equal(c.Scope, []string{"firma.example"}) || anchor == slices.Equal(c.Serves, []string{"firma.example"}) || c.Source != "import" {
			t.Errorf("%+v", c)
		}
	}
	if a := s.audit.acts[0]; a.What != "certs-import" || len(a.Subject) != 2 || !strings.Contains(a.Detail, "1 keys, 1 as anchor") || !strings.Contains(a.Detail, "serves firma.example") {
		t.Errorf("%+v", a)
	}
	if got, err = ask[certadmin.Imported](s, "import", q); err != nil || len(got.New) != 0 || len(got.Known) != 2 || got.KnownKeys != 1 {
		t.Errorf("again: %+v, %v", got, err)
	}
}

func TestImportRefuses(t *testing.T) {
	s := newStand(t)
	id := s.person("alice@firma.example", democa.Options{})
	for text, q := range map[string]certadmin.Import{
		"cannot be read":            {Items: []certadmin.Item{{Certificate: []byte("x")}}},
		"is not PKCS#8":             {Keys: [][]byte{[]byte("x")}},
		"not as \"distrusted\"":     {Items: []certadmin.Item{{Certificate: id.Certificate.Raw, Trust: "distrusted"}}},
		"more than 100":             {Keys: make([][]byte, 101)},
		"neither a domain":          {Items: []certadmin.Item{{Certificate: s.ca.Certificate().Raw, Trust: "anchor"}}, Scope: []string{"no domain"}},
		"not that of an authority":  {Items: []certadmin.Item{{Certificate: id.Certificate.Raw, Trust: "anchor"}}},
		"is an address; a certific": {Items: []certadmin.Item{{Certificate: id.Certificate.Raw}}, Serves: []string{"a@firma.example"}},
		"can serve a domain":        {Items: []certadmin.Item{{Certificate: self(t, "gateway@firma.example").Raw}}, Serves: []string{"firma.example"}},
	} {
		_, err := ask[certadmin.Imported](s, "import", q)
		if strings.HasPrefix(text, "not that") {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%v", err)
			}
			continue
		}
		s.refused(err, text)
	}
}

// A certificate is named by the beginning of its fingerprint, with or without colons, where that is one alone.
func TestFingerprints(t *testing.T) {
	s := newStand(t)
	id := s.person("alice@firma.example", democa.Options{})
	whole := print(id.Certificate)
	for _, text := range []string{whole, strings.ToUpper(whole), whole[:8], whole[:2] + ":" + whole[2:4] + ":" + whole[4:8]} {
		if got, err := ask[certadmin.Shown](s, "show", certadmin.Show{Fingerprint: text}); err != nil || got.Fingerprint != whole || len(got.Verdicts) != 2 || got.Verdicts[0].Status != "valid" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "no fingerprint", "abc": "no fingerprint", "alice": "no fingerprint", strings.Repeat("0", 64): "is kept", whole + "00": "no fingerprint"} {
		_, err := ask[certadmin.Shown](s, "show", certadmin.Show{Fingerprint: text})
		s.refused(err, want)
	}
	same := map[string]*x509.Certificate{}
	for i := 0; ; i++ { // until two begin alike
		c := must(s.ca.Issue("many@firma.example", democa.Options{Key: id.Key})).Certificate
		other := same[print(c)[:4]]
		same[print(c)[:4]] = c
		if other == nil {
			continue
		}
		for _, c := range []*x509.Certificate{c, other} {
			must(s.store.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{c}, Source: "import"}))
		}
		_, err := ask[certadmin.Shown](s, "show", certadmin.Show{Fingerprint: print(c)[:4]})
		s.refused(err, "several fingerprints")
		return
	}
}

// Trust counts at once: what was distrusted neither signs nor is encrypted to, and find says why.
func TestTrustAndFind(t *testing.T) {
	s := newStand(t)
	old := s.person("alice@firma.example", democa.Options{NotBefore: now.AddDate(0, -2, 0)})
	id := s.person("alice@firma.example", democa.Options{NotBefore: now.AddDate(0, -1, 0)})
	found, err := ask[certadmin.Found](s, "find", certadmin.Find{Address: "Alice@FIRMA.example"})
	if err != nil || found.Sign != print(id.Certificate) || found.Encrypt != found.Sign || len(found.Candidates) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, c := range found.Candidates {
		if taken := c.Fingerprint == found.Sign; c.Verdicts[0].Taken != taken || !taken && !strings.Contains(c.Verdicts[0].Reasons[0], "newer") {
			t.Errorf("%+v", c)
		}
	}
	if got, err := ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: found.Sign, Trust: "distrusted"}); err != nil || got.Trust != "distrusted" {
		t.Fatalf("%+v, %v", got, err)
	}
	if a := s.audit.acts[len(s.audit.acts)-1]; a.What != "certs-distrust" || a.Subject[0] != found.Sign {
		t.Errorf("%+v", a)
	}
	if found, err = ask[certadmin.Found](s, "find", certadmin.Find{Address: "alice@firma.example"}); err != nil || found.Sign != print(old.Certificate) {
		t.Errorf("the older one is not taken: %+v, %v", found, err)
	}
	_, err = ask[certadmin.Imported](s, "import", certadmin.Import{Items: []certadmin.Item{{Certificate: id.Certificate.Raw, Trust: "trusted"}}})
	s.refused(err, "was distrusted; nothing was imported")
	if got, err := ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: print(s.ca.Certificate()), Scope: []string{"partner.example"}}); err != nil || got.Trust != "anchor" {
		t.Fatalf("%+v, %v", got, err)
	}
	if found, err = ask[certadmin.Found](s, "find", certadmin.Find{Address: "alice@firma.example"}); err != nil || found.Sign != "" || found.SignError == "" {
		t.Errorf("beyond the scope of its anchor: %+v, %v", found, err)
	}
	_, err = ask[certadmin.Found](s, "find", certadmin.Find{Address: "nobody"})
	s.refused(err, "no mail address")
	_, err = ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: print(id.Certificate), Trust: "anchor"})
	s.refused(err, "not that of an authority")
}

// self is a self-signed certificate that calls itself that of an authority, as openssl req -x509 makes it.
func self(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Eve"}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: true, EmailAddresses: []string{address},
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))))
}

// A person's certificate that calls itself an authority is believed by itself: it must not issue for others. Whoever says that it is an
// authority has one.
func TestTrustOfPersons(t *testing.T) {
	s := newStand(t)
	first, second, third := self(t, "eve@partner.example"), self(t, "eve@partner.example"), self(t, "ca@partner.example")
	got, err := ask[certadmin.Imported](s, "import", certadmin.Import{Items: []certadmin.Item{{Certificate: first.Raw, Trust: "anchor"}, {Certificate: second.Raw}}})
	if err != nil || len(got.New) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, c := range got.New {
		if want := map[string]string{print(first): "trusted", print(second): "path"}[c.Fingerprint]; c.Trust != want {
			t.Errorf("imported as %s, want %s", c.Trust, want)
		}
	}
	if got, err := ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: print(second)}); err != nil || got.Trust != "trusted" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: print(second), Trust: "anchor"})
	s.refused(err, "--authority")
	if got, err := ask[certadmin.Certificate](s, "trust", certadmin.Trust{Fingerprint: print(second), Authority: true}); err != nil || got.Trust != "anchor" {
		t.Errorf("%+v, %v", got, err)
	}
	all, err := ask[certadmin.Imported](s, "import", certadmin.Import{Items: []certadmin.Item{{Certificate: third.Raw, Trust: "anchor"}}, Authority: true})
	if err != nil || len(all.New) != 1 || all.New[0].Trust != "anchor" {
		t.Errorf("%+v, %v", all, err)
	}
}

// A key leaves under a password, after it stands in the audit log, and goes only where that is said.
func TestKeys(t *testing.T) {
	s := newStand(t)
	id := s.person("alice@firma.example", democa.Options{})
	f := print(id.Certificate)
	acts := len(s.audit.acts)
	for _, q := range []certadmin.Export{{Fingerprint: f, Form: "pkcs12", Key: true}, {Fingerprint: f, Form: "pem", Key: true, Password: "short"}, {Fingerprint: f, Form: "der", Key: true, Password: "long enough"}, {Fingerprint: f, Form: "pkcs12"}} {
		if _, err := ask[certadmin.Exported](s, "export", q); err == nil {
			t.Errorf("%+v is done", q)
		}
	}
	if len(s.audit.acts) != acts {
		t.Errorf("recorded: %+v", s.audit.acts[acts:])
	}
	for _, form := range []string{"pem", "pkcs12"} {
		got, err := ask[certadmin.Exported](s, "export", certadmin.Export{Fingerprint: f, Form: form, Key: true, Chain: true, Password: "long enough"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := bundle.Read(got.Data, bundle.Options{Passwords: []secret.String{secret.New("long enough")}})
		if ids, _ := c.Identities(); err != nil || len(ids) != 1 || !ids[0].Certificate.Equal(id.Certificate) {
			t.Errorf("%s: %v", form, err)
		}
		if bytes.Contains(got.Data, []byte("BEGIN PRIVATE KEY")) {
			t.Error("a key in clear")
		}
	}
	if a := s.audit.acts[len(s.audit.acts)-1]; a.What != "certs-export-key" || a.Subject[0] != f || strings.Contains(a.Detail, "long enough") {
		t.Errorf("%+v", a)
	}
	_, err := ask[certadmin.Removed](s, "remove", certadmin.Remove{Fingerprint: f})
	s.refused(err, "there is a private key")
	if got, err := ask[certadmin.Removed](s, "remove", certadmin.Remove{Fingerprint: f, WithKey: true}); err != nil || !got.KeyGone {
		t.Errorf("%+v, %v", got, err)
	}
}

// A request is for the addresses, signed by the key that stays here; what cannot be asked for makes none.
func TestRequest(t *testing.T) {
	s := newStand(t)
	got, err := ask[certadmin.Requested](s, "request", certadmin.Request{Addresses: []string{"alice@firma.example", "a@firma.example"}, Kind: "p256"})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(got.PEM))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil || !slices.Equal(csr.EmailAddresses, []string{"alice@firma.example", "a@firma.example"}) {
		t.Fatalf("%+v, %v", csr, err)
	}
	acts := len(s.audit.acts)
	if acts != 1 || s.audit.acts[0].What != "certs-request" {
		t.Errorf("%+v", s.audit.acts)
	}
	for _, q := range []certadmin.Request{{Kind: "p256"}, {Addresses: []string{"nobody"}, Kind: "p256"}, {Addresses: []string{"a@firma.example"}, Kind: "dsa"}, {Addresses: []string{"ü@firma.example"}, Kind: "p256"}} {
		if _, err := ask[certadmin.Requested](s, "request", q); err == nil {
			t.Errorf("%+v is done", q)
		}
	}
}

// Each filter narrows the list, and pages are complete.
func TestList(t *testing.T) {
	s := newStand(t)
	s.person("alice@firma.example", democa.Options{})
	bob := must(s.ca.Issue("bob@partner.example", democa.Options{}))
	must(s.store.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{bob.Certificate}, Source: "directory x"}))
	for want, q := range map[int]certadmin.List{
		3: {}, 1: {Address: "bob@partner.example"},
	} {
		q.Limit = 100
		if got, err := ask[certadmin.Listed](s, "list", q); err != nil || len(got.Certificates) != want || got.More {
			t.Errorf("%+v: %d, %v", q, len(got.Certificates), err)
		}
	}
	for _, q := range []certadmin.List{{Domain: "firma.example"}, {WithKey: true}, {CA: true}, {Trust: "anchor"}, {Source: "directory"}, {Text: "bob"}, {Skip: 2}} {
		q.Limit = 100
		if got, err := ask[certadmin.Listed](s, "list", q); err != nil || len(got.Certificates) != 1 {
			t.Errorf("%+v: %d, %v", q, len(got.Certificates), err)
		}
	}
	if got, err := ask[certadmin.Listed](s, "list", certadmin.List{Limit: 2}); err != nil || len(got.Certificates) != 2 || !got.More {
		t.Errorf("a page: %d, %v, %v", len(got.Certificates), got.More, err)
	}
	for _, q := range []certadmin.List{{}, {Limit: 1001}, {Limit: 1, Trust: "much"}, {Limit: 1, Address: "x"}, {Limit: 1, Domain: "@"}, {Limit: 1, Text: strings.Repeat("x", 400)}} {
		_, err := ask[certadmin.Listed](s, "list", q)
		s.refused(err, "")
	}
}
