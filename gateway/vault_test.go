package gateway_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smime"
)

// vaulted is a setting whose key of alice lies in a real vault; everything else is in a folder.
type vaulted struct {
	certs.Finder
	set *vault.Set
	id  certs.Identity // without the key
}

func (v vaulted) key(ctx context.Context) (certs.Identity, error) {
	id := v.id
	key, err := v.set.Key(ctx, "vault:main:alice", id.Certificate)
	if err == nil {
		id.Key = key.(crypto.Signer)
	}
	return id, err
}

func (v vaulted) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	if !strings.HasPrefix(address, "alice@") {
		return v.Finder.Signing(ctx, address, now)
	}
	return v.key(ctx)
}

func (v vaulted) Decryption(ctx context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	if !slices.ContainsFunc(ids, func(id certs.KeyID) bool { return id.Matches(v.id.Certificate) }) {
		return nil, nil
	}
	id, err := v.key(ctx)
	if err != nil {
		return nil, err
	}
	return []certs.Identity{id}, nil
}

const vaultPolicy = `path "transit/keys/alice" { capabilities = ["read"] }
path "transit/sign/alice" { capabilities = ["update"] }
path "transit/decrypt/alice" { capabilities = ["update"] }`

func newVaultSetting(t *testing.T) (*setting, *vaulttest.Server, *vault.Set) {
	t.Helper()
	server := vaulttest.Start(t, vaulttest.Options{})
	server.Mount(t, "transit", "transit")
	server.Policy(t, "gateway", vaultPolicy)
	server.Write(t, "transit/keys/alice", map[string]any{"type": "rsa-2048"})
	s := newSetting(t, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	role, id := server.AppRole(t, "gateway", "gateway", nil)
	text, err := os.ReadFile(server.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	set, err := vault.NewSet([]vault.Options{{
		Name: "main", Addresses: []string{server.Address}, Roots: roots, Log: s.options.Log,
		Login: vault.Login{RoleID: secret.New(role), SecretID: secret.New(id)}, Timeout: time.Minute,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	client := set.Clients()[0]
	key, err := client.Newest(t.Context(), vault.KeyReference{Vault: "main", Key: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := s.ca.Issue("alice@firma.example", democa.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	s.identity["alice@firma.example"] = certs.Identity{Certificate: alice.Certificate, Chain: alice.Chain}
	s.options.Settings.Certs = vaulted{s.options.Settings.Certs, set, s.identity["alice@firma.example"]}
	s.options.Settings.ProtectRetry = delivery.Retry{Steps: []time.Duration{100 * time.Millisecond}}
	s.options.Settings.Retry = delivery.Retry{Steps: []time.Duration{100 * time.Millisecond}}
	s.options.Settings.Companions = []gateway.Companion{{
		Check: admin.Check{Name: "vault main", Warning: true, Advice: "Look at the vault.", Run: func(context.Context) error { return client.Check() }}, Run: client.Run,
	}}
	return s, server, set
}

// encryptTo has OpenSSL encrypt a letter to alice's certificate by OAEP with SHA-256, or by PKCS #1 v1.5.
func encryptTo(t *testing.T, c *x509.Certificate, oaep bool) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alice.pem")
	if err := os.WriteFile(file, democa.CertificatePEM(c), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"cms", "-encrypt", "-aes256", "-recip", file}
	if oaep {
		args = append(args, "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha256")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader("Content-Type: text/plain\r\n\r\nplanted body\r\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	head := "From: bob@partner.example\r\nTo: alice@firma.example\r\nSubject: planted subject\r\n"
	return head + string(bytes.ReplaceAll(bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")))
}

// With the key in a vault, mail is signed and opened there; sealed in the middle of the traffic, mail of both directions waits and
// is delivered once the vault is unsealed, and nothing leaves unsigned or is passed on unopened.
func TestVaultSealedInTraffic(t *testing.T) {
	s, server, _ := newVaultSetting(t)
	g, _ := s.start(t)
	alice := s.identity["alice@firma.example"].Certificate
	out := letter("alice@firma.example", "bob@partner.example")
	in := encryptTo(t, alice, true)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", out); r.Code != 250 {
		t.Fatal(r)
	}
	s.wantProtected(t)
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", in); r.Code != 250 {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "planted body") {
		t.Errorf("not opened:\n%s", got)
	}

	server.SetSealed(t, true)
	const many = 5
	for range many {
		s.sendHeld(t, g)
		if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", in); r.Code != 250 {
			t.Fatal(r)
		}
	}
	e := s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && e.Destination == "protect:vault:main" })
	if !strings.Contains(e.Reply, "vault:main is not available") {
		t.Errorf("%+v", e)
	}
	s.awaitEvent(t, func(e track.Event) bool { return e.Kind == track.Deferred && e.Destination == "hop" })
	if len(s.hop.got) != 0 {
		t.Fatal("something left while the vault was sealed")
	}
	server.SetSealed(t, false)
	signed, opened := 0, 0
	for range 2 * many {
		got := s.hop.wait(t)
		if strings.Contains(got, "From: bob@partner.example") {
			if opened++; !strings.Contains(got, "planted body") {
				t.Error("passed on unopened")
			}
			continue
		}
		signed++
		if o := openAs(t, s.identity["bob@partner.example"], got); o.Verdict != smime.Valid {
			t.Errorf("bob finds %s", o.Verdict)
		}
	}
	if signed != many || opened != many {
		t.Errorf("%d left signed, %d were opened, of %d each", signed, opened, many)
	}
}

// A message under PKCS #1 v1.5 passes as it came: the vault is not asked, and no other mail waits for it.
func TestVaultPKCS1(t *testing.T) {
	s, _, _ := newVaultSetting(t)
	g, _ := s.start(t)
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", encryptTo(t, s.identity["alice@firma.example"].Certificate, false)); r.Code != 250 {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); strings.Contains(got, "planted body") || !strings.Contains(got, "application/pkcs7-mime") {
		t.Errorf("%s", got)
	}
	if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", encryptTo(t, s.identity["alice@firma.example"].Certificate, true)); r.Code != 250 {
		t.Fatal(r)
	}
	if got := s.hop.wait(t); !strings.Contains(got, "planted body") {
		t.Errorf("not opened:\n%s", got)
	}
}
