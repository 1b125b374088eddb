package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// Secrets are read in their newest version, and what is missing is said with the command that writes it.
func TestSecret(t *testing.T) {
	s := started(t, vaulttest.Options{})
	c := client(t, s, nil)
	write := func(fields map[string]any) {
		s.Write(t, "secret/data/siegel/relay", map[string]any{"data": fields})
	}
	write(map[string]any{"password": "planted-1"})
	write(map[string]any{"password": "planted-2", "number": 5, "empty": ""})
	text, err := c.Secret(t.Context(), "siegel/relay", "password")
	if err != nil || text.Reveal() != "planted-2" || strings.Contains(fmt.Sprintf("%v %+v", text, text), "planted") {
		t.Error(err)
	}
	_, err = c.Secret(t.Context(), "siegel/relay", "other")
	wantConfig(t, err, "has no field other", "vault kv patch -mount=secret siegel/relay other=")
	_, err = c.Secret(t.Context(), "siegel/relay", "number")
	wantConfig(t, err, "has no field number with a text")
	_, err = c.Secret(t.Context(), "siegel/relay", "empty")
	wantConfig(t, err, "is empty")
	_, err = c.Secret(t.Context(), "siegel/none", "password")
	wantConfig(t, err, "there is no secret at secret/data/siegel/none", "vault kv put -mount=secret siegel/none password=")
	_, err = c.Secret(t.Context(), "other/secret", "password")
	wantAway(t, err, `path "secret/data/other/secret" { capabilities = ["read"] }`)
	wantConfig(t, err)
	if _, err := s.Root().Logical().Delete("secret/data/siegel/relay"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Secret(t.Context(), "siegel/relay", "password")
	wantConfig(t, err, "there is no secret")
}

// A set finds the vault that a reference names.
func TestSet(t *testing.T) {
	s := started(t, vaulttest.Options{})
	s.Write(t, "secret/data/siegel/relay", map[string]any{"data": map[string]any{"password": "planted"}})
	role, id := s.AppRole(t, "gateway", "gateway", nil)
	options := func(name string) vault.Options {
		return vault.Options{Name: name, Addresses: []string{s.Address}, Roots: roots(t, s), Login: appRole(role, id), Log: quiet()}
	}
	set, err := vault.NewSet([]vault.Options{options("main"), options("second")})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	text, err := set.Secret(t.Context(), vault.SecretReference{Vault: "second", Path: "siegel/relay", Field: "password"})
	if err != nil || text.Reveal() != "planted" {
		t.Error(err)
	}
	if _, err := set.Secret(t.Context(), vault.SecretReference{Vault: "third", Path: "siegel/relay", Field: "password"}); err == nil || !strings.Contains(err.Error(), "has main, second") {
		t.Error(err)
	}
	c, err := set.Client("main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	alice := certificate(t, c, "main:alice", both)
	if _, err := set.Key(t.Context(), "vault:main:alice", alice); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"vault:third:alice", "alice", "", "vault:main:a/b", "vault:main:nobody", "vault:main:alice:2"} {
		if _, err := set.Key(t.Context(), bad, alice); err == nil {
			t.Errorf("%q gave a key", bad)
		} else if !errors.Is(err, certs.ErrUnavailable) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := set.Check(); err != nil {
		t.Error(err)
	}
	var none *vault.Set
	if _, err := none.Key(t.Context(), "vault:main:alice", alice); err == nil || !strings.Contains(err.Error(), "The configuration has none") || none.Check() != nil {
		t.Error(err)
	}
	if _, err := vault.NewSet([]vault.Options{options("main"), {Name: "bad"}}); err == nil {
		t.Error("a set of what cannot be used")
	}
}
