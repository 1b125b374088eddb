package gateway_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/internal/sqldb"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// known keeps certificates and keys in the store of a running gateway.
func known(t *testing.T, s *store.Store, trust store.Trust, all ...certs.Identity) {
	t.Helper()
	a := store.Addition{Source: "import", Trust: trust}
	for _, id := range all {
		a.Certificates = append(a.Certificates, id.Certificate)
		if id.Key != nil {
			a.Keys = append(a.Keys, id.Key)
		}
	}
	if _, err := s.Add(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// alone finds and judges by the store alone.
func alone(kept *store.Store, _ certs.Revocation) (certs.Finder, certs.Judge) {
	return kept, kept.Judge()
}

func authority(ca *democa.CA) certs.Identity { return certs.Identity{Certificate: ca.Certificate()} }

// Without a folder everything comes from the store, and counts as soon as it is there.
func TestCertificatesOfTheStore(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	s.options.Settings.Within = alone
	g, stop := s.start(t)
	out := letter("alice@firma.example", "bob@partner.example")
	sent := func(want string) {
		t.Helper()
		r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out)
		if want == "" != r.Positive() || !strings.Contains(r.String(), want) {
			t.Fatalf("%v, want %q", r, want)
		}
	}
	sent("no certificate of this recipient is known")
	known(t, g.Known(), store.ByPath, s.identity["alice@firma.example"], certs.Identity{Certificate: s.identity["bob@partner.example"].Certificate})
	sent("the issuer of the recipient's certificate is not trusted")
	known(t, g.Known(), store.Anchor, authority(s.ca))
	sent("")
	if got := s.hop.wait(t); !strings.Contains(got, "smime-type=enveloped-data") {
		t.Errorf("%.600s", got)
	}
	in := s.signed(t, letter("bob@partner.example", "alice@firma.example"))
	received := func(want string) {
		t.Helper()
		if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", in); !r.Positive() {
			t.Fatal(r)
		}
		if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Verdict: "+want+"\r\n") {
			t.Errorf("want %s:\n%.900s", want, got)
		}
	}
	received("valid")
	stop()
	g, _ = s.start(t)
	received("valid")
	if err := g.Known().SetTrust(t.Context(), store.FingerprintOf(s.identity["bob@partner.example"].Certificate), store.Distrusted, nil); err != nil {
		t.Fatal(err)
	}
	received("untrusted")
	sent("the issuer of the recipient's certificate is not trusted")
}

// What is distrusted in the store is not used out of the folder either.
func TestDistrustReachesTheFolder(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never}})
	s.options.Settings.Within = within(s.folder)
	g, _ := s.start(t)
	out := letter("alice@firma.example", "bob@partner.example")
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out); !r.Positive() {
		t.Fatal(r)
	}
	s.hop.wait(t)
	known(t, g.Known(), store.Distrusted, authority(s.ca))
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out); r.Positive() {
		t.Errorf("encrypted below a distrusted root: %v", r)
	}
	in := s.signed(t, letter("bob@partner.example", "alice@firma.example"))
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", in); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Verdict: untrusted") {
		t.Errorf("%.900s", got)
	}
}

// A domain certificate serves everybody in the domain, both ways: what it signed is theirs, and what is for them is encrypted to it.
func TestDomainCertificate(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.IfPossible, Sign: policy.IfPossible}})
	s.options.Settings.Within = within(s.folder)
	g, _ := s.start(t)
	ours, err := s.ca.Issue("gateway@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := s.ca.Issue("gateway@partner.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	known(t, g.Known(), store.ByPath, ours, certs.Identity{Certificate: theirs.Certificate})
	carol := func() string {
		t.Helper()
		var b bytes.Buffer
		if err := smime.Protect(&b, text(letter("carol@partner.example", "alice@firma.example")), smime.ProtectOptions{
			Signers: []smime.Signer{{Certificate: theirs.Certificate, Key: theirs.Key}}, Time: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		if r := send(t, g, "ex", "carol@partner.example", "alice@firma.example", b.String()); !r.Positive() {
			t.Fatal(r)
		}
		return s.hop.wait(t)
	}
	if got := carol(); !strings.Contains(got, "X-Siegel-Verdict: mismatch") {
		t.Errorf("before anybody said so:\n%.900s", got)
	}
	for c, domain := range map[*x509.Certificate]string{ours.Certificate: "firma.example", theirs.Certificate: "partner.example"} {
		if err := g.Known().SetServes(context.Background(), store.FingerprintOf(c), []string{domain}); err != nil {
			t.Fatal(err)
		}
	}
	if got := carol(); !strings.Contains(got, "X-Siegel-Verdict: valid") || !strings.Contains(got, "gateway@partner.example") {
		t.Errorf("afterwards:\n%.900s", got)
	}
	if r := send(t, g, "in", "dora@firma.example", "carol@partner.example", letter("dora@firma.example", "carol@partner.example")); !r.Positive() {
		t.Fatal(r)
	}
	got := s.hop.wait(t)
	if !strings.Contains(got, "smime-type=enveloped-data") && !strings.Contains(got, "smime-type=authEnveloped-data") {
		t.Errorf("%.600s", got)
	}
	var b bytes.Buffer
	if err := smime.Protect(&b, text(letter("carol@partner.example", "dora@firma.example")), smime.ProtectOptions{EncryptTo: []cms.Recipient{{Certificate: ours.Certificate}}}); err != nil {
		t.Fatal(err)
	}
	if r := send(t, g, "ex", "carol@partner.example", "dora@firma.example", b.String()); !r.Positive() {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "X-Siegel-Layer-1: ") || strings.Contains(got, "smime-type=") {
		t.Errorf("to dora:\n%.900s", got)
	}
}

// A certificate or key that does not open stops everything: no mail is taken, and what waits is not delivered as if nothing were known.
func TestDamagedCertificate(t *testing.T) {
	for what, statement := range map[string]string{
		"certificate": `UPDATE certificate SET body = zeroblob(length(body))`,
		"trust":       `UPDATE certificate SET trust = 1`,
		"key":         `UPDATE private_key SET body = zeroblob(length(body))`,
	} {
		t.Run(what, func(t *testing.T) {
			s := newSetting(t, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
			s.options.Settings.Within = alone
			g, stop := s.start(t)
			known(t, g.Known(), store.ByPath, s.identity["alice@firma.example"], certs.Identity{Certificate: s.identity["bob@partner.example"].Certificate})
			known(t, g.Known(), store.Anchor, authority(s.ca))
			stop()
			harm(t, filepath.Join(s.options.State, "certs", "certs.db"), statement)
			g, _ = s.start(t)
			for range 2 {
				r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example"))
				if r.Code != 451 || strings.Contains(r.String(), "certs") {
					t.Errorf("%v", r)
				}
			}
			if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", letter("bob@partner.example", "alice@firma.example")); r.Code != 451 {
				t.Errorf("from outside: %v", r)
			}
			if err := g.Known().Check(); err == nil {
				t.Error("health knows nothing of it")
			}
		})
	}
}

// harm changes a database behind the gateway's back.
func harm(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sqldb.Open(file, sqldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}
