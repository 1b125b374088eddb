package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// mailRole is what docs/certificates.md tells administrators to set at the role.
func mailRole() map[string]any {
	return map[string]any{
		"allow_any_name": true, "enforce_hostnames": false, "cn_validations": "disabled", "server_flag": false, "client_flag": false,
		"email_protection_flag": true, "key_usage": []string{"DigitalSignature", "KeyEncipherment"}, "key_type": "any", "ttl": "8760h", "max_ttl": "17520h",
		"use_csr_common_name": false, "use_csr_sans": false,
	}
}

// withPKI mounts an authority with the role "mail".
func withPKI(t testing.TB, s *vaulttest.Server) {
	t.Helper()
	s.Mount(t, "pki", "pki")
	s.Write(t, "pki/root/generate/internal", map[string]any{"common_name": "Firma Mail CA", "ttl": "43800h", "key_type": "ec", "key_bits": 256})
	s.Write(t, "pki/config/urls", map[string]any{"crl_distribution_points": "http://crl.firma.example/mail.crl"})
	role := mailRole()
	role["key_type"] = "rsa"
	s.Write(t, "pki/roles/made", role)
	s.Write(t, "pki/roles/mail", mailRole())
}

// The vault issues certificates with a key of its own making, and for a key that lies in its transit engine or here; it
// revokes them, and its list says so.
func TestIssue(t *testing.T) {
	s := started(t, vaulttest.Options{})
	withPKI(t, s)
	s.Policy(t, "gateway", gatewayPolicy+`path "pki/issue/made" { capabilities = ["update"] }`)
	c := client(t, s, nil)
	made, err := c.Issuer("made").Issue(t.Context(), vault.Request{Address: "alice@firma.example", Name: "Alice", Lifetime: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	wantMail(t, made, "Alice")
	if made.Key == nil || made.Certificate.NotAfter.After(time.Now().Add(25*time.Hour)) || made.Certificate.CRLDistributionPoints[0] != "http://crl.firma.example/mail.crl" {
		t.Errorf("%+v", made)
	}
	inTransit, err := c.NewKey(t.Context(), "alice", "rsa-2048")
	if err != nil {
		t.Fatal(err)
	}
	here, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := c.Issuer("mail")
	for _, key := range []any{inTransit, here} {
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{EmailAddresses: []string{"mallory@firma.example"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := issuer.Issue(t.Context(), vault.Request{Address: "alice@firma.example", CSR: csr})
		if err != nil {
			t.Fatal(err)
		}
		wantMail(t, signed, "alice@firma.example")
		if signed.Key != nil {
			t.Error("a key came with the answer to a request")
		}
		wantRevoked(t, issuer, signed.Certificate)
	}
	if err := issuer.Revoke(t.Context(), big.NewInt(4711)); err == nil {
		t.Error("a certificate that nobody issued was revoked")
	}
	bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
}

func wantMail(t *testing.T, i vault.Issued, name string) {
	t.Helper()
	c := i.Certificate
	if c.Subject.CommonName != name || len(c.EmailAddresses) != 1 || c.EmailAddresses[0] != "alice@firma.example" || c.KeyUsage != both || len(i.Chain) != 0 {
		t.Errorf("%v %v %v, chain of %d", c.Subject, c.EmailAddresses, c.KeyUsage, len(i.Chain))
	}
}

func wantRevoked(t *testing.T, issuer *vault.Issuer, c *x509.Certificate) {
	t.Helper()
	if err := issuer.Revoke(t.Context(), c.SerialNumber); err != nil {
		t.Fatal(err)
	}
	if err := issuer.Revoke(t.Context(), c.SerialNumber); err != nil {
		t.Errorf("revoked twice: %v", err)
	}
	der, err := issuer.CRL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
			return
		}
	}
	t.Error("the list does not hold it")
}

// A role that makes other certificates than mail needs is told which of its parameters to set.
func TestRoles(t *testing.T) {
	s := started(t, vaulttest.Options{})
	withPKI(t, s)
	s.Policy(t, "gateway", `path "pki/*" { capabilities = ["update", "read"] }`)
	c := client(t, s, nil)
	for name, change := range map[string]map[string]any{
		"email_protection_flag=true": {"email_protection_flag": false, "client_flag": true}, "answers 400": {"allow_any_name": false},
	} {
		role := mailRole()
		role["key_type"] = "ec"
		for k, v := range change {
			role[k] = v
		}
		s.Write(t, "pki/roles/odd", role)
		_, err := c.Issuer("odd").Issue(t.Context(), vault.Request{Address: "alice@firma.example"})
		wantConfig(t, err, "pki/issue/odd", name)
	}
	_, err := c.Issuer("none").Issue(t.Context(), vault.Request{Address: "alice@firma.example"})
	wantConfig(t, err, "pki/issue/none")
	s.Policy(t, "gateway", `path "pki/cert/*" { capabilities = ["read"] }`)
	_, err = c.Issuer("mail").Issue(t.Context(), vault.Request{Address: "alice@firma.example"})
	wantAway(t, err, `path "pki/issue/mail" { capabilities = ["update"] }`)
}
