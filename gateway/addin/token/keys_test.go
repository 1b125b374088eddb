package token_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// source gives keys, or a fault, and counts how often it was asked.
type source struct {
	keys  atomic.Pointer[[]token.Key]
	fault atomic.Pointer[error]
	asked atomic.Int32
}

func (s *source) have(t testing.TB, keys ...*tokentest.Key) {
	t.Helper()
	set, err := token.ParseKeySet(tokentest.KeySet(t, keys...))
	if err != nil {
		t.Fatal(err)
	}
	s.keys.Store(&set)
	s.fault.Store(nil)
}

func (s *source) fail(err error) { s.fault.Store(&err) }

func (s *source) fetch(context.Context) ([]token.Key, error) {
	s.asked.Add(1)
	if err := s.fault.Load(); err != nil {
		return nil, *err
	}
	return *s.keys.Load(), nil
}

// entra verifies by these keys, at the time of the bubble it is in.
func entra(k *token.Keys) token.Verifier {
	return token.Verifier{Entra: token.NewEntra(token.EntraOptions{
		Tenant: tokentest.Tenant, Client: tokentest.Client, Audiences: []string{tokentest.Client}, Scope: tokentest.Scope, Authority: authority, Keys: k,
	})}
}

func signed(t testing.TB, k *tokentest.Key) string {
	return k.Sign(t, k.EntraHeader(), tokentest.EntraV2(authority, time.Now()))
}

// Keys are fetched when they are needed, twice a day, and for one that is new; whoever makes up keys has nobody asked more often than every five minutes.
func TestKeysAreKept(t *testing.T) {
	first, second, third := keys().issuer, keys().other, tokentest.NewKey(t, 2048, now)
	synctest.Test(t, func(t *testing.T) {
		s := new(source)
		s.have(t, first)
		v := entra(token.NewKeys(s.fetch, nil))
		step := func(what string, k *tokentest.Key, want error, asked int32) {
			t.Helper()
			if _, err := v.Verify(t.Context(), signed(t, k)); !errors.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
			if n := s.asked.Load(); n != asked {
				t.Errorf("%s: asked %d times, want %d", what, n, asked)
			}
		}
		if s.asked.Load() != 0 {
			t.Error("keys were fetched that nobody needed")
		}
		step("the first", first, nil, 1)
		step("again", first, nil, 1)
		step("one that is not there, just after", second, token.ErrInvalid, 1)
		s.have(t, first, second)
		time.Sleep(5 * time.Minute)
		step("a new one", second, nil, 2)
		for range 100 {
			step("made up", third, token.ErrInvalid, 2)
		}
		s.fail(errors.New("away"))
		time.Sleep(5 * time.Minute)
		step("made up, and nobody answers", third, token.ErrUnavailable, 3)
		step("known, while nobody answers", first, nil, 3)
		time.Sleep(29 * time.Second)
		step("nobody is asked meanwhile", third, token.ErrUnavailable, 3)
		time.Sleep(time.Second)
		step("known, at the next try", first, nil, 4)
		time.Sleep(47 * time.Hour)
		step("known, for two days", first, nil, 5)
		time.Sleep(time.Hour)
		step("no longer", first, token.ErrUnavailable, 6)
		s.have(t, second)
		time.Sleep(30 * time.Second)
		step("what was withdrawn", first, token.ErrInvalid, 7)
		step("what is in force", second, nil, 7)
		time.Sleep(12 * time.Hour)
		step("half a day later", second, nil, 8)
	})
}

