package vault_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/certs/vault/vaulttest"
)

// Hundreds of signatures at once go over a handful of connections, which are kept.
func TestConnections(t *testing.T) {
	for protocol, o := range map[string]vaulttest.Options{"HTTP/2": {}, "HTTP/1.1": {HTTP1: true}} {
		t.Run(protocol, func(t *testing.T) {
			s := started(t, o)
			p := s.NewProxy(t)
			c := client(t, s, func(o *vault.Options) { o.Addresses, o.Connections = []string{p.Address}, 8 })
			if _, err := c.NewKey(t.Context(), "alice", "ecdsa-p256"); err != nil {
				t.Fatal(err)
			}
			key := bound(t, c, "main:alice", certificate(t, c, "main:alice", both))
			var all sync.WaitGroup
			for range 500 {
				all.Go(func() {
					if _, _, err := sign(key, "text", crypto.SHA256); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			opened, most := p.Opened()
			if opened > 8 || most > 8 {
				t.Errorf("%d connections were opened, %d at once", opened, most)
			}
			t.Logf("500 signatures over %d connections", opened)
		})
	}
}

// A vault that takes connections and says nothing is given up in time, and the many who need it do not wait for it one
// after the other.
func TestHanging(t *testing.T) {
	s := started(t, vaulttest.Options{})
	p := s.NewProxy(t)
	c := client(t, s, func(o *vault.Options) { o.Addresses = []string{p.Address} })
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	alice := certificate(t, c, "main:alice", both)
	asked := make(chan string, 1000)
	now, clock := clock()
	short := client(t, s, func(o *vault.Options) {
		o.Addresses, o.Timeout, o.Now = []string{p.Address}, 2*time.Second, now
		o.Observe = func(operation, outcome string, _ time.Duration) { asked <- operation + " " + outcome }
	})
	var key crypto.Signer
	eventually(t, "the key is bound", func() (err error) {
		key, err = keyOf(t.Context(), short, "main:alice", alice)
		clock(time.Minute)
		return err
	})
	p.Hang()
	for len(asked) > 0 {
		<-asked
	}
	_, _, err := sign(key, "text", crypto.SHA256)
	wantAway(t, err, "does not answer in time")
	n := len(asked)
	for range 50 {
		_, _, err := sign(key, "text", crypto.SHA256)
		wantAway(t, err)
	}
	if len(asked) != n {
		t.Errorf("a vault that does not answer was asked %d times more", len(asked)-n)
	}
	p.Pass()
	eventually(t, "the vault is used again", func() error {
		clock(10 * time.Second)
		_, _, err := sign(key, "text", crypto.SHA256)
		return err
	})
}

// clock gives a time that only the test moves.
func clock() (now func() time.Time, forward func(time.Duration)) {
	var mu sync.Mutex
	at := time.Now()
	return func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return at
		}, func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			at = at.Add(d)
		}
}

// Who asks and gives up is told so, and the vault does not count as away for it.
func TestGivenUp(t *testing.T) {
	s := started(t, vaulttest.Options{})
	p := s.NewProxy(t)
	c := client(t, s, func(o *vault.Options) { o.Addresses = []string{p.Address} })
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	alice := certificate(t, c, "main:alice", both)
	bound(t, c, "main:alice", alice)
	p.Hang()
	ctx, cancel := context.WithCancelCause(t.Context())
	key, err := keyOf(ctx, c, "main:alice", alice)
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("nobody waits any more")
	done := make(chan error)
	go func() {
		_, _, err := sign(key, "text", crypto.SHA256)
		done <- err
	}()
	cancel(why)
	err = <-done
	wantAway(t, err)
	if !errors.Is(err, why) {
		t.Error(err)
	}
	if err := c.Check(); err != nil {
		t.Error("counts as away: ", err)
	}
}

// Of several nodes the one that answers is used, and used first from then on.
func TestNodes(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	dead, live := s.NewProxy(t), s.NewProxy(t)
	dead.Cut()
	c := client(t, s, func(o *vault.Options) { o.Addresses = []string{dead.Address, live.Address} })
	for range 5 {
		if err := readProbe(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if opened, _ := dead.Opened(); opened == 0 || opened > 4 { // a connection that is cut may be tried again at once
		t.Errorf("the node that is down was asked %d times", opened)
	}
	dead.Pass()
	live.Cut()
	if err := readProbe(t.Context(), c); err != nil {
		t.Error(err)
	}
	dead.Cut()
	err := readProbe(t.Context(), c)
	wantAway(t, err, strings.TrimPrefix(dead.Address, "https://"), strings.TrimPrefix(live.Address, "https://"))
}

// Sealed in the middle of the traffic: what signs waits, nothing is taken for another kind of trouble, and afterwards all
// goes on.
func TestSealed(t *testing.T) {
	s := started(t, vaulttest.Options{})
	logger, out := newLog()
	c := client(t, s, func(o *vault.Options) { o.Log = logger })
	if _, err := c.NewKey(t.Context(), "alice", "rsa-2048"); err != nil {
		t.Fatal(err)
	}
	alice := certificate(t, c, "main:alice", both)
	key := bound(t, c, "main:alice", alice)
	s.SetSealed(t, true)
	_, _, err := sign(key, "text", crypto.SHA256)
	wantAway(t, err, "sealed", "unseal")
	_, err = key.(crypto.Decrypter).Decrypt(nil, make([]byte, 256), oaep())
	wantAway(t, err, "sealed")
	if _, err = c.Secret(t.Context(), "siegel/probe", "word"); err == nil {
		t.Fatal("a secret out of a sealed vault")
	}
	wantAway(t, c.Check(), "sealed")
	other := client(t, s, func(o *vault.Options) { o.Login = token("s.any") })
	_, err = keyOf(t.Context(), other, "main:alice", alice)
	wantAway(t, err, "sealed")
	s.SetSealed(t, false)
	eventually(t, "the vault is used again", func() error {
		_, _, err := sign(key, "text", crypto.SHA256)
		return err
	})
	if text := out.String(); strings.Count(text, "the vault does not serve") != 1 || strings.Count(text, "answers again") != 1 {
		t.Error(text)
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

// Options that cannot be meant.
func TestOptions(t *testing.T) {
	good := vault.Options{Name: "main", Addresses: []string{"https://vault.firma.example:8200"}, Login: token("x"), Log: quiet()}
	if _, err := vault.New(good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*vault.Options){
		"no address":     func(o *vault.Options) { o.Addresses = nil },
		"unencrypted":    func(o *vault.Options) { o.Addresses = []string{"http://vault.firma.example:8200"} },
		"a path":         func(o *vault.Options) { o.Addresses = []string{"https://vault.firma.example/v1"} },
		"a password":     func(o *vault.Options) { o.Addresses = []string{"https://planted:planted@vault.firma.example"} },
		"no login":       func(o *vault.Options) { o.Login = vault.Login{} },
		"two logins":     func(o *vault.Options) { o.Login = vault.Login{Token: o.Login.Token, Certificate: true} },
		"no certificate": func(o *vault.Options) { o.Login = vault.Login{Certificate: true} },
	} {
		o := good
		change(&o)
		if _, err := vault.New(o); err == nil || strings.Contains(fmt.Sprint(err), "planted") {
			t.Error(what, err)
		}
	}
	agent := good
	agent.Addresses = []string{"http://127.0.0.1:8100", "http://[::1]:8100/"}
	if _, err := vault.New(agent); err != nil {
		t.Error(err)
	}
}

// The environment of the process, which the library reads, changes nothing.
func TestEnvironment(t *testing.T) {
	s := started(t, vaulttest.Options{})
	probe(t, s)
	role, id := s.AppRole(t, "gateway", "gateway", nil)
	for name, value := range map[string]string{
		"VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": "planted", "VAULT_NAMESPACE": "elsewhere", "VAULT_SKIP_VERIFY": "true", "VAULT_WRAP_TTL": "60s",
		"VAULT_HEADERS": `{"X-Planted": "1"}`, "VAULT_AGENT_ADDR": "https://127.0.0.1:2", "VAULT_RATE_LIMIT": "0", "VAULT_HTTP_PROXY": "http://127.0.0.1:3",
	} {
		t.Setenv(name, value)
	}
	own := client(t, s, func(o *vault.Options) { o.Login = appRole(role, id) })
	if err := readProbe(t.Context(), own); err != nil {
		t.Error(err)
	}
	stranger := client(t, s, func(o *vault.Options) { o.Roots, o.Login = nil, appRole(role, id) })
	wantAway(t, readProbe(t.Context(), stranger), "certificate")
}
