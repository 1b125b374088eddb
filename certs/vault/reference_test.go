package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/vault"
)

func TestKeyReference(t *testing.T) {
	for text, want := range map[string]vault.KeyReference{
		"main:alice": {Vault: "main", Key: "alice"}, "vault:main:alice": {Vault: "main", Key: "alice"}, "main:alice:7": {Vault: "main", Key: "alice", Version: 7},
		"vault:vault:alice":     {Vault: "vault", Key: "alice"},
		"m:alice@firma.example": {Vault: "m", Key: "alice@firma.example"},
	} {
		if got, err := vault.ParseKeyReference(text); err != nil || got != want || got.String() != "vault:"+strings.TrimPrefix(text, "vault:") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "alice", "main:", ":alice", "main:alice:0", "main:alice:-1", "main:alice:x", "main:alice:1:2", "main:a/b", "main:..", "main:a b", "main:a%2f", "main:alice:99999999999"} {
		if got, err := vault.ParseKeyReference(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestSecretReference(t *testing.T) {
	want := vault.SecretReference{Vault: "main", Path: "siegel/at-rest", Field: "key"}
	if got, err := vault.ParseSecretReference("main:siegel/at-rest#key"); err != nil || got != want || got.String() != "main:siegel/at-rest#key" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "planted", "main:planted", "main:#planted", "main:planted#", "planted#x", "main:/planted#x", "main:planted/#x", "main:a/../planted#x", "main:a//planted#x", "main:planted?x#y", "main:planted#x#y", "ma in:planted#x"} {
		got, err := vault.ParseSecretReference(text)
		if err == nil {
			t.Errorf("%q: %+v", text, got)
		} else if strings.Contains(err.Error(), "planted") {
			t.Errorf("what may be a secret is in the error: %v", err)
		}
	}
}

// FuzzReferences holds that what is read is written back, and stays within the engine it is for.
func FuzzReferences(f *testing.F) {
	for _, seed := range []string{"main:alice", "vault:main:alice:3", "main:siegel/at-rest#key", "main:..:1", "main:a/../b#c", ":#", "m:a%2e#b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := vault.ParseKeyReference(s); err == nil {
			again, err := vault.ParseKeyReference(r.String())
			if err != nil || again != r || strings.ContainsAny(r.Key, "/?#%") || strings.Trim(r.Key, ".") == "" {
				t.Errorf("%q: %+v, %+v, %v", s, r, again, err)
			}
		}
		if r, err := vault.ParseSecretReference(s); err == nil {
			again, err := vault.ParseSecretReference(r.String())
			if err != nil || again != r || strings.Contains("/"+r.Path+"/", "/../") || strings.Contains(r.Path, "//") || strings.ContainsAny(r.Path, "?#%") {
				t.Errorf("%q: %+v, %+v, %v", s, r, again, err)
			}
		}
	})
}

func ExampleParseKeyReference() {
	r, _ := vault.ParseKeyReference("vault:main:alice:2")
	fmt.Println(r.Vault, r.Key, r.Version)
	// Output: main alice 2
}
