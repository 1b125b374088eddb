package token_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// now is the time of the tests.
var now = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// keys are the keys of these tests, which take a while to make.
var keys = sync.OnceValue(func() (out struct{ issuer, other, small *tokentest.Key }) {
	t := new(testing.T)
	out.issuer, out.other, out.small = tokentest.NewKey(t, 2048, now), tokentest.NewKey(t, 2048, now), tokentest.NewKey(t, 1024, now)
	return out
})

const (
	page      = "https://siegel.firma.example/outlook/read.html"
	authority = "https://login.microsoftonline.com"
	server    = "mail.firma.example:443"
	office    = "d3590ed6-52b3-4102-aeff-aad2292ab01c" // which gets tokens for scripts that run on sending
)

// verifier believes the key issuer, without a network.
func verifier(t testing.TB, found ...*tokentest.Key) token.Verifier {
	t.Helper()
	set, err := token.ParseKeySet(tokentest.KeySet(t, found...))
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := token.ParseMetadata(tokentest.Metadata(t, found...))
	if err != nil {
		t.Fatal(err)
	}
	return token.Verifier{
		Entra: token.NewEntra(token.EntraOptions{
			Tenant: tokentest.Tenant, Client: tokentest.Client, Audiences: []string{tokentest.Client, "api://" + tokentest.Client}, Scope: tokentest.Scope, Authority: authority,
			Clients: []string{office},
			Keys:    token.NewKeys(func(context.Context) ([]token.Key, error) { return set, nil }, clock), Now: clock,
		}),
		Exchange: token.NewExchange(token.ExchangeOptions{
			Hosts: []string{"Mail.firma.example"}, Audience: func(url string) bool { return url == page },
			Fetch: func(host string) func(context.Context) ([]token.Key, error) {
				return func(context.Context) ([]token.Key, error) {
					if host != server {
						t.Errorf("keys of %s were asked for", host)
					}
					return certificates, nil
				}
			},
			Now: clock,
		}),
	}
}

