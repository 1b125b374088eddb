package vault_test

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/vault"
)

func oaep() *rsa.OAEPOptions { return &rsa.OAEPOptions{Hash: crypto.SHA256} }

// broken is a server that answers as no healthy vault does; the real one cannot be brought to it.
func broken(t *testing.T, answer http.HandlerFunc) (*vault.Client, *log) {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/token/lookup-self" {
			fmt.Fprint(w, `{"data": {"ttl": 0}}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	logger, out := newLog()
	c, err := vault.New(vault.Options{
		Name: "main", Addresses: []string{s.URL}, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Login: token("planted-token"), Log: logger, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, out
}

// What a server or something before it answers is told in bounded, printable words, without what it was sent.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		away   bool
		want   string
	}{
		"internal error":     {500, `{"errors": ["1 error occurred:\n\t* internal error"]}`, true, "answers 500: 1 error occurred"},
		"overloaded":         {429, `{"errors": ["request path quota exceeded"]}`, true, "quota"},
		"standby":            {473, ``, true, "answers 473"},
		"behind":             {412, `{"errors": ["required index state not present"]}`, true, "index state"},
		"upgrading":          {400, `{"errors": ["Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly."]}`, true, "brief period"},
		"bad gateway":        {502, `<html>planted-token</html>`, true, "answers 502"},
		"sealed":             {503, `{"errors": ["Vault is sealed"]}`, true, "sealed"},
		"repeats the token":  {400, `{"errors": ["bad header planted-token"]}`, false, "bad header <secret>"},
		"long":               {400, `{"errors": ["` + strings.Repeat("x", 100000) + `"]}`, false, "xxx"},
		"control characters": {400, `{"errors": ["a\u0007b\u001b[31m\nc"]}`, false, "answers 400"},
		"no JSON":            {400, "\x00\x01planted-token", false, "answers 400"},
		"redirect":           {307, "", true, "standby"},
		"redirect to plain":  {302, "", true, "standby"},
	} {
		t.Run(name, func(t *testing.T) {
			client, out := broken(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "https://127.0.0.1:1/v1/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			_, err := client.Secret(t.Context(), "siegel/x", "y")
			if c.away {
				wantAway(t, err, c.want)
			} else {
				wantConfig(t, err, c.want)
			}
			text := err.Error() + out.String()
			if strings.Contains(text, "planted") || strings.ContainsAny(err.Error(), "\x00\a\x1b\n") && !c.away || len(err.Error()) > 1000 {
				t.Errorf("%d bytes: %q", len(text), text)
			}
		})
	}
}

// Answers without end, without sense or of another shape are errors, and cost no more than they should.
func TestShapes(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": "", "not JSON": "{", "a list": "[]", "no data": "{}", "no fields": `{"data": {"data": null}}`, "fields of another kind": `{"data": {"data": [1]}}`,
		"a number": `{"data": {"data": {"y": 5}}}`, "empty": `{"data": {"data": {"y": ""}}}`, "too large": `{"data": {"data": {"y": "` + strings.Repeat("x", 70000) + `"}}}`,
		"no keys": `{"data": {"keys": {}}}`, "keys of another kind": `{"data": {"keys": {"1": 5, "x": {"public_key": "y"}}}}`,
		"no key": `{"data": {"keys": {"1": {"public_key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := broken(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
			if text, err := client.Secret(t.Context(), "siegel/x", "y"); err == nil || !text.IsZero() {
				t.Error("a secret out of nothing")
			}
			if _, err := client.Versions(t.Context(), "alice"); err == nil {
				t.Error("a key out of nothing")
			}
			if _, err := client.Issuer("mail").Issue(t.Context(), vault.Request{Address: "alice@firma.example"}); err == nil {
				t.Error("a certificate out of nothing")
			}
			if _, err := client.Issuer("mail").CRL(t.Context()); err == nil {
				t.Error("a list out of nothing")
			}
		})
	}
	client, _ := broken(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 10000 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	_, err := client.Secret(t.Context(), "siegel/x", "y")
	wantAway(t, err, "larger than any answer")
}

// A server whose signatures are none does not get them into mail.
func TestWrongSignature(t *testing.T) {
	const public = `-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYD54V/vp+54P9DXarYqx4MPcm+HK\nRIQzNasYSoRQHQ/6S6Ps8tpMcT+KvIIC8W/e9k0W7Cm72M1P9jU7SLf/vg==\n-----END PUBLIC KEY-----\n`
	for _, signature := range []string{"vault:v1:AAAA", "vault:v2:AAAA", "vault:v1:", "AAAA", "vault:v1:!!", ""} {
		client, _ := broken(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/keys/") {
				fmt.Fprint(w, `{"data": {"keys": {"1": {"public_key": "`+public+`"}}}}`)
				return
			}
			fmt.Fprintf(w, `{"data": {"signature": %q}}`, signature)
		})
		_, _, err := sign(newest(t, client, "main:alice"), "text", crypto.SHA256)
		wantAway(t, err, "is no signature by version 1 of the key")
	}
}