// Many who come at once wait for one request, each as long as it has time.
func TestKeysTogether(t *testing.T) {
	k := keys().issuer
	synctest.Test(t, func(t *testing.T) {
		s := new(source)
		s.have(t, k)
		open := make(chan struct{})
		v := entra(token.NewKeys(func(ctx context.Context) ([]token.Key, error) {
			<-open
			return s.fetch(ctx)
		}, nil))
		text := signed(t, k)
		var all sync.WaitGroup
		var fine atomic.Int32
		for range 20 {
			all.Go(func() {
				if _, err := v.Verify(context.Background(), text); err == nil {
					fine.Add(1)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := v.Verify(ctx, text); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("who has no time: %v", err)
		}
		close(open)
		all.Wait()
		if fine.Load() != 20 || s.asked.Load() != 1 {
			t.Errorf("%d fine, asked %d times", fine.Load(), s.asked.Load())
		}
	})
}

// A source that panics keeps nobody waiting.
func TestKeysAfterPanic(t *testing.T) {
	k := keys().issuer
	v := entra(token.NewKeys(func(context.Context) ([]token.Key, error) { panic("broken") }, nil))
	text := signed(t, k)
	func() {
		defer func() { recover() }()
		v.Verify(t.Context(), text)
	}()
	if _, err := v.Verify(t.Context(), text); !errors.Is(err, token.ErrUnavailable) {
		t.Error(err)
	}
}

// Health asks where nobody did, and says why it cannot be asked.
func TestCheck(t *testing.T) {
	k := keys().issuer
	synctest.Test(t, func(t *testing.T) {
		s := new(source)
		s.have(t, k)
		all := token.NewKeys(s.fetch, nil)
		for range 3 {
			if err := all.Check(t.Context()); err != nil || s.asked.Load() != 1 {
				t.Fatal(err, s.asked.Load())
			}
		}
		s.fail(errors.New("the server is away"))
		time.Sleep(12 * time.Hour)
		if _, err := entra(all).Verify(t.Context(), signed(t, k)); err != nil {
			t.Fatal(err)
		}
		if err := all.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "the server is away") {
			t.Error(err)
		}
		s.have(t, k)
		time.Sleep(30 * time.Second)
		if err := all.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Documents come by TLS from the server that is named, in a bounded size, or not at all.
func TestClient(t *testing.T) {
	k := keys().issuer
	s := tokentest.Serve(t, k)
	client := token.NewClient(s.TLS(), nil)
	ways := map[string]func(context.Context) ([]token.Key, error){"Entra": client.Tenant(s.URL, tokentest.Tenant), "Exchange": client.Metadata(s.Host)}
	for name, fetch := range ways {
		s.Have(t, k)
		if got, err := fetch(t.Context()); err != nil || len(got) != 1 || got[0].ID != k.ID || !got[0].Public.Equal(k.Private.Public()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for fault, answer := range map[string]struct {
			serve http.HandlerFunc
			want  string
		}{
			"elsewhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, s.URL+"/x", http.StatusFound) }, "sends us elsewhere"},
			"not there": {http.NotFound, "answers 404"},
			"too large": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }, "larger than"},
			"no JSON":   {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "this is no"},
			"nothing":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, "this is no"},
			"cut off": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "99")
				w.Write([]byte("{"))
			}, "unexpected EOF"},
		} {
			s.Answer(answer.serve)
			if _, err := fetch(t.Context()); err == nil || !strings.Contains(err.Error(), answer.want) {
				t.Errorf("%s, %s: %v", name, fault, err)
			}
		}
	}
	s.Have(t, k)
	s.Answer(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "Tue, 06 May 2031 12:00:00 GMT") })
	if at, err := client.Clock(t.Context(), s.URL); err != nil || !at.Equal(now) {
		t.Errorf("it is %v there, %v", at, err)
	}
	s.Have(t, k)
	for name, c := range map[string]*token.Client{
		"nobody vouches for the server": token.NewClient(&tls.Config{}, nil),
		"a rule that it does not keep":  token.NewClient(&tls.Config{RootCAs: s.Roots, VerifyConnection: func(tls.ConnectionState) error { return errors.New("not by this profile") }}, nil),
		"another name":                  token.NewClient(&tls.Config{RootCAs: s.Roots, ServerName: "login.example.org"}, nil),
		"nobody is there": token.NewClient(s.TLS(), func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("refused")
		}),
	} {
		if got, err := c.Tenant(s.URL, tokentest.Tenant)(t.Context()); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := client.Tenant("http://"+s.Host, tokentest.Tenant)(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTPS") {
		t.Errorf("without TLS: %v", err)
	}
}

