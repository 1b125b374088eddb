package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// A key in a vault shows the company to the provider; while the vault is sealed, nobody tries to log in.
func TestDeMailCheckVault(t *testing.T) {
	v := newVaultConfig(t)
	v.server.Mount(t, "transit", "transit")
	v.server.Policy(t, "gateway", `path "secret/data/siegel/*" { capabilities = ["read"] }
path "transit/*" { capabilities = ["create", "read", "update"] }`)
	v.server.Write(t, "transit/keys/de-mail", map[string]any{"type": "rsa-2048"})
	_, set, _ := v.vaults(t)
	client, err := set.Client("main")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := client.Newest(t.Context(), vault.KeyReference{Vault: "main", Key: "de-mail"})
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "gateway of firma"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * 100 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, true, certificate)
	file := filepath.Join(w.dir, "vaulted.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	section := strings.Replace(w.section("t-systems", true), fmt.Sprintf("client_certificate: keys/%s, client_key: keys/%s", rehearsal.CertificateFile(w.company.Name), rehearsal.KeyFile(w.company.Name)),
		fmt.Sprintf("client_certificate: %s, client_key: \"vault:main:de-mail\"", file), 1)
	text, err := os.ReadFile(v.file)
	if err != nil {
		t.Fatal(err)
	}
	v.write(t, string(text)+strings.ReplaceAll(section, "keys/", filepath.Join(w.dir, "keys")+"/"))
	code, verdicts, stdout, stderr := deMailCheck(t, v.file)
	if code != exitDone || !allGood(verdicts, stepKey, stepTLS, stepShown, stepLogin, stepDomains) || !strings.Contains(stdout, "vault:main:de-mail; CN=gateway of firma") {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
	v.change(t, `{vault: "main:siegel/at-rest#key"}`, "{file: at-rest.key}") // what is needed before anything else
	v.server.SetSealed(t, true)
	code, verdicts, stdout, stderr = deMailCheck(t, v.file)
	if code != exitFailed || verdicts[stepKey] != stepBad || verdicts[stepTCP] != stepGood || verdicts[stepLogin] != stepNotDone || !strings.Contains(stdout, "unsealed") {
		t.Errorf("sealed: %d\n%s%s", code, stdout, stderr)
	}
}

// Of a provider that is reached as a mailbox both servers are tried, each with its own lines.
func TestDeMailCheckMailbox(t *testing.T) {
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, false)
	ca := tlstest.NewCA(t, tlstest.P256)
	pair, client := ca.Issue(tlstest.RSA2048, nil, "127.0.0.1"), ca.Issue(tlstest.RSA2048, nil, "gw")
	server := func() string { return strangeServer(t, pair.Certificate) }
	for name, c := range map[string]struct {
		submission, imap string
		want             map[string]string
	}{
		"strange servers": {server(), server(), map[string]string{stepTCP + " submission": stepGood, stepTCP + " imap": stepGood, stepTLS + " submission": stepGood, stepTLS + " imap": stepGood,
			stepLogin: stepBad, stepDomains: stepNotDone}},
		"no IMAP": {server(), freeport.Address(t), map[string]string{stepTLS + " submission": stepGood, stepTCP + " imap": stepBad, stepTLS + " imap": stepNotDone, stepLogin: stepNotDone}},
	} {
		t.Run(name, func(t *testing.T) {
			w.write(t, fmt.Sprintf(`
demail:
  accounts:
    - name: main
      connector: mailbox
      mailbox: {submission: %q, imap: %q}
      domains: [firma.de-mail.de]
      tls: {profile: modern, ca: %s, client_certificate: %s, client_key: %s}
  senders: [{address: a@firma.de-mail.de}]
`, c.submission, c.imap, ca.File, client.CertFile, client.KeyFile))
			code, verdicts, stdout, stderr := deMailCheck(t, w.file)
			if code != exitFailed {
				t.Errorf("%d\n%s%s", code, stdout, stderr)
			}
			for step, want := range c.want {
				if verdicts[step] != want {
					t.Errorf("%s is %q, want %q:\n%s", step, verdicts[step], want, stdout)
				}
			}
		})
	}
}

// strangeServer speaks TLS, wants a certificate, and then something that is no protocol.
func strangeServer(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "BAD, whatever it is\r\n")
			c.Close()
		}
	}()
	return l.Addr().String()
}
