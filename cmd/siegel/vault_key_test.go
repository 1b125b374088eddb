package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// sink is a simulated next hop that keeps what it gets.
type sink struct{ got chan string }

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return s, nil }
func (s *sink) Mail(string, *smtp.MailOptions) error        { return nil }
func (s *sink) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (s *sink) Reset()                                      {}
func (s *sink) Logout() error                               { return nil }
func (s *sink) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.got <- string(text)
	return err
}

func newSink(t *testing.T) (*sink, string) {
	t.Helper()
	s := &sink{got: make(chan string, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := smtp.NewServer(s), make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return s, l.Addr().String()
}

// keep puts a certificate into the gateway's store whose key lies in the vault, and trusts its authority.
func (v *vaultConfig) keep(t *testing.T, state string, certificate, authority *x509.Certificate) {
	t.Helper()
	key, err := atrest.ParseKey(v.key)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLines()
	s, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(state, "certs"), Key: key, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []store.Addition{
		{Source: "import", Trust: store.Anchor, Certificates: []*x509.Certificate{authority}},
		{Source: "vault main", Trust: store.ByPath, Certificates: []*x509.Certificate{certificate}, References: []store.Reference{{Public: certificate.PublicKey, Key: "vault:main:alice"}}},
	} {
		if _, err := s.Add(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// sendAs hands a message of alice's to the gateway.
func sendAs(t *testing.T, address string) {
	t.Helper()
	const message = "From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: x\r\n\r\nplanted body\r\n"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := smtpclient.Dial(ctx, address, smtpclient.Options{Hello: "exchange.firma.example", TLS: smtpclient.TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Send(ctx, smtpclient.Message{
		From: "alice@firma.example", Recipients: []smtpclient.Recipient{{Address: "bob@partner.example"}}, Body: strings.NewReader(message), Size: int64(len(message)),
	})
	if err != nil || r.Recipients[0].Code != 250 {
		t.Fatal(r, err)
	}
}

// vaults are those of the configuration, with its secrets read.
func (v *vaultConfig) vaults(t *testing.T) (*configs.Config, *vault.Set, *vaultMetrics) {
	t.Helper()
	c, m := v.load(t), newVaultMetrics()
	log, _ := newLines()
	set, err := newVaults(c, log, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := awaitSecrets(t.Context(), c, set, log, m); err != nil {
		t.Fatal(err)
	}
	return c, set, m
}

// serve runs the gateway until the test ends.
func (v *vaultConfig) serve(t *testing.T, c *configs.Config, set *vault.Set, m *vaultMetrics) {
	t.Helper()
	log, said := newLines()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said)
		}
	})
	o, err := options(c, log, set, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	withVaults(&o.Settings, set, m)
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// mailing lets the gateway take mail, and send what it signed to a next hop.
func (v *vaultConfig) mailing(t *testing.T) *sink {
	t.Helper()
	s, hop := newSink(t)
	_, port, _ := net.SplitHostPort(hop)
	v.change(t, "networks: [10.0.0.0/24]", "networks: [127.0.0.1]")
	v.change(t, "host: relay.example", "host: 127.0.0.1, tls: none, port: "+port)
	v.change(t, "routes:\n", "policy: {rules: [{name: all, sign: require, encrypt: never}]}\nroutes:\n")
	return s
}

// transitKey makes a key of alice's in the vault, which the gateway may use.
func (v *vaultConfig) transitKey(t *testing.T) {
	t.Helper()
	v.server.Mount(t, "transit", "transit")
	v.server.Write(t, "transit/keys/alice", map[string]any{"type": "rsa-2048"})
	v.server.Policy(t, "gateway", `path "secret/data/siegel/*" { capabilities = ["read"] } path "auth/token/lookup-self" { capabilities = ["read"] }
path "transit/keys/alice" { capabilities = ["read"] } path "transit/sign/alice" { capabilities = ["update"] } path "transit/decrypt/alice" { capabilities = ["update"] }`)
}

// A certificate of the store whose key lies in a vault signs; while the vault is sealed what has to be signed waits, and leaves
// signed afterwards. The at-rest key and everything else come from the same vault, by one configuration.
func TestKeyInVault(t *testing.T) {
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
	alice, err := ca.Issue("alice@firma.example", democa.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	v.keep(t, c.State.String(), alice.Certificate, ca.Certificate())
	v.serve(t, c, set, m)
	sendAs(t, v.door)
	wantSigned(t, s)
	v.server.SetSealed(t, true)
	for range 3 {
		sendAs(t, v.door)
	}
	eventually(t, "the vault is seen to be sealed", func() error {
		if code, text := get(v.http, "/readyz"); code != 200 || !strings.Contains(text, "warning: vault main") || !strings.Contains(text, "warning: protection") {
			return fmt.Errorf("%d %s", code, text)
		}
		return nil
	})
	if len(s.got) > 0 {
		t.Fatal("something left while the vault was sealed")
	}
	v.server.SetSealed(t, false)
	for range 3 {
		wantSigned(t, s)
	}
}

func wantSigned(t *testing.T, s *sink) {
	t.Helper()
	eventually(t, "a message leaves", func() error {
		select {
		case got := <-s.got:
			if !strings.Contains(got, "multipart/signed") || !strings.Contains(got, "smime.p7s") {
				t.Errorf("not signed:\n%s", got)
			}
			return nil
		default:
			return errors.New("nothing came")
		}
	})
}