func TestGood(t *testing.T) {
	k := keys().issuer
	v := verifier(t, keys().other, k)
	for name, c := range map[string]struct {
		token string
		want  token.Identity
	}{
		"version 2.0":             {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now)), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"version 1.0":             {k.Sign(t, k.EntraHeader().With(tokentest.Claims{"x5t": k.ID}), tokentest.EntraV1("https://sts.windows.net", now)), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"without a name":          {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(tokentest.Claims{"upn": nil})), token.Identity{Kind: token.OfEntra, ID: tokentest.User}},
		"IDs in upper case":       {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(tokentest.Claims{"oid": strings.ToUpper(tokentest.User), "tid": strings.ToUpper(tokentest.Tenant), "azp": strings.ToUpper(tokentest.Client)})), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"a member who says so":    {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(tokentest.Claims{"acct": 0, "idtyp": "user", "idp": authority + "/" + tokentest.Tenant + "/v2.0"})), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"by Office":               {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(tokentest.Claims{"azp": strings.ToUpper(office)})), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"a clock that is ahead":   {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now.Add(token.Skew))), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"a clock that is behind":  {k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now.Add(-time.Hour-token.Skew+time.Second))), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}},
		"Exchange":                {k.Sign(t, k.ExchangeHeader(), tokentest.Exchange(t, server, page, now)), token.Identity{Kind: token.OfExchange, ID: tokentest.Mailbox}},
		"Exchange, as documented": {k.Sign(t, k.ExchangeHeader(), tokentest.Exchange(t, server, page, now).With(tokentest.Claims{"appctx": tokentest.Context("MAIL.firma.example"), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()})), token.Identity{Kind: token.OfExchange, ID: tokentest.Mailbox}},
	} {
		if got, err := v.Verify(t.Context(), c.token); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What a token of Entra ID must be like to be believed.
func TestEntraRefuses(t *testing.T) {
	k := keys().issuer
	v := verifier(t, k)
	type c = tokentest.Claims
	for name, change := range map[string]c{
		"another audience":            {"aud": "api://00000000-0000-0000-0000-000000000001"},
		"Microsoft Graph":             {"aud": "00000003-0000-0000-c000-000000000000"},
		"no audience":                 {"aud": nil},
		"several audiences":           {"aud": []string{tokentest.Client, "other"}},
		"one audience in a list":      {"aud": []string{tokentest.Client}},
		"audience and a slash":        {"aud": tokentest.Client + "/"},
		"another tenant's issuer":     {"iss": authority + "/00000000-0000-0000-0000-000000000001/v2.0"},
		"another tenant":              {"tid": "00000000-0000-0000-0000-000000000001"},
		"no tenant":                   {"tid": nil},
		"the tenant of everybody":     {"iss": authority + "/common/v2.0"},
		"an issuer elsewhere":         {"iss": "https://login.example/" + tokentest.Tenant + "/v2.0"},
		"an issuer and more":          {"iss": authority + "/" + tokentest.Tenant + "/v2.0/"},
		"the issuer of version 1.0":   {"iss": "https://sts.windows.net/" + tokentest.Tenant + "/"},
		"no version":                  {"ver": nil},
		"version 3":                   {"ver": "3.0"},
		"a version as a number":       {"ver": 2.0},
		"version 1.0 by another":      {"ver": "1.0"},
		"another application got it":  {"azp": "00000000-0000-0000-0000-000000000001"},
		"nobody says who got it":      {"azp": nil},
		"no scope, as an ID token":    {"scp": nil},
		"another scope":               {"scp": "User.Read access_as_user2"},
		"scopes in a list":            {"scp": []string{tokentest.Scope}},
		"an application":              {"scp": nil, "roles": []string{tokentest.Scope}, "idtyp": "app"},
		"an application with a scope": {"idtyp": "app"},
		"no user":                     {"oid": nil},
		"a user that is none":         {"oid": "alice"},
		"a guest":                     {"acct": 1},
		"a guest, in words":           {"acct": "1"},
		"a guest by provider":         {"idp": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/"},
		"a guest by provider, odd":    {"idp": nil, "acct": []int{0}},
		"a guest of live.com":         {"idp": "live.com"},
		"a guest by name":             {"upn": "alice_firma.example#EXT#@x.onmicrosoft.com"},
		"expired":                     {"exp": now.Add(-token.Skew).Unix()},
		"expired long ago":            {"exp": now.Add(-24 * time.Hour).Unix()},
		"not yet":                     {"nbf": now.Add(token.Skew + time.Second).Unix()},
		"no end":                      {"exp": nil},
		"no beginning":                {"nbf": nil},
		"an end as a string":          {"exp": "99999999999"},
		"an end as a fraction":        {"exp": 99999999999.5},
		"an end that is too far":      {"exp": json.Number("999999999999999999")},
		"an end beyond all":           {"exp": json.Number("1e999")},
		"an end below 0":              {"exp": -1},
		"an end that is a list":       {"exp": []int64{now.Add(time.Hour).Unix()}},
	} {
		raw := k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(change))
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrInvalid) || got != (token.Identity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, change := range map[string]c{
		"the issuer of version 2.0": {"iss": authority + "/" + tokentest.Tenant + "/v2.0"},
		"azp in place of appid":     {"appid": nil, "azp": tokentest.Client},
		"another application":       {"appid": "00000000-0000-0000-0000-000000000001"},
	} {
		raw := k.Sign(t, k.EntraHeader(), tokentest.EntraV1("https://sts.windows.net", now).With(change))
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("version 1.0, %s: %v", name, err)
		}
	}
}

// What a token of Exchange must be like to be believed.
func TestExchangeRefuses(t *testing.T) {
	k := keys().issuer
	v := verifier(t, k)
	type c = tokentest.Claims
	in := func(change c) c { return c{"appctx": tokentest.Context(server).With(change)} }
	for name, change := range map[string]c{
		"another page":                {"aud": "https://evil.example/outlook/read.html"},
		"no audience":                 {"aud": nil},
		"several audiences":           {"aud": []string{page}},
		"another issuer":              {"iss": "00000003-0000-0ff1-ce00-000000000000@firma.example"},
		"no issuer":                   {"iss": nil},
		"expired":                     {"exp": now.Add(-token.Skew).Unix()},
		"expired, as a string":        {"exp": "1000000000"},
		"not yet":                     {"nbf": now.Add(token.Skew + time.Second).Unix()},
		"no end":                      {"exp": nil},
		"an end that is no number":    {"exp": "never"},
		"an end in another notation":  {"exp": "0x7fffffffff"},
		"an end that is too far":      {"exp": "9999999999999999999999"},
		"a context that is a number":  {"appctx": 1},
		"a context that is null":      {"appctx": json.RawMessage("null")},
		"a context that is no object": {"appctx": "[]"},
		"a context with twins":        {"appctx": `{"version":"ExIdTok.V1","version":"ExIdTok.V1"}`},
		"another kind of token":       in(c{"version": "ExCallbackTok.V1"}),
		"no version":                  in(c{"version": nil}),
		"nobody":                      in(c{"msexchuid": nil}),
		"somebody who is none":        in(c{"msexchuid": "alice@firma.example"}),
		"somebody with blanks":        in(c{"msexchuid": tokentest.Mailbox + " x"}),
		"a document elsewhere":        in(c{"amurl": "https://evil.example/autodiscover/metadata/json/1"}),
		"a document by HTTP":          in(c{"amurl": "http://mail.firma.example:443/autodiscover/metadata/json/1"}),
		"a document at another port":  in(c{"amurl": "https://mail.firma.example:444/autodiscover/metadata/json/1"}),
		"another document":            in(c{"amurl": "https://mail.firma.example/owa/attachment/keys.json"}),
		"a document and a question":   in(c{"amurl": "https://mail.firma.example/autodiscover/metadata/json/1?x"}),
		"a document and an empty one": in(c{"amurl": "https://mail.firma.example/autodiscover/metadata/json/1?"}),
		"a document and a fragment":   in(c{"amurl": "https://mail.firma.example/autodiscover/metadata/json/1#x"}),
		"a document with a user":      in(c{"amurl": "https://mail.firma.example@evil.example/autodiscover/metadata/json/1"}),
		"a document with our user":    in(c{"amurl": "https://evil.example@mail.firma.example/autodiscover/metadata/json/1"}),
		"a document in disguise":      in(c{"amurl": "https://mail.firma.example/autodiscover%2Fmetadata/json/1"}),
		"a document with a backslash": in(c{"amurl": `https://mail.firma.example\@evil.example/autodiscover/metadata/json/1`}),
		"a document up and down":      in(c{"amurl": "https://mail.firma.example/x/../autodiscover/metadata/json/1"}),
		"no document":                 in(c{"amurl": nil}),
		"a host with a dot":           in(c{"amurl": "https://mail.firma.example./autodiscover/metadata/json/1"}),
		"a part of a host":            in(c{"amurl": "https://mail.firma.example.evil.example/autodiscover/metadata/json/1"}),
	} {
		raw := k.Sign(t, k.ExchangeHeader(), tokentest.Exchange(t, server, page, now).With(change))
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrInvalid) || got != (token.Identity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// The certificate has ended.
	old := tokentest.NewKey(t, 2048, now.Add(-400*24*time.Hour))
	raw := old.Sign(t, old.ExchangeHeader(), tokentest.Exchange(t, server, page, now))
	if _, err := verifier(t, old).Verify(t.Context(), raw); !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "renew") {
		t.Errorf("a certificate that has ended: %v", err)
	}
}

// What is done to the signature, the header and the form of a token.
func TestForged(t *testing.T) {
	k, other := keys().issuer, keys().other
	v := verifier(t, k)
	type c = tokentest.Claims
	claims := tokentest.EntraV2(authority, now)
	good := k.Sign(t, k.EntraHeader(), claims)
	parts := strings.Split(good, ".")
	raw := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	mac := func(secret []byte, header string) string {
		signed := raw(header) + "." + parts[1]
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	modulus := k.Private.N.Bytes()
	forged := map[string]string{
		"nothing":                             "",
		"one part":                            parts[0],
		"two parts":                           parts[0] + "." + parts[1],
		"four parts":                          good + ".",
		"an encrypted one":                    good + "." + parts[0] + "." + parts[1],
		"no signature":                        parts[0] + "." + parts[1] + ".",
		"none":                                raw(`{"typ":"JWT","alg":"none"}`) + "." + parts[1] + ".",
		"none with a signature":               raw(`{"typ":"JWT","alg":"none"}`) + "." + parts[1] + "." + parts[2],
		"NONE":                                raw(`{"typ":"JWT","alg":"NonE","kid":"`+k.ID+`"}`) + "." + parts[1] + "." + parts[2],
		"HMAC by the modulus":                 mac(modulus, `{"typ":"JWT","alg":"HS256","kid":"`+k.ID+`"}`),
		"HMAC by the PEM":                     mac(k.PEM(), `{"typ":"JWT","alg":"HS256","kid":"`+k.ID+`"}`),
		"HMAC called RS256":                   mac(modulus, `{"typ":"JWT","alg":"RS256","kid":"`+k.ID+`"}`),
		"another's signature":                 other.Sign(t, k.EntraHeader(), claims),
		"another's token":                     other.Sign(t, other.EntraHeader(), claims),
		"other claims":                        parts[0] + "." + raw(`{"appctx":"{}"}`) + "." + parts[2],
		"another header":                      raw(`{"alg":"RS256","typ":"JWT","kid":"`+k.ID+`"}`) + "." + parts[1] + "." + parts[2],
		"padding":                             parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"a line break":                        parts[0] + "." + parts[1] + "." + parts[2] + "\n",
		"a line break in a part":              parts[0][:9] + "\r\n" + parts[0][9:] + "." + parts[1] + "." + parts[2],
		"a blank":                             " " + good,
		"standard base64":                     parts[0] + "." + parts[1] + "." + base64.StdEncoding.EncodeToString([]byte{0xfb, 0xff, 0xfe}),
		"too long":                            k.Sign(t, k.EntraHeader(), claims.With(c{"groups": strings.Repeat("g", token.Max)})),
		"a header that is a list":             raw(`[]`) + "." + parts[1] + "." + parts[2],
		"claims that are a list":              parts[0] + "." + raw(`[]`) + "." + parts[2],
		"a header with twins":                 k.SignText(t, []byte(`{"typ":"JWT","alg":"none","alg":"RS256","kid":"`+k.ID+`"}`), mustJSON(t, claims)),
		"a header with twins in another case": k.SignText(t, []byte(`{"typ":"JWT","ALG":"none","alg":"RS256","kid":"`+k.ID+`"}`), mustJSON(t, claims)),
		"claims with twins":                   k.SignText(t, mustJSON(t, k.EntraHeader()), []byte(strings.TrimSuffix(string(mustJSON(t, claims)), "}")+`,"oid":"00000000-0000-0000-0000-000000000001"}`)),
		"claims and more":                     k.SignText(t, mustJSON(t, k.EntraHeader()), append(mustJSON(t, claims), '{', '}')),
		"claims in capitals":                  k.SignText(t, mustJSON(t, k.EntraHeader()), []byte(strings.ReplaceAll(string(mustJSON(t, claims)), `"aud"`, `"AUD"`))),
		"claims that are not UTF-8":           k.SignText(t, mustJSON(t, k.EntraHeader()), []byte(strings.Replace(string(mustJSON(t, claims)), "Alice", "Al\xffce", 1))),
	}
	for name, change := range map[string]c{
		"no algorithm": {"alg": nil}, "RS384": {"alg": "RS384"}, "PS256": {"alg": "PS256"}, "ES256": {"alg": "ES256"}, "rs256": {"alg": "rs256"}, "algorithms": {"alg": []string{"RS256"}},
		"no type": {"typ": nil}, "another type": {"typ": "at+jwt2"}, "no key": {"kid": nil}, "an empty key": {"kid": ""}, "a list of keys": {"kid": []string{k.ID}},
		"a key that is a path": {"kid": "../../../../dev/null"}, "a key that is SQL": {"kid": "' UNION SELECT 'x"}, "a key that is a URL": {"kid": "https://evil.example/key"},
		"a key of its own": {"jwk": json.RawMessage(`{"kty":"RSA"}`)}, "keys elsewhere": {"jku": "https://evil.example/keys"}, "a certificate elsewhere": {"x5u": "https://evil.example/c"},
		"a certificate of its own": {"x5c": []string{base64.StdEncoding.EncodeToString(k.DER)}}, "what must be understood": {"crit": []string{"exp"}}, "not base64": {"b64": false}, "compressed": {"zip": "DEF"},
		"encrypted": {"enc": "A128GCM"}, "another one inside": {"cty": "JWT"},
	} {
		forged["header: "+name] = k.Sign(t, k.EntraHeader().With(change), claims)
	}
	for name, text := range forged {
		if got, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrInvalid) || got != (token.Identity{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		} else if strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: the error repeats what the token says: %v", name, err)
		}
	}
	// Each bit of the signature counts, and each letter of the rest.
	for i := 0; i < len(good); i += 37 {
		changed := []byte(good)
		if changed[i] = 'A'; good[i] == 'A' {
			changed[i] = 'B'
		}
		if _, err := v.Verify(t.Context(), string(changed)); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("letter %d: %v", i, err)
		}
	}
}

