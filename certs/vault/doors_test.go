package vault_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
)

// Who logs in anew before the login ends takes the one that there is from nobody meanwhile.
func TestLoginBesideRequests(t *testing.T) {
	var logins atomic.Int32
	entered, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Vault-Token")
		switch {
		case r.URL.Path == "/v1/auth/approle/login":
			n := logins.Add(1)
			if n == 2 {
				close(entered)
				<-release
			}
			if token != "" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			fmt.Fprintf(w, `{"auth": {"client_token": "token-%d", "lease_duration": 3600, "renewable": false}}`, n)
		case token == "":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"errors": ["permission denied"]}`)
		default:
			fmt.Fprintf(w, `{"data": {"data": {"field": %q}}}`, token)
		}
	}))
	t.Cleanup(s.Close)
	now, forward := clock()
	c, err := vault.New(vault.Options{
		Name: "main", Addresses: []string{s.URL}, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Login: appRole("role", "id"), Log: quiet(), Timeout: time.Minute, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	forward(50 * time.Minute)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Look(t.Context())
	}()
	<-entered
	if got, err := c.Secret(t.Context(), "x", "field"); err != nil || got.Reveal() != "token-1" || logins.Load() != 2 {
		t.Errorf("%s, %v, after %d logins", got.Reveal(), err, logins.Load())
	}
	close(release)
	<-done
	if got, err := c.Secret(t.Context(), "x", "field"); err != nil || got.Reveal() != "token-2" {
		t.Errorf("%s, %v", got.Reveal(), err)
	}
}
