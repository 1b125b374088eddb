package dmdaweb_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdatest"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

const secretWord = "Passwort-<&>-geheim"

// maker makes what a stand needs.
type maker struct {
	testing.TB
	hours atomic.Int64
}

func (m *maker) check(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *maker) now() time.Time {
	return time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC).Add(time.Duration(m.hours.Load()) * time.Hour)
}

func (m *maker) address(s string) demail.Address {
	a, err := demail.ParseAddress(s)
	m.check(err)
	return a
}

func (m *maker) spool() *atrest.Spool {
	s, err := atrest.NewSpool(m.TempDir(), atrest.NewKey(), 0)
	m.check(err)
	return s
}

// stand is a connector with a simulated provider behind mutual TLS.
func stand(t *testing.T, p *webservice.Profile) connectortest.Stand {
	m := &maker{TB: t}
	authority, err := dmda.NewAuthority(m.now())
	m.check(err)
	seal, err := authority.Sealer("anbieter.example", m.now())
	m.check(err)
	provider, err := dmda.NewNetwork(m.now).Add("anbieter.example", seal)
	m.check(err)
	b := &dmdatest.Back{At: provider, FarAt: provider, Pass: func(d time.Duration) { m.hours.Add(int64(d / time.Hour)) },
		Own: dmda.Account{Holder: "Firma GmbH", Addresses: []demail.Address{m.address("post@firma.de-mail.de")}, Highest: demail.LevelHigh},
		Far: dmda.Account{Holder: "Stadt Musterstadt", Addresses: []demail.Address{m.address("amt@stadt.de-mail.de")}, Highest: demail.LevelHigh}}
	m.check(provider.Open(b.Own))
	m.check(provider.Open(b.Far))
	forTLS, err := dmda.NewAuthority(time.Now())
	m.check(err)
	client, err := forTLS.Client(time.Now(), "firma")
	m.check(err)
	server, err := forTLS.Server(time.Now(), "127.0.0.1")
	m.check(err)
	b.Handler, err = dmdaweb.New(dmdaweb.Options{Provider: provider, Profile: p, Spool: m.spool(), Now: m.now, Log: b.Log, Accounts: []dmdaweb.Account{{
		Name: "firma", Address: b.Own.Addresses[0], User: "gateway", Password: secret.New(secretWord), Keys: [][32]byte{sha256.Sum256(client.Leaf.RawSubjectPublicKeyInfo)}}}})
	m.check(err)
	pool := x509.NewCertPool()
	pool.AddCert(forTLS.Certificate)
	web := httptest.NewUnstartedServer(b.Handler)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	web.StartTLS()
	t.Cleanup(web.Close)
	t.Cleanup(b.Handler.Close)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{client}}}
	t.Cleanup(transport.CloseIdleConnections)
	b.HTTP = transport
	c, err := webservice.New(webservice.Options{Profile: p, URL: web.URL, HTTP: &http.Client{Transport: b}, Account: "firma", User: "gateway", Password: secret.New(secretWord), Spool: m.spool(), Now: m.now})
	m.check(err)
	return connectortest.Stand{Provider: webservice.NewProvider(c), Back: b, Sender: b.Own.Addresses[0], Recipient: b.Far.Addresses[0],
		Missing: m.address("niemand@stadt.de-mail.example"), Secrets: []string{secretWord, "SIMULATED-"}}
}

// The connector keeps the whole contract with the simulated provider behind mutual TLS, with both shipped profiles.
func TestContract(t *testing.T) {
	for _, name := range []string{"t-systems", "mentana"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", "..", "configs", "connectors", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := webservice.Load(strings.NewReader(strings.Replace(string(text), "answer: 4MiB", "answer: 128KiB", 1)), name) // so that too large is not slow
			if err != nil {
				t.Fatal(err)
			}
			connectortest.Run(t, func(t *testing.T) connectortest.Stand { return stand(t, p) })
		})
	}
}