// A file with keys is read anew when keys are looked for.
func TestFile(t *testing.T) {
	k, other := keys().issuer, keys().other
	name := filepath.Join(t.TempDir(), "keys.json")
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fetch := token.File(name)
	if _, err := fetch(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, key := range []*tokentest.Key{k, other} {
		write(tokentest.KeySet(t, key))
		if got, err := fetch(t.Context()); err != nil || got[0].ID != key.ID {
			t.Errorf("%+v, %v", got, err)
		}
	}
	write(make([]byte, 1<<20))
	if _, err := fetch(t.Context()); err == nil {
		t.Error("a file that is too large was read")
	}
}

// What of a JWK set is a key.
func TestParseKeySet(t *testing.T) {
	k, small := keys().issuer, keys().small
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(tokentest.KeySet(t, k, small), &set); err != nil {
		t.Fatal(err)
	}
	key := set.Keys[0]
	with := func(name string, value any) map[string]any {
		out := map[string]any{}
		for n, v := range key {
			out[n] = v
		}
		out[name] = value
		return out
	}
	for name, c := range map[string]struct {
		keys []map[string]any
		want int
	}{
		"one":                    {[]map[string]any{key}, 1},
		"one and others":         {[]map[string]any{key, set.Keys[1], with("kty", "EC"), {}}, 1},
		"small":                  {set.Keys[1:], 0},
		"two of one ID":          {[]map[string]any{key, key}, 0},
		"for encryption":         {[]map[string]any{with("use", "enc")}, 0},
		"for another algorithm":  {[]map[string]any{with("alg", "RS512")}, 0},
		"for RS256":              {[]map[string]any{with("alg", "RS256")}, 1},
		"without an ID":          {[]map[string]any{with("kid", "")}, 0},
		"a secret":               {[]map[string]any{with("kty", "oct")}, 0},
		"exponent 1":             {[]map[string]any{with("e", "AQ")}, 0},
		"exponent 2":             {[]map[string]any{with("e", "Ag")}, 0},
		"exponent 0":             {[]map[string]any{with("e", "AA")}, 0},
		"no exponent":            {[]map[string]any{with("e", "")}, 0},
		"a huge exponent":        {[]map[string]any{with("e", "AQAAAAE")}, 0},
		"a huge modulus":         {[]map[string]any{with("n", strings.Repeat("_", 4000))}, 0},
		"no modulus":             {[]map[string]any{with("n", "")}, 0},
		"a modulus that is none": {[]map[string]any{with("n", "!")}, 0},
		"a modulus with padding": {[]map[string]any{with("n", key["n"].(string)+"==")}, 0},
		"none":                   {nil, 0},
		"more than there can be": {make([]map[string]any, 101), 0},
	} {
		text, err := json.Marshal(map[string]any{"keys": c.keys})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := token.ParseKeySet(text); len(got) != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: %d keys, %v", name, len(got), err)
		}
	}
	// A key that is of one issuer alone counts for that one.
	for issuer, fine := range map[string]bool{
		authority + "/{tenantid}/v2.0": true, "https://sts.windows.net/" + tokentest.Tenant + "/": true, authority + "/00000000-0000-0000-0000-000000000001/v2.0": false, "https://login.example": false,
	} {
		text, err := json.Marshal(map[string]any{"keys": []any{with("issuer", issuer)}})
		if err != nil {
			t.Fatal(err)
		}
		v := entra(token.NewKeys(func(context.Context) ([]token.Key, error) { return token.ParseKeySet(text) }, nil))
		if _, err := v.Verify(t.Context(), signed(t, k)); (err == nil) != fine {
			t.Errorf("a key of %s: %v", issuer, err)
		}
	}
}

// What of a metadata document is a key.
func TestParseMetadata(t *testing.T) {
	k, other := keys().issuer, keys().other
	good := string(tokentest.Metadata(t, k))
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"one":                        {good, 1},
		"two":                        {string(tokentest.Metadata(t, k, other)), 2},
		"one twice":                  {string(tokentest.Metadata(t, k, k)), 1},
		"a small one":                {string(tokentest.Metadata(t, keys().small)), 0},
		"none":                       {string(tokentest.Metadata(t)), 0},
		"for something else":         {strings.Replace(good, `"signing"`, `"encryption"`, 1), 0},
		"of another type":            {strings.Replace(good, `"x509Certificate"`, `"symmetric"`, 1), 0},
		"not base64":                 {strings.Replace(good, `"value":"MII`, `"value":"!II`, 1), 0},
		"no certificate":             {strings.Replace(good, `"value":"MII`, `"value":"AII`, 1), 0},
		"a name that is not its own": {strings.Replace(good, k.ID, other.ID, 1), 1},
		"no object":                  {"[]", 0},
		"twins":                      {`{"keys":[],"Keys":[]}`, 0},
		"keys that are a text":       {`{"keys":"x"}`, 0},
		"a key that is a text":       {`{"keys":["x"]}`, 0},
	} {
		got, err := token.ParseMetadata([]byte(c.text))
		if len(got) != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: %d keys, %v", name, len(got), err)
		}
		if len(got) == 1 && got[0].ID != k.ID {
			t.Errorf("%s: the key is called %s, which is not the hash of its certificate", name, got[0].ID)
		}
	}
}

// Health names the server whose keys cannot be had.
func TestExchangeCheck(t *testing.T) {
	s := tokentest.Serve(t, keys().issuer)
	client := token.NewClient(s.TLS(), nil)
	e := token.NewExchange(token.ExchangeOptions{Hosts: []string{s.Host}, Audience: func(string) bool { return true }, Fetch: client.Metadata, Now: clock})
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	s.Answer(http.NotFound)
	e = token.NewExchange(token.ExchangeOptions{Hosts: []string{s.Host}, Audience: func(string) bool { return true }, Fetch: client.Metadata, Now: clock})
	if err := e.Check(t.Context()); err == nil || !strings.Contains(err.Error(), s.Host) {
		t.Error(err)
	}
}
