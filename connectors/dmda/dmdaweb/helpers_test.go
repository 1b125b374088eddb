package dmdaweb

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
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

const password = "Passwort-<&>-geheim"

func address(tb testing.TB, s string) demail.Address {
	tb.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func spool(tb testing.TB) *atrest.Spool {
	tb.Helper()
	s, err := atrest.NewSpool(tb.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// profile is a shipped one with replacements, pairs of old and new.
func profile(tb testing.TB, name string, changes ...string) *webservice.Profile {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "configs", "connectors", name+".yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			tb.Fatalf("%s holds no %q", name, changes[i])
		}
	}
	p, err := webservice.Load(strings.NewReader(strings.NewReplacer(changes...).Replace(string(text))), name)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

var shipped = []string{"t-systems", "mentana"}

// desk is a simulated provider with its web service, and a company and a town hall at it.
type desk struct {
	tb       testing.TB
	provider *dmda.Simulated
	handler  *Handler
	web      *httptest.Server
	tls      *dmda.Authority
	firma    tls.Certificate
	mu       sync.Mutex
	time     time.Time
	events   []Event
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.time
}

func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.time = d.time.Add(by)
}

func (d *desk) log(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// last is what the provider has noted last.
func (d *desk) last() Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events[len(d.events)-1]
}

func newDesk(tb testing.TB, p *webservice.Profile, alter ...func(*Options)) *desk {
	tb.Helper()
	d := &desk{tb: tb, time: time.Date(2026, 11, 26, 10, 0, 0, 0, time.FixedZone("CET", 3600))}
	signing, err := dmda.NewAuthority(d.time)
	d.check(err)
	d.tls, err = dmda.NewAuthority(time.Now())
	d.check(err)
	seal, err := signing.Sealer("anbieter.example", d.time)
	d.check(err)
	d.provider, err = dmda.NewNetwork(d.now).Add("anbieter.example", seal)
	d.check(err)
	for _, a := range []dmda.Account{
		{Holder: "Firma GmbH", Addresses: []demail.Address{address(tb, "post@firma.de-mail.de")}, Domains: []string{"firma.de-mail.de"}, Highest: demail.LevelHigh},
		{Holder: "Stadt Musterstadt", Addresses: []demail.Address{address(tb, "amt@stadt.de-mail.de")}, Highest: demail.LevelHigh, PublicBody: true},
		{Holder: "Max Muster", Addresses: []demail.Address{address(tb, "max.muster@anbieter.example")}, Highest: demail.LevelNormal},
	} {
		d.check(d.provider.Open(a))
	}
	d.firma, err = d.tls.Client(time.Now(), "firma")
	d.check(err)
	o := Options{Provider: d.provider, Profile: p, Spool: spool(tb), Now: d.now, Log: d.log, Accounts: []Account{
		{Name: "firma & <söhne>", Address: address(tb, "post@firma.de-mail.de"), User: "gateway", Password: secret.New(password), Keys: [][32]byte{keyOf(d.firma)}},
		{Name: "stadt", Address: address(tb, "amt@stadt.de-mail.de"), User: "stadt", Password: secret.New("stadt")},
		{Name: "max", Address: address(tb, "max.muster@anbieter.example")},
	}}
	for _, f := range alter {
		f(&o)
	}
	d.handler, err = New(o)
	d.check(err)
	d.serve()
	return d
}

// serve listens, by mutual TLS where the client has a certificate.
func (d *desk) serve() {
	server, err := d.tls.Server(time.Now(), "127.0.0.1")
	d.check(err)
	pool := x509.NewCertPool()
	pool.AddCert(d.tls.Certificate)
	d.web = httptest.NewUnstartedServer(d.handler)
	d.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.web.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	d.web.StartTLS()
	d.tb.Cleanup(d.web.Close)
	d.tb.Cleanup(d.handler.Close)
}

func (d *desk) check(err error) {
	d.tb.Helper()
	if err != nil {
		d.tb.Fatal(err)
	}
}

func keyOf(c tls.Certificate) [32]byte { return sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo) }

// http speaks to the provider with these certificates.
func (d *desk) http(certificates ...tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(d.tls.Certificate)
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}}
	d.tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// client is the company's, unless it is altered.
func (d *desk) client(alter ...func(*webservice.Options)) *webservice.Provider {
	d.tb.Helper()
	o := webservice.Options{Profile: d.handler.o.Profile, URL: d.web.URL, HTTP: d.http(d.firma), Account: "firma & <söhne>", User: "gateway",
		Password: secret.New(password), Spool: spool(d.tb), Now: d.now}
	for _, f := range alter {
		f(&o)
	}
	c, err := webservice.New(o)
	d.check(err)
	return webservice.NewProvider(c)
}

// message is one to send.
func message(tb testing.TB, key, from string, o demail.Options, to ...string) connectors.Message {
	tb.Helper()
	m := connectors.Message{Key: key, Sender: address(tb, from), Options: o,
		Content: held("From: " + from + "\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: Guten Tag\r\nMessage-ID: <" + key + "@x>\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\n\r\nGuten Tag\r\n")}
	for _, a := range to {
		m.Recipients.To = append(m.Recipients.To, demail.Mailbox{Address: address(tb, a)})
	}
	return m
}