func mustJSON(t testing.TB, c tokentest.Claims) []byte {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A token of one kind is nothing for a verifier that knows the other.
func TestOneKind(t *testing.T) {
	k := keys().issuer
	v := verifier(t, k)
	entra, exchange := k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now)), k.Sign(t, k.ExchangeHeader(), tokentest.Exchange(t, server, page, now))
	for name, c := range map[string]struct {
		v    token.Verifier
		text string
	}{"Entra alone": {token.Verifier{Entra: v.Entra}, exchange}, "Exchange alone": {token.Verifier{Exchange: v.Exchange}, entra}, "none": {token.Verifier{}, entra}} {
		if _, err := c.v.Verify(t.Context(), c.text); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A token that is both is judged as one of Exchange, and the key of Exchange alone counts for it.
	both := k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now).With(tokentest.Claims{"appctx": "{}"}))
	if _, err := v.Verify(t.Context(), both); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("both: %v", err)
	}
}

// National clouds have names of their own for version 1.0.
func TestClouds(t *testing.T) {
	k := keys().issuer
	set, err := token.ParseKeySet(tokentest.KeySet(t, k))
	if err != nil {
		t.Fatal(err)
	}
	for cloud, issuer := range map[string]string{
		"https://login.microsoftonline.us":         "https://sts.windows.net",
		"https://login.partner.microsoftonline.cn": "https://sts.chinacloudapi.cn",
		"https://entra.example":                    "https://entra.example",
	} {
		e := token.Verifier{Entra: token.NewEntra(token.EntraOptions{
			Tenant: tokentest.Tenant, Client: tokentest.Client, Audiences: []string{tokentest.Client, "api://" + tokentest.Client}, Scope: tokentest.Scope, Authority: cloud,
			Keys: token.NewKeys(func(context.Context) ([]token.Key, error) { return set, nil }, clock), Now: clock,
		})}
		for _, claims := range []tokentest.Claims{tokentest.EntraV1(issuer, now), tokentest.EntraV2(cloud, now)} {
			if _, err := e.Verify(t.Context(), k.Sign(t, k.EntraHeader(), claims)); err != nil {
				t.Errorf("%s, version %s: %v", cloud, claims["ver"], err)
			}
		}
		if _, err := e.Verify(t.Context(), k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, now))); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s believes another cloud: %v", cloud, err)
		}
	}
}

func TestIsID(t *testing.T) {
	for text, want := range map[string]bool{
		tokentest.User: true, tokentest.Mailbox: true, "": false, "alice": false, strings.ToUpper(tokentest.User): false, tokentest.User + "@a:b": false, tokentest.User + "@a,b": false, tokentest.User + "@a b": false, tokentest.User + "0": false,
	} {
		if token.IsID(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
