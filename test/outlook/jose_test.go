package outlook

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/internal/nodetest"
)

// order is a token that jose is to make; see jose/sign.mjs.
type order struct {
	Way    string           `json:"way"`
	Key    string           `json:"key"`
	Header tokentest.Claims `json:"header"`
	Claims tokentest.Claims `json:"claims"`
}

// jose has the library make tokens, and verify those that are ours by a key set.
func jose(t *testing.T, keys map[string]string, orders map[string]order, verify map[string]string, set []byte) (tokens map[string]string, verified map[string]tokentest.Claims) {
	t.Helper()
	there := nodetest.Modules(t, "jose")
	given, err := json.Marshal(map[string]any{"keys": keys, "tokens": orders, "verify": verify, "set": json.RawMessage(set)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), nodetest.Program(t, "node"), "jose/sign.mjs")
	cmd.Env = append(os.Environ(), "NODE_MODULES="+there)
	cmd.Stdin = bytes.NewReader(given)
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	out := struct {
		Tokens   map[string]string
		Verified map[string]tokentest.Claims
	}{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out.Tokens, out.Verified
}

// ecKey is a key for ES256, PEM.
func ecKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Tokens that the library jose makes are believed where Entra ID and Exchange make such, and no others are, however well they are signed.
func TestJose(t *testing.T) {
	w := newWorld(t, byEntra+byExchange)
	now := time.Now()
	authority := "https://" + w.issuers.Host
	page := origin + "/outlook/compose.html"
	v1, v2, exchange := tokentest.EntraV1(authority, now), tokentest.EntraV2(authority, now), tokentest.Exchange(t, w.issuers.Host, page, now)
	entraHead, exchangeHead := w.key.EntraHeader(), w.key.ExchangeHeader()
	is := func(alg string) tokentest.Claims { return entraHead.With(tokentest.Claims{"alg": alg}) }
	entra := func(more tokentest.Claims) order { return order{Header: entraHead, Claims: v2.With(more)} }
	ofExchange := func(more tokentest.Claims) order { return order{Header: exchangeHead, Claims: exchange.With(more)} }

	good := map[string]order{
		"Entra v1": {Header: entraHead, Claims: v1}, "Entra v2": entra(nil), "Exchange": ofExchange(nil),
		"Entra v2 for the URI": entra(tokentest.Claims{"aud": "api://siegel.firma.example/" + tokentest.Client}),
		"Entra with more":      {Header: entraHead.With(tokentest.Claims{"x5t": w.key.ID}), Claims: v2.With(tokentest.Claims{"rh": "0.AX", "wids": []string{"a"}, "xms_st": tokentest.Claims{"sub": "x"}})},
		"Exchange's context":   ofExchange(tokentest.Claims{"appctx": tokentest.Context(w.issuers.Host)}),
	}
	bad := map[string]order{
		"none": {Way: "none", Header: is("none"), Claims: v2}, "HS256 by the public key": {Way: "secret", Header: is("HS256"), Claims: v2},
		"RS384": {Header: is("RS384"), Claims: v2}, "RS512": {Header: is("RS512"), Claims: v2}, "PS256": {Header: is("PS256"), Claims: v2}, "ES256": {Header: is("ES256"), Key: "ec", Claims: v2},
		"another's key": {Header: entraHead, Key: "other", Claims: v2}, "its own key": {Way: "own", Header: entraHead, Key: "other", Claims: v2}, "no key named": {Header: entraHead.With(tokentest.Claims{"kid": nil}), Claims: v2},
		"a key set of its own": {Header: entraHead.With(tokentest.Claims{"jku": "https://evil.example/keys"}), Key: "other", Claims: v2},
		"critical":             {Way: "critical", Header: entraHead, Claims: v2}, "encrypted": {Way: "encrypted", Header: tokentest.Claims{"kid": w.key.ID}, Claims: v2}, "flattened": {Way: "flattened", Header: entraHead, Claims: v2},
		"another tenant": entra(tokentest.Claims{"tid": tokentest.User}), "another issuer": entra(tokentest.Claims{"iss": authority + "/" + tokentest.User + "/v2.0"}),
		"another audience": entra(tokentest.Claims{"aud": tokentest.User}), "several audiences": entra(tokentest.Claims{"aud": []string{tokentest.Client, tokentest.User}}),
		"another scope": entra(tokentest.Claims{"scp": "User.Read"}), "another application": entra(tokentest.Claims{"azp": tokentest.User}), "of an application": entra(tokentest.Claims{"idtyp": "app"}),
		"a guest": entra(tokentest.Claims{"idp": "https://sts.windows.net/" + tokentest.User + "/"}), "ended": entra(tokentest.Claims{"exp": now.Add(-time.Hour).Unix()}),
		"not yet": entra(tokentest.Claims{"nbf": now.Add(time.Hour).Unix()}), "for ever": entra(tokentest.Claims{"exp": nil}), "version 1 as 2": entra(tokentest.Claims{"ver": "1.0"}),
		"another server": ofExchange(tokentest.Claims{"appctx": tokentest.Context("evil.example:443")}), "another page": ofExchange(tokentest.Claims{"aud": "https://evil.example/outlook/compose.html"}),
		"Exchange, ended": ofExchange(tokentest.Claims{"exp": "1000000000"}), "Exchange, by another's key": {Header: exchangeHead, Key: "other", Claims: exchange},
		"Exchange as Entra": {Header: entraHead, Claims: exchange}, "Entra as Exchange": {Header: exchangeHead, Claims: v2},
	}
	orders := map[string]order{}
	for _, all := range []map[string]order{good, bad} {
		for name, o := range all {
			if o.Key == "" {
				o.Key = "ours"
			}
			orders[name] = o
		}
	}
	ours := map[string]string{"v1": w.key.Sign(t, entraHead, v1), "v2": w.key.Sign(t, entraHead, v2)}
	keys := map[string]string{"ours": string(w.key.PEM()), "other": string(tokentest.NewKey(t, 2048, now).PEM()), "ec": ecKey(t)}
	tokens, verified := jose(t, keys, orders, ours, tokentest.KeySet(t, w.key))

	author := func(name string) string {
		if strings.Contains(name, "Exchange") || strings.HasSuffix(name, "server") || strings.HasSuffix(name, "page") {
			return "bob@firma.example"
		}
		return "alice@firma.example"
	}
	for name := range good {
		if status, _ := w.explain(tokens[name], author(name), "dave@partner.example"); status != 200 {
			t.Errorf("%s: %d; the log:\n%s", name, status, w.gateway.Log())
		}
	}
	for name := range bad {
		for _, from := range []string{"alice@firma.example", "bob@firma.example"} {
			if status, _ := w.explain(tokens[name], from, "dave@partner.example"); status != 401 {
				t.Errorf("%s, as %s: %d", name, from, status)
			}
		}
	}
	for name := range ours { // the stand-in issues what others read, too
		if verified[name]["tid"] != tokentest.Tenant {
			t.Errorf("%s: jose reads %v", name, verified[name])
		}
	}
}
