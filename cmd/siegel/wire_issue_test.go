package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// A real vault issues for a key that is made here, and revokes what it issued.
func TestVaultIssues(t *testing.T) {
	v := newVaultConfig(t)
	s := v.server
	s.Mount(t, "pki", "pki")
	s.Write(t, "pki/root/generate/internal", map[string]any{"common_name": "Firma Mail CA", "ttl": "43800h", "key_type": "ec", "key_bits": 256})
	s.Write(t, "pki/roles/mail", map[string]any{
		"allow_any_name": true, "enforce_hostnames": false, "cn_validations": "disabled", "server_flag": false, "client_flag": false,
		"email_protection_flag": true, "key_usage": []string{"DigitalSignature", "KeyEncipherment"}, "key_type": "any", "ttl": "8760h", "max_ttl": "17520h",
		"use_csr_common_name": false, "use_csr_sans": false,
	})
	s.Policy(t, "gateway", `path "secret/data/siegel/*" { capabilities = ["read"] }
		path "pki/sign/mail" { capabilities = ["update"] }
		path "pki/revoke" { capabilities = ["update"] }`)
	c := v.load(t)
	log, _ := newLines()
	set, err := newVaults(c, log, newVaultMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	issuer := issuerOf(configs.Issue{CA: configs.IssueVault, Vault: "main", Role: "mail"}, set)
	if issuer == nil {
		t.Fatal("there is no issuer")
	}
	key, err := enroll.NewKey(enroll.P256)
	if err != nil {
		t.Fatal(err)
	}
	got, err := issuer.Issue(t.Context(), enroll.Request{Address: "alice@firma.example", Purpose: certs.Any, Key: key})
	if err != nil || certs.Addresses(got.Certificate)[0] != "alice@firma.example" {
		t.Fatal(got, err)
	}
	if err := issuer.Revoke(t.Context(), got.Certificate, enroll.KeyCompromise); err != nil {
		t.Error(err)
	}
	var refused *enroll.RefusedError
	if _, err := issuer.Issue(t.Context(), enroll.Request{Address: "jörg@firma.example", Purpose: certs.Any, Key: key}); !errors.As(err, &refused) {
		t.Error(err)
	}
	for _, i := range []configs.Issue{{CA: configs.IssueBuiltIn}, {CA: configs.IssueVault, Vault: "other"}} {
		if issuerOf(i, set) != nil {
			t.Errorf("%+v has an issuer", i)
		}
	}
}

// The addresses of a list are one a line.
func TestReadAddresses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	for text, want := range map[string]string{
		"a@firma.example\n\n # none\nb@firma.example # Bob\r\n": "a@firma.example b@firma.example",
		"": "", strings.Repeat("x", 5000): "error",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := readAddresses(file)
		if got := strings.Join(all, " "); err == nil && got != want || err != nil && want != "error" {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
	}
}

// serving starts a gateway that issues, and returns what carries out commands on it.
func serving(t *testing.T) (dir string, do func(args ...string) (int, string)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "issue") // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := freeport.Address(t)
	text := strings.Replace(stateConfig, "trust: certificates}", "trust: certificates, issue: {ca: built-in, organization: Firma GmbH, country: DE, key: p-256, url: \"http://"+at+"\", listen: \""+at+"\"}}", 1)
	if _, _, err := writeState(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "siegel.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, problems := configs.Load(file, configs.Options{Environ: []string{}})
	if config == nil {
		t.Fatal(problems)
	}
	log, _ := newLines()
	o, err := options(config, log, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		g.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return dir, func(args ...string) (int, string) {
		var out bytes.Buffer
		args = append([]string{"certs"}, args...)
		code := run(append(args, "--socket", filepath.Join(dir, "run", "control.sock")), &out, &out)
		return code, out.String()
	}
}

// The commands as an administrator gives them, against a gateway that issues: the root goes offline and comes back for a new CA.
func TestCertsIssueCommands(t *testing.T) {
	dir, do := serving(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"list": "a@firma.example\nb@firma.example # Bob\n", "password": "a password that is long\n", "short": "short\n", "wrong": "another password, long\n"} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fingerprint := ""
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"ca", "show"}, 0, "There is no CA yet"},
		{[]string{"issue", "a@firma.example"}, 1, "there is no CA yet"},
		{[]string{"ca", "export"}, 1, "there is no CA yet"},
		{[]string{"ca", "init"}, 0, "Firma GmbH Mail Root CA"},
		{[]string{"ca", "init"}, 1, "there is a CA already"},
		{[]string{"issue"}, 2, "name the addresses"},
		{[]string{"issue", "--list", in("list"), "a@firma.example"}, 2, "name the addresses"},
		{[]string{"issue", "--list", in("list")}, 0, "2 issued, 0 had one, 0 failed"},
		{[]string{"issue", "--list", in("list")}, 0, "0 issued, 2 had one, 0 failed"},
		{[]string{"issue", "x@other.example"}, 1, "not issued: the issuing CA is not for its domain"},
		{[]string{"issue", "--directory", "none"}, 1, "no company directory"},
		{[]string{"renew", "a@firma.example"}, 0, "1 issued"},
		{[]string{"issue", "--json", "b@firma.example"}, 0, `"done": false`},
		{[]string{"ca", "export"}, 0, "BEGIN CERTIFICATE"},
		{[]string{"ca", "export", "--out", in("root.pem")}, 0, "Give it to partners"},
		{[]string{"ca", "export", "--offline"}, 2, "--with-key"},
		{[]string{"ca", "export", "--with-key", in("root.p12"), "--password-file", in("short")}, 1, "less than 12"},
		{[]string{"ca", "export", "--with-key", in("root.pem"), "--password-file", in("password")}, 1, "exists"},
		{[]string{"ca", "export", "--with-key", in("root.p12"), "--password-file", in("password"), "--offline"}, 0, "has forgotten the key"},
		{[]string{"ca", "show"}, 0, "offline"},
		{[]string{"ca", "renew"}, 1, "the key of the root is not here"},
		{[]string{"ca", "renew", "--root", in("root.p12"), "--password-file", in("wrong")}, 1, "password"},
		{[]string{"ca", "renew", "--root", in("root.p12"), "--password-file", in("password")}, 0, "issuing CA"},
		{[]string{"ca", "renew", "--list", "--root", in("root.p12"), "--password-file", in("password")}, 0, "counts until"},
		{[]string{"revoke", "12:34"}, 1, "this is no fingerprint"},
		{[]string{"revoke", strings.Repeat("ab", 32)}, 1, "no certificate with this fingerprint"},
		{[]string{"revoke", "FINGERPRINT", "--reason", "boredom"}, 2, "reason"},
		{[]string{"revoke", "FINGERPRINT", "--reason", "cessationOfOperation"}, 0, "is revoked"},
		{[]string{"issue", "b@firma.example"}, 0, "1 issued"},
	} {
		for i, a := range c.args {
			if a == "FINGERPRINT" {
				c.args[i] = fingerprint
			}
		}
		code, out := do(c.args...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%q: %d, want %d with %q:\n%s", c.args, code, c.code, c.want, out)
		}
		if _, after, ok := strings.Cut(out, `"fingerprint": "`); ok {
			fingerprint, _, _ = strings.Cut(after, `"`)
		}
		if strings.Contains(out, "that is long") {
			t.Errorf("%q: the password is shown", c.args)
		}
	}
}
