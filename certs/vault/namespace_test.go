package vault_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// What a client with a namespace asks for is that of its namespace: the login, secrets, keys and what says which permission is missing. What
// lies under the same name elsewhere is not reached.
func TestNamespace(t *testing.T) {
	s := started(t, vaulttest.Options{})
	s.Write(t, "secret/data/siegel/probe", map[string]any{"data": map[string]any{"word": "of the root"}})
	s.Write(t, "transit/keys/alice", map[string]any{"type": "rsa-2048"})
	within := s.Within(t, "firma/mail")
	within.Mount(t, "transit", "transit")
	within.Mount(t, "secret", "kv")
	within.Policy(t, "gateway", gatewayPolicy)
	probe(t, within)
	within.Write(t, "transit/keys/alice", map[string]any{"type": "rsa-2048"})
	role, id := within.AppRole(t, "gateway", "gateway", nil)
	at := func(namespace string, login vault.Login) *vault.Client {
		return client(t, s, func(o *vault.Options) { o.Namespace, o.Login = namespace, login })
	}
	for name, login := range map[string]vault.Login{"approle": appRole(role, id), "token": token(within.NewToken(t, "gateway", map[string]any{"ttl": "1h"}))} {
		c := at("firma/mail", login)
		running(t, c)
		if err := readProbe(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		key := bound(t, c, "vault:main:alice", certificate(t, c, "vault:main:alice", both))
		digest, signature, err := sign(key, "text", crypto.SHA256)
		if err != nil || rsa.VerifyPKCS1v15(publicRSA(t, key), crypto.SHA256, digest, signature) != nil {
			t.Errorf("%s: the signature: %v", name, err)
		}
		sealed, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, publicRSA(t, key), []byte("key"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := key.(crypto.Decrypter).Decrypt(nil, sealed, oaep()); err != nil || string(plain) != "key" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	inside, outside := newest(t, at("firma/mail", appRole(role, id)), "vault:main:alice"), newest(t, client(t, s, nil), "vault:main:alice")
	if publicRSA(t, inside).Equal(outside.Public()) {
		t.Error("the key of another namespace is taken")
	}
	for _, elsewhere := range []string{"", "firma", "mail", "firma/other"} {
		if err := readProbe(t.Context(), at(elsewhere, appRole(role, id))); err == nil {
			t.Errorf("the login of a namespace is good in %q", elsewhere)
		}
	}
	// The stanza that is missing is told as it has to stand in the policy of the namespace.
	within.Policy(t, "gateway", strings.ReplaceAll(gatewayPolicy, "secret/data/siegel/*", "secret/data/other/*"))
	_, err := at("firma/mail", vault.Login{RoleID: secret.New(role), SecretID: secret.New(id)}).Secret(t.Context(), "siegel/probe", "word")
	wantAway(t, err, `path "secret/data/siegel/probe"`, "read")
}
