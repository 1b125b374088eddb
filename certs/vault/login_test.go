package vault_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
	"github.com/siegel-mail/siegel/internal/secret"
)

func appRole(role, id string) vault.Login {
	return vault.Login{RoleID: secret.New(role), SecretID: secret.New(id)}
}

func token(id string) vault.Login { return vault.Login{Token: secret.New(id)} }

// probe is a secret that each login reads.
func probe(t testing.TB, s *vaulttest.Server) {
	t.Helper()
	s.Write(t, "secret/data/siegel/probe", map[string]any{"data": map[string]any{"word": "there"}})
}

func readProbe(ctx context.Context, c *vault.Client) error {
	text, err := c.Secret(ctx, "siegel/probe", "word")
	if err == nil && text.Reveal() != "there" {
		err = errors.New("something else")
	}
	return err
}

// running runs a client beside a test.
func running(t testing.TB, c *vault.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// Each way to log in opens what its policy allows.
func TestLogins(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	if err := s.Root().Sys().EnableAuthWithOptions("cert", &api.EnableAuthOptions{Type: "cert"}); err != nil {
		t.Fatal(err)
	}
	pair, text := clientCertificate(t)
	s.Write(t, "auth/cert/certs/siegel", map[string]any{"certificate": text, "token_policies": "gateway", "allowed_common_names": "siegel"})
	role, id := s.AppRole(t, "gateway", "gateway", nil)
	for name, login := range map[string]vault.Login{
		"token":   token(s.NewToken(t, "gateway", map[string]any{"ttl": "1h"})),
		"approle": appRole(role, id), "certificate": {Certificate: true}, "certificate with a role": {Certificate: true, Role: "siegel"},
	} {
		c := client(t, s, func(o *vault.Options) { o.Login, o.Certificate = login, &pair })
		if err := readProbe(t.Context(), c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := client(t, s, func(o *vault.Options) { o.Login, o.Certificate = vault.Login{Certificate: true, Role: "other"}, &pair })
	wantAway(t, readProbe(t.Context(), c), "the login at auth/cert/login is refused", "client certificate's authority")
	c = client(t, s, func(o *vault.Options) { o.Login = appRole(role, "planted-secret-id") })
	err := readProbe(t.Context(), c)
	wantAway(t, err, "the login at auth/approle/login is refused", "Make a new secret id")
	if strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), role) {
		t.Error("a secret is in the error: ", err)
	}
	c = client(t, s, func(o *vault.Options) { o.Login = token("planted-token") })
	err = readProbe(t.Context(), c)
	wantAway(t, err, "the token is not accepted")
	if strings.Contains(err.Error(), "planted") {
		t.Error("a secret is in the error: ", err)
	}
	if c.Check() == nil {
		t.Error("the state does not tell of a login that is refused")
	}
}

func clientCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "siegel"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// A token that was revoked or has ended is followed by a new login, in the middle of the traffic.
func TestLoginAnew(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	role, id := s.AppRole(t, "gateway", "gateway", nil)
	c := client(t, s, func(o *vault.Options) { o.Login = appRole(role, id) })
	if err := readProbe(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.Write(t, "sys/leases/revoke-prefix/auth/approle/login", nil)
	if err := readProbe(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// Run renews a token as long as it may be, and logs in anew when it may not any more.
func TestRenewal(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	role, id := s.AppRole(t, "short", "gateway", map[string]any{"token_ttl": "2s", "token_max_ttl": "4s"})
	logins, renewals := make(chan string, 1000), make(chan string, 1000)
	c := client(t, s, func(o *vault.Options) {
		o.Login = appRole(role, id)
		o.Observe = func(operation, outcome string, _ time.Duration) {
			switch {
			case operation == "login" && outcome == "ok":
				logins <- outcome
			case operation == "renew" && outcome == "ok":
				renewals <- outcome
			}
		}
	})
	running(t, c)
	<-logins
	<-renewals
	<-logins
	<-renewals
	if err := readProbe(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// A token of the configuration is renewed; one that cannot be is spoken of before it ends, and after.
func TestTokenEnds(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	now, forward := clock()
	outcomes := make(map[string]int)
	observed := func(login map[string]any) *vault.Client {
		return client(t, s, func(o *vault.Options) {
			o.Login, o.Now = token(s.NewToken(t, "gateway", login)), now
			o.Observe = func(operation, outcome string, _ time.Duration) { outcomes[operation+" "+outcome]++ }
		})
	}
	// Time passes by the client's clock alone, so that the server's hour lasts on a slow machine too.
	c := observed(map[string]any{"period": "1h"})
	pause := func(want time.Duration) {
		t.Helper()
		if got := c.Pause(); got != want {
			t.Errorf("a pause of %s, not %s", got, want)
		}
	}
	c.Look(t.Context())
	pause(15 * time.Second)
	for i := range 3 {
		switch i {
		case 0:
			forward(40 * time.Minute)
			pause(15 * time.Second) // overdue, but twenty minutes are left
		case 1: // the machine stood still for long
			forward(60*time.Minute - 10*time.Second)
			pause(time.Second)
		default:
			forward(40*time.Minute - 10*time.Second)
			pause(10 * time.Second)
			forward(10 * time.Second)
		}
		c.Look(t.Context())
		if outcomes["renew ok"] != i+1 {
			t.Fatal(outcomes)
		}
		pause(15 * time.Second)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	clear(outcomes)
	c = observed(map[string]any{"ttl": "1h", "renewable": false})
	for i := range 3 {
		c.Look(t.Context())
		if outcomes["lookup ok"] != i+1 || len(outcomes) != 1 {
			t.Fatal(outcomes)
		}
		pause(15 * time.Second)
		forward(25 * time.Minute)
	}
	logger, out := newLog()
	c = client(t, s, func(o *vault.Options) {
		o.Login, o.Log, o.Now = token(s.NewToken(t, "gateway", map[string]any{"ttl": "1h", "renewable": false})), logger, now
	})
	running(t, c)
	eventually(t, "the log tells", func() error {
		if !strings.Contains(out.String(), "the login at the vault ends") {
			return errors.New(out.String())
		}
		return nil
	})
	err := c.Check()
	wantConfig(t, err, "cannot be renewed", "AppRole")
	if strings.Count(out.String(), "the login at the vault ends") != 1 {
		t.Error(out)
	}
}

// Over a restart of the server the client goes on, with a token that the server still knows or a new one; and tells once
// that it was away.
func TestRestart(t *testing.T) {
	s := started(t, vaulttest.Options{Keep: true})
	probe(t, s)
	logger, out := newLog()
	role, id := s.AppRole(t, "gateway", "gateway", nil)
	c := client(t, s, func(o *vault.Options) { o.Login, o.Log = appRole(role, id), logger })
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	key := bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
	s.Stop()
	for range 3 {
		_, _, err := sign(key, "text", crypto.SHA256)
		wantAway(t, err, "127.0.0.1")
	}
	s.Restart(t, false)
	eventually(t, "the vault is seen to be sealed", func() error {
		_, _, err := sign(key, "text", crypto.SHA256)
		if err == nil || !strings.Contains(err.Error(), "sealed") {
			return errors.New("not sealed")
		}
		return nil
	})
	s.SetSealed(t, false)
	s.Write(t, "sys/leases/revoke-prefix/auth/approle/login", nil)
	eventually(t, "the vault is used again", func() error {
		_, _, err := sign(key, "text", crypto.SHA256)
		return err
	})
	text := out.String()
	if strings.Count(text, "the vault does not serve") != 2 || strings.Count(text, "the vault answers again") != 1 {
		t.Error(text)
	}
	for _, secret := range []string{role, id} {
		if strings.Contains(text, secret) {
			t.Error("a secret is in the log")
		}
	}
}
