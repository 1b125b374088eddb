package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/vault"
)

// do carries out siegel certs on the running gateway.
func (v *vaultConfig) do(args ...string) (int, string) {
	var out bytes.Buffer
	args = append([]string{"certs"}, args...)
	code := run(append(args, "--socket", filepath.Join(filepath.Dir(v.file), "run", "control.sock")), &out, &out)
	return code, out.String()
}

// file writes a file beside the configuration.
func (v *vaultConfig) put(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(v.file), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// left waits for the next message that leaves, and has openssl verify it by a root; it returns what openssl says of the signer's certificate.
func (v *vaultConfig) left(t *testing.T, s *sink, root string) string {
	t.Helper()
	var message string
	eventually(t, "a message leaves", func() error {
		select {
		case message = <-s.got:
			return nil
		default:
			return errors.New("nothing came")
		}
	})
	in, signer := v.put(t, "message.eml", []byte(message)), filepath.Join(t.TempDir(), "signer.pem")
	out, err := exec.Command("openssl", "cms", "-verify", "-in", in, "-CAfile", root, "-purpose", "smimesign", "-signer", signer).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "planted body") {
		t.Fatalf("openssl: %v\n%s\n%s", err, out, message)
	}
	text, err := exec.Command("openssl", "x509", "-in", signer, "-noout", "-issuer", "-email", "-serial").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(text))
	}
	return string(text)
}

// An administrator imports a certificate whose key lies in a vault; mail signed by it is right for OpenSSL. A key that is not there, or not that of the
// certificate, is refused.
func TestImportKeyInVault(t *testing.T) {
	v := newVaultConfig(t)
	s := v.mailing(t)
	v.transitKey(t)
	c, set, m := v.vaults(t)
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := set.Clients()[0].Newest(t.Context(), vault.KeyReference{Vault: "main", Key: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(o democa.Options) []byte {
		id, err := ca.Issue("alice@firma.example", o)
		if err != nil {
			t.Fatal(err)
		}
		return democa.CertificatePEM(id.Certificate)
	}
	alice, other := v.put(t, "alice.pem", issue(democa.Options{Key: key})), v.put(t, "other.pem", issue(democa.Options{}))
	root := v.put(t, "root.pem", democa.CertificatePEM(ca.Certificate()))
	v.serve(t, c, set, m)
	for _, k := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", "--trust", root}, 0, "anchor"},
		{[]string{"import", "--key", "vault:main:absent", alice}, 1, "nothing was imported"},
		{[]string{"import", "--key", "vault:other:alice", alice}, 1, "nothing was imported: the configuration has no vault:other"},
		{[]string{"import", "--key", "vault:main:alice", other}, 1, "nothing was imported: vault main: the key alice is not that of the certificate"},
		{[]string{"find", "alice@firma.example"}, 1, "signs with: none"},
		{[]string{"import", "--key", "vault:main:alice", alice}, 0, "alice@firma.example"},
		{[]string{"find", "alice@firma.example"}, 0, "key vault:main:alice,"},
		{[]string{"import", "--key", "vault:main:alice:2", alice}, 1, "nothing was imported"},
		{[]string{"import", "--key", "vault:main:alice:1", alice}, 0, "1 key new"}, // from now on it lies there
		{[]string{"find", "alice@firma.example"}, 0, "key vault:main:alice:1,"},
	} {
		code, out := v.do(k.args...)
		t.Logf("%v: %d %s", k.args, code, out)
		if code != k.code || !strings.Contains(out, k.want) {
			t.Errorf("%v: %d, want %d and %q:\n%s", k.args, code, k.code, k.want, out)
		}
	}
	sendAs(t, v.door)
	if said := v.left(t, s, root); !strings.Contains(said, "alice@firma.example") {
		t.Error(said)
	}
}

// The first message of somebody who has no certificate is signed by one that the PKI engine of a vault issues meanwhile; the next one by the same.
func TestFirstMailByVaultPKI(t *testing.T) {
	v := newVaultConfig(t)
	s := v.mailing(t)
	v.server.Mount(t, "pki", "pki")
	made := v.server.Write(t, "pki/root/generate/internal", map[string]any{"common_name": "Firma Mail CA", "ttl": "43800h", "key_type": "rsa", "key_bits": 2048})
	v.server.Write(t, "pki/roles/mail", map[string]any{
		"allow_any_name": true, "enforce_hostnames": false, "cn_validations": "disabled", "server_flag": false, "client_flag": false,
		"email_protection_flag": true, "key_usage": []string{"DigitalSignature", "KeyEncipherment"}, "key_type": "any", "ttl": "8760h", "max_ttl": "17520h",
		"use_csr_common_name": false, "use_csr_sans": false,
	})
	v.server.Policy(t, "gateway", `path "secret/data/siegel/*" { capabilities = ["read"] } path "auth/token/lookup-self" { capabilities = ["read"] }
		path "pki/sign/mail" { capabilities = ["update"] } path "pki/revoke" { capabilities = ["update"] }`)
	v.change(t, "trust: certificates}", "trust: certificates, issue: {ca: vault, vault: main, role: mail, key: rsa-2048, lifetime: 300d}}")
	authority := made["certificate"].(string)
	root := v.put(t, "root.pem", []byte(authority))
	if block, _ := pem.Decode([]byte(authority)); block == nil {
		t.Fatal(authority)
	}
	c, set, m := v.vaults(t)
	v.serve(t, c, set, m)
	if code, out := v.do("import", "--trust", root); code != 0 {
		t.Fatal(out)
	}
	sendAs(t, v.door)
	first := v.left(t, s, root)
	if !strings.Contains(first, "Firma Mail CA") || !strings.Contains(first, "alice@firma.example") {
		t.Error(first)
	}
	v.server.SetSealed(t, true) // the key is the gateway's own
	sendAs(t, v.door)
	if second := v.left(t, s, root); second != first {
		t.Errorf("%s, and before %s", second, first)
	}
	v.server.SetSealed(t, false)
	if code, out := v.do("list", "--source", "issued"); code != 0 || !strings.Contains(out, "alice@firma.example") {
		t.Error(code, out)
	}
}
