// Package tokentest issues tokens as Entra ID and Exchange do, for tests, and serves the keys to check them; it is no issuer that anybody should believe.
package tokentest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The company of these tests, at Entra ID.
const (
	Tenant = "6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"
	Client = "0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f"
	User   = "5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f"
	Scope  = "access_as_user"
)

// Claims are those of a token, or the members of its header.
type Claims map[string]any

// With is c with other claims; one that is nil is absent.
func (c Claims) With(more Claims) Claims {
	out := Claims{}
	for k, v := range c {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
		if v == nil {
			delete(out, k)
		}
	}
	return out
}

// Key is a key that signs tokens.
type Key struct {
	ID      string // the hash of its certificate, as kid and x5t have it
	Private *rsa.PrivateKey
	DER     []byte // of the certificate
}

// NewKey makes a key of so many bits, with a certificate that signs itself and is valid around now.
func NewKey(t testing.TB, bits int, now time.Time) *Key {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Token Signing"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(365 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(der)
	return &Key{base64.RawURLEncoding.EncodeToString(sum[:]), key, der}
}

// PEM is the private key as programs read it.
func (k *Key) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.Private)})
}

// Sign makes a token.
func (k *Key) Sign(t testing.TB, header, claims Claims) string {
	t.Helper()
	return k.SignText(t, text(t, header), text(t, claims))
}

// SignText makes a token whose parts are these texts.
func (k *Key) SignText(t testing.TB, header, claims []byte) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.Private, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func text(t testing.TB, c Claims) []byte {
	t.Helper()
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// EntraHeader is the header of a token of Entra ID.
func (k *Key) EntraHeader() Claims { return Claims{"typ": "JWT", "alg": "RS256", "kid": k.ID} }

// ExchangeHeader is the header of a token of Exchange.
func (k *Key) ExchangeHeader() Claims { return Claims{"typ": "JWT", "alg": "RS256", "x5t": k.ID} }

// EntraV2 are the claims of an access token of version 2.0.
func EntraV2(authority string, now time.Time) Claims {
	return Claims{
		"aud": Client, "iss": authority + "/" + Tenant + "/v2.0", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"azp": Client, "azpacr": "0", "name": "Alice", "oid": User, "preferred_username": "alice@firma.example", "scp": Scope,
		"sub": "q6z-ot0uVXy_hYxOvV_j4WQlYTUpUGWmRyHGwDhnyZc", "tid": Tenant, "uti": "x", "ver": "2.0", "upn": "alice@firma.example",
	}
}

// EntraV1 are the claims of an access token of version 1.0, whose issuer is another for each cloud.
func EntraV1(issuer string, now time.Time) Claims {
	return Claims{
		"aud": "api://" + Client, "iss": issuer + "/" + Tenant + "/", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"acr": "1", "amr": []string{"pwd"}, "appid": Client, "appidacr": "0", "oid": User, "scp": "openid " + Scope,
		"sub": "q6z", "tid": Tenant, "unique_name": "alice@firma.example", "upn": "alice@firma.example", "ver": "1.0",
	}
}

// Mailbox is the ID of a mailbox, as tokens of Exchange have it.
const Mailbox = "53e925fa-76ba-45e1-be0f-4ef08b59d389@mail.firma.example"

// Exchange are the claims of an identity token of the server at host, with its port, for a page. Exchange writes times, and the context, as strings.
func Exchange(t testing.TB, host, page string, now time.Time) Claims {
	return Claims{
		"aud": page, "iss": "00000002-0000-0ff1-ce00-000000000000@firma.example",
		"nbf": seconds(now), "exp": seconds(now.Add(8 * time.Hour)),
		"appctxsender": "00000002-0000-0ff1-ce00-000000000000@firma.example", "isbrowserhostedapp": "true",
		"appctx": string(text(t, Context(host))),
	}
}

// Context is the context of a token of Exchange.
func Context(host string) Claims {
	return Claims{"msexchuid": Mailbox, "version": "ExIdTok.V1", "amurl": "https://" + host + "/autodiscover/metadata/json/1"}
}

func seconds(t time.Time) string { return big.NewInt(t.Unix()).String() }

// KeySet is a JWK set with keys.
func KeySet(t testing.TB, keys ...*Key) []byte {
	var all []Claims
	for _, k := range keys {
		all = append(all, Claims{
			"kty": "RSA", "use": "sig", "kid": k.ID, "x5t": k.ID, "n": base64.RawURLEncoding.EncodeToString(k.Private.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.Private.E)).Bytes()), "x5c": []string{base64.StdEncoding.EncodeToString(k.DER)},
		})
	}
	return text(t, Claims{"keys": all})
}

// Metadata is the metadata document of an Exchange server with keys.
func Metadata(t testing.TB, keys ...*Key) []byte {
	var all []Claims
	for _, k := range keys {
		all = append(all, Claims{
			"usage": "signing", "keyinfo": Claims{"x5t": k.ID}, "keyvalue": Claims{"type": "x509Certificate", "value": base64.StdEncoding.EncodeToString(k.DER)},
		})
	}
	return text(t, Claims{
		"id": "_70b34511-d105-4e2b-9675-39f53305bb01", "version": "1.0", "name": "Exchange", "realm": "*", "serviceName": "00000002-0000-0ff1-ce00-000000000000",
		"issuer": "00000002-0000-0ff1-ce00-000000000000@*", "allowedAudiences": []string{"00000002-0000-0ff1-ce00-000000000000@*"}, "keys": all,
	})
}

// Service is Entra ID and an Exchange server at once, on the loopback address, by TLS.
type Service struct {
	URL   string // as outlook.entra.authority has it
	Host  string // with its port, as outlook.exchange.hosts has it
	Roots *x509.CertPool
	PEM   []byte // of the certificate of the server, which is its own authority

	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int64
}

// Serve starts a Service that has keys, until the test ends.
func Serve(t testing.TB, keys ...*Key) *Service {
	t.Helper()
	s := &Service{}
	s.Have(t, keys...)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL, s.Host = server.URL, strings.TrimPrefix(server.URL, "https://")
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(server.Certificate())
	s.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return s
}

// Have has it serve other keys.
func (s *Service) Have(t testing.TB, keys ...*Key) {
	set, metadata := KeySet(t, keys...), Metadata(t, keys...)
	s.Answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch r.URL.Path {
		case "/" + Tenant + "/discovery/v2.0/keys":
			w.Write(set)
		case "/autodiscover/metadata/json/1":
			w.Write(metadata)
		default:
			http.NotFound(w, r)
		}
	})
}

// Answer has it answer by f.
func (s *Service) Answer(f http.HandlerFunc) { s.answer.Store(&f) }

// Asked is how many requests came.
func (s *Service) Asked() int { return int(s.asked.Load()) }

// TLS is how a client believes it.
func (s *Service) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}
