package vault_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// block is the first block of a kind in a section of the page for administrators.
func block(t *testing.T, heading, kind string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/certificates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), heading+"\n")
	m := regexp.MustCompile("(?s)```" + kind + "\n(.*?)```").FindStringSubmatch(section)
	if !found || m == nil {
		t.Fatalf("the page has no block %s below %s", kind, heading)
	}
	return m[1]
}

// command does what a line of Vault's own command line does, by its API. It knows what the page has.
func command(t *testing.T, s *vaulttest.Server, line, policy string) map[string]any {
	t.Helper()
	words := strings.Fields(line)
	flags, args, data := map[string]string{}, []string{}, map[string]any{}
	for _, w := range words[1:] {
		name, value, isPair := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "-"):
			flags[name] = value
		case isPair:
			data[name] = value
		default:
			args = append(args, w)
		}
	}
	switch verb := strings.Join(args[:min(2, len(args))], " "); verb {
	case "secrets enable":
		kind := args[2]
		path := flags["-path"]
		if path == "" {
			path = kind
		}
		s.Mount(t, path, kind)
	case "policy write":
		s.Policy(t, args[2], policy)
	case "auth enable":
		if err := s.Root().Sys().EnableAuthWithOptions(args[2], &api.EnableAuthOptions{Type: args[2]}); err != nil {
			t.Fatal(err)
		}
	case "kv put":
		s.Write(t, flags["-mount"]+"/data/"+args[2], map[string]any{"data": data})
	default:
		switch args[0] {
		case "write":
			return s.Write(t, args[1], data)
		case "read":
			answer, err := s.Root().Logical().Read(args[1])
			if err != nil {
				t.Fatal(err)
			}
			return answer.Data
		}
		t.Fatalf("the page has a command that is not known here: %s", line)
	}
	return nil
}

// What the page tells administrators to set up is enough, and works.
func TestDocumented(t *testing.T) {
	s := vaulttest.Start(t, vaulttest.Options{})
	policy := block(t, "## Vault", "hcl")
	ids := map[string]any{}
	for line := range strings.Lines(block(t, "## Vault", "sh")) {
		for k, v := range command(t, s, strings.TrimSpace(line), policy) {
			ids[k] = v
		}
	}
	c := client(t, s, func(o *vault.Options) { o.Login = appRole(ids["role_id"].(string), ids["secret_id"].(string)) })
	text, err := c.Secret(t.Context(), "siegel/at-rest", "key")
	if err != nil || len(text.Reveal()) != 44 {
		t.Error(err)
	}
	key := bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
	for _, opts := range []crypto.SignerOpts{crypto.SHA256, &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: rsa.PSSSaltLengthEqualsHash}} {
		if _, _, err := sign(key, "text", opts); err != nil {
			t.Error(err)
		}
	}
	wrapped, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, publicRSA(t, key), []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := key.(crypto.Decrypter).Decrypt(nil, wrapped, oaep()); err != nil || string(plain) != "key" {
		t.Error(err)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	_, err = c.NewKey(t.Context(), "another", "rsa-2048")
	wantConfig(t, err, `path "transit/keys/another" { capabilities = ["update"] }`)
}

// So is what it tells of the PKI engine.
func TestDocumentedRole(t *testing.T) {
	s := started(t, vaulttest.Options{})
	withPKI(t, s)
	s.Policy(t, "gateway", block(t, "## Vault", "hcl")+block(t, "### Certificates from its PKI engine", "hcl"))
	command(t, s, strings.TrimSpace(block(t, "### Certificates from its PKI engine", "sh")), "")
	c := client(t, s, nil)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Issuer("mail").Issue(t.Context(), vault.Request{Address: "alice@firma.example", CSR: csr, Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	wantMail(t, i, "alice@firma.example")
	if err := c.Issuer("mail").Revoke(t.Context(), i.Certificate.SerialNumber); err != nil {
		t.Error(err)
	}
}
