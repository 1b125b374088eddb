package addin_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// now is the time of the tests.
var now = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

var signer = sync.OnceValue(func() *tokentest.Key { return tokentest.NewKey(new(testing.T), 2048, now) })

const (
	origin    = "https://siegel.firma.example:8443"
	authority = "https://login.microsoftonline.com"
)

// oracle is a fake of the gateway: it answers with what it is told, and keeps what it was asked.
type oracle struct {
	mu     sync.Mutex
	answer explain.Answer
	err    error
	asked  []explain.Question
	hold   chan struct{} // not nil: it waits for this, or for the end of the time
	begun  chan struct{} // not nil: told of each question
}

func (o *oracle) Explain(ctx context.Context, q explain.Question) (explain.Answer, error) {
	o.mu.Lock()
	o.asked = append(o.asked, q)
	answer, err, hold := o.answer, o.err, o.hold
	o.mu.Unlock()
	if o.begun != nil {
		o.begun <- struct{}{}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return explain.Answer{}, ctx.Err()
		}
	}
	if err == nil && answer.Recipients == nil {
		for _, to := range append(append(append([]string{}, q.To...), q.Cc...), q.Bcc...) {
			answer.Recipients = append(answer.Recipients, explain.Recipient{To: to, Way: explain.SMTP, Sign: explain.Yes, Encrypt: explain.No})
		}
	}
	return answer, err
}

func (o *oracle) questions() []explain.Question {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]explain.Question{}, o.asked...)
}

// stand is a server that was not started, with its log and its clock.
type stand struct {
	*addin.Server
	oracle *oracle
	setup  addin.Setup
	log    *logtest.Hook
	mu     sync.Mutex
	time   time.Time
}

func (s *stand) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = s.time.Add(d)
}

func patterns(t testing.TB, texts ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newStand has a server that believes tokens of Entra ID and Exchange which signer signed, and whoever is in 10.1.0.0/16.
func newStand(t testing.TB, change func(*addin.Setup)) *stand {
	t.Helper()
	s := &stand{oracle: new(oracle), time: now}
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	s.log = hook
	set, err := token.ParseKeySet(tokentest.KeySet(t, signer()))
	if err != nil {
		t.Fatal(err)
	}
	documents, err := token.ParseMetadata(tokentest.Metadata(t, signer()))
	if err != nil {
		t.Fatal(err)
	}
	given := func(keys []token.Key) func(context.Context) ([]token.Key, error) {
		return func(context.Context) ([]token.Key, error) { return keys, nil }
	}
	profile, _ := tlspolicy.Builtin("compatible")
	pair := tlstest.NewCA(t, tlstest.P256).Issue(tlstest.P256, nil, "siegel.firma.example")
	local := patterns(t, "@firma.example")
	table, faults := addin.ParseTable(tokentest.Mailbox + ": bob@firma.example, info@firma.example\n")
	if faults != nil {
		t.Fatal(faults)
	}
	s.setup = addin.Setup{
		Origin: origin, TLS: profile,
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair.Certificate, nil },
		Settings:    addin.Settings{Language: "de", Tags: addin.Tags{Sign: []string{"[sign]"}}},
		Pages: addin.Pages{
			Files:     fstest.MapFS{"read.html": {Data: []byte("<!doctype html>")}, "site.js": {Data: []byte("'use strict'")}, "icons/a.png": {Data: []byte("\x89PNG")}},
			Documents: map[string][]byte{"/.well-known/a.json": []byte("{}")}, Policy: "default-src 'none'; script-src 'self'", Frames: []string{"https://owa.firma.example"},
		},
		Verifier: token.Verifier{
			Entra: token.NewEntra(token.EntraOptions{
				Tenant: tokentest.Tenant, Client: tokentest.Client, Audiences: []string{tokentest.Client}, Scope: tokentest.Scope, Authority: authority,
				Keys: token.NewKeys(given(set), s.now), Now: s.now,
			}),
			Exchange: token.NewExchange(token.ExchangeOptions{
				Hosts: []string{"mail.firma.example"}, Audience: addin.PageOf(origin),
				Fetch: func(string) func(context.Context) ([]token.Key, error) { return given(documents) }, Now: s.now,
			}),
		},
		Users:    addin.NewUsers(addin.UsersOptions{Table: table, Local: local, Now: s.now}),
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, SpeakFor: patterns(t, "@firma.example"),
		Bounds: addin.Bounds{PerMinute: 10, RecipientsPerHour: 20, Recipients: 15, Timeout: time.Minute},
	}
	if change != nil {
		change(&s.setup)
	}
	if s.Server, err = addin.New(addin.Options{Address: "127.0.0.1:0", Explain: s.oracle, Log: log, Now: s.now, Setup: s.setup}); err != nil {
		t.Fatal(err)
	}
	return s
}

// entra is a token of Alice.
func (s *stand) entra(t testing.TB, change tokentest.Claims) string {
	return signer().Sign(t, signer().EntraHeader(), tokentest.EntraV2(authority, s.now()).With(change))
}

// exchange is a token of Bob.
func (s *stand) exchange(t testing.TB, change tokentest.Claims) string {
	return signer().Sign(t, signer().ExchangeHeader(), tokentest.Exchange(t, "mail.firma.example:443", origin+"/outlook/read.html", s.now()).With(change))
}

// outside is an address from which nobody may ask without a token.
const (
	outside = "203.0.113.9:4711"
	inside  = "10.1.2.3:4711"
)

// request is a request as it comes by a connection.
func request(method, path, from, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, origin+path, strings.NewReader(body))
	r.RemoteAddr = from
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// do answers a request.
func (s *stand) do(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	s.Direct().ServeHTTP(w, r)
	return w.Result()
}

// ask puts a question with a token; none where it is empty.
func (s *stand) ask(from, bearer, body string, header ...string) *http.Response {
	if bearer != "" {
		header = append(header, "Authorization", "Bearer "+bearer)
	}
	return s.do(request(http.MethodPost, addin.ExplainPath, from, body, header...))
}

// question is the body of a question from somebody to others.
func question(from string, to ...string) string {
	text, err := json.Marshal(addin.Question{From: from, To: to})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// problemOf is the problem in an answer, which must have a status.
func problemOf(t testing.TB, r *http.Response, status int) addin.ProblemText {
	t.Helper()
	var p addin.Problem
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != status || json.Unmarshal(body, &p) != nil || p.Error.Code == "" || p.Error.De == "" || p.Error.En == "" {
		t.Errorf("status %d, want %d: %s", r.StatusCode, status, body)
	}
	if kind := r.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a problem of type %s, kept %s", kind, r.Header.Get("Cache-Control"))
	}
	return p.Error
}

// answerOf is the answer, which must be one.
func answerOf(t testing.TB, r *http.Response) addin.Answer {
	t.Helper()
	var a addin.Answer
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != http.StatusOK || json.Unmarshal(body, &a) != nil {
		t.Fatalf("status %d: %s", r.StatusCode, body)
	}
	return a
}

var errBroken = errors.New("the certificate of bob@partner.example is broken")
