package configs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/internal/secret"
)

const vaulted = `
vault:
  - {name: main, address: "https://127.0.0.1:8200", login: {role_id: abc, secret_id: {file: relay.password}}}
`

// loadVaulted loads a configuration with secrets in a vault: the at-rest key and a password.
func loadVaulted(t *testing.T, more string) *Config {
	t.Helper()
	dir := t.TempDir()
	makeFiles(t, dir)
	text := strings.NewReplacer("{file: at-rest.key}", `{vault: "main:siegel/at-rest#key"}`, "{file: relay.password}", `{vault: "main:siegel/relay#password"}`).Replace(small)
	if !strings.Contains(text, "at-rest#key") || !strings.Contains(text, "relay#password") {
		t.Fatal("the configuration has no secrets to replace")
	}
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(text+vaulted+more), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, options())
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// store gives the secrets of a map.
func store(secrets map[string]string) func(context.Context, vault.SecretReference) (secret.String, error) {
	return func(_ context.Context, r vault.SecretReference) (secret.String, error) {
		text, ok := secrets[r.String()]
		if !ok {
			return secret.String{}, &vault.ConfigError{Vault: r.Vault, What: "there is no secret at " + r.Path}
		}
		return secret.New(text), nil
	}
}

// Secrets in a vault take their places, and are shown by nothing.
func TestFill(t *testing.T) {
	c := loadVaulted(t, "")
	if got := c.VaultSecrets(); len(got) != 2 || got[0].Key != "at_rest.key" || got[1].Key != "routes[relay].auth.password" {
		t.Fatalf("%+v", got)
	}
	problems, err := c.Fill(t.Context(), store(map[string]string{"main:siegel/at-rest#key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "main:siegel/relay#password": "planted-secret"}))
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if c.AtRest.Key.Reveal() != "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" || c.Routes[len(c.Routes)-1].Auth.Password.Reveal() != "planted-secret" || len(c.VaultSecrets()) > 0 {
		t.Error("the secrets are not where they belong")
	}
	for _, s := range c.Settings() {
		if strings.Contains(s.String(), "planted") || strings.Contains(s.String(), "MDEy") {
			t.Error("a secret is shown: ", s)
		}
		if s.Key == "at_rest.key" && !strings.Contains(s.From(), "from vault main:siegel/at-rest#key") {
			t.Error(s.From())
		}
	}
}

// What the vault has is judged as what a file has, and what it has not is said with the line that asks for it.
func TestFillProblems(t *testing.T) {
	c := loadVaulted(t, "")
	problems, err := c.Fill(t.Context(), store(map[string]string{"main:siegel/at-rest#key": "planted, and no key", "main:siegel/relay#password": "x"}))
	if err != nil || len(problems) != 1 || problems[0].Key != "at_rest.key" || !strings.Contains(problems[0].Text, "this is not a key") || strings.Contains(problems.Err().Error(), "planted") {
		t.Error(problems, err)
	}
	c = loadVaulted(t, "")
	problems, err = c.Fill(t.Context(), store(nil))
	if err != nil || len(problems.Errors()) != 2 || problems[0].Origin.Line == 0 || !strings.Contains(problems[0].Text, "vault main: there is no secret at siegel/at-rest") {
		t.Error(problems, err)
	}
	if len(c.VaultSecrets()) != 2 {
		t.Error("what was not read is forgotten")
	}
}

// A vault that is away is no fault of the configuration, which can be filled later.
func TestFillAway(t *testing.T) {
	c := loadVaulted(t, "")
	away := errors.New("away")
	calls := 0
	problems, err := c.Fill(t.Context(), func(context.Context, vault.SecretReference) (secret.String, error) {
		calls++
		return secret.String{}, away
	})
	if !errors.Is(err, away) || problems != nil || calls != 1 || len(c.VaultSecrets()) != 2 {
		t.Error(problems, err, calls)
	}
}

// The certificates of a vault are read with the configuration.
func TestVaultTLS(t *testing.T) {
	c := loadVaulted(t, `  - {name: second, addresses: ["https://a.example", "https://b.example"], ca: both.pem, client_certificate: both.pem, login: {certificate: true, role: gateway}}
`)
	if c.Vault[0].Roots() != nil || c.Vault[0].Client() != nil {
		t.Error("certificates out of nothing")
	}
	v := c.Vault[1]
	if v.Roots() == nil || v.Client() == nil || len(v.Addresses) != 2 || v.Transit != "transit" || v.KV != "secret" || v.PKI != "pki" || v.Connections != 16 {
		t.Errorf("%+v", v)
	}
}
