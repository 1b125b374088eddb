package rehearsal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// profiles are the shipped ones.
func profiles(tb testing.TB) []*webservice.Profile {
	tb.Helper()
	var out []*webservice.Profile
	for _, name := range []string{"t-systems", "mentana"} {
		p, err := webservice.LoadFile(filepath.Join("..", "..", "..", "configs", "connectors", name+".yaml"))
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func options(tb testing.TB) Options {
	tb.Helper()
	spool, err := atrest.NewSpool(tb.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		tb.Fatal(err)
	}
	return Options{Profiles: profiles(tb), Listen: "127.0.0.1:0", Spool: spool}
}

func start(tb testing.TB, o Options) *World {
	tb.Helper()
	w, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.Close)
	return w
}

func connector(tb testing.TB, w *World, company string, p *webservice.Profile) *webservice.Provider {
	tb.Helper()
	c, err := w.Connector(company, p)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func message(tb testing.TB, key string, from, to Company, o demail.Options) connectors.Message {
	tb.Helper()
	sender, err := demail.ParseAddress(from.Address)
	if err != nil {
		tb.Fatal(err)
	}
	recipient, err := demail.ParseAddress(to.Address)
	if err != nil {
		tb.Fatal(err)
	}
	return connectors.Message{Key: key, Sender: sender, Options: o, Recipients: demail.Recipients{To: []demail.Mailbox{{Address: recipient}}},
		Content: connectortest.Content("From: " + from.Address + "\r\nTo: " + to.Address + "\r\nSubject: Guten Tag\r\nMessage-ID: <" + key + "@x>\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\n\r\nGuten Tag\r\n")}
}

// judge believes whom the authority of a world has issued to.
type judge struct{ root *x509.Certificate }

func (j judge) Judge(_ context.Context, c demail.Claim) demail.Verdict {
	pool := x509.NewCertPool()
	pool.AddCert(j.root)
	chains, err := c.Certificate.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: c.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return demail.Verdict{Reason: "unknown"}
	}
	return demail.Verdict{Standing: demail.StandingTrusted, Chain: chains[0][1:]}
}

// fetch empties a mailbox, and names what was in it with what its signatures are worth.
func fetch(tb testing.TB, w *World, p connectors.Provider) []string {
	tb.Helper()
	v := demail.Verifier{Trust: judge{w.Keys.Signing.Certificate}, Now: time.Now}
	var out []string
	err := p.Fetch(tb.Context(), func(ctx context.Context, in connectors.Incoming) error {
		r := bufio.NewReader(in.Content)
		h, err := demail.ReadHeader(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		m, err := demail.ParseMetadata(h)
		if err != nil {
			return err
		}
		worth := ""
		if m.Type.Confirmation() {
			c, err := v.Confirmation(ctx, h, bytes.NewReader(body))
			if err != nil {
				return err
			}
			worth = fmt.Sprint(" proven ", c.Proven())
		} else if r, err := v.Message(ctx, h, bytes.NewReader(body)); err == nil {
			worth = fmt.Sprint(" ", r.State)
		}
		out = append(out, string(m.Type)+" "+m.PrivateID+worth)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// A message goes from one company to the other and back, by every profile, and its confirmations can be proven.
func TestWorld(t *testing.T) {
	w := start(t, options(t))
	all := Companies()
	for i, p := range w.o.Profiles {
		firma, stadt := connector(t, w, "firma", p), connector(t, w, "stadt", p)
		key := fmt.Sprint("k", i)
		if _, err := firma.Submit(t.Context(), message(t, key, all[0], all[1], demail.Options{Dispatch: true, Receipt: true, Authoritative: true})); err != nil {
			t.Fatal(err)
		}
		if got, want := fetch(t, w, stadt), []string{"normal " + key + " trusted", "confirmation of receipt " + key + " proven true"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q", p.Name, got)
		}
		if got, want := fetch(t, w, firma), []string{"confirmation of dispatch " + key + " proven true", "confirmation of receipt " + key + " proven true"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q", p.Name, got)
		}
		// The town hall may ask for a confirmation of retrieve, which the next login at level high gives.
		if _, err := stadt.Submit(t.Context(), message(t, key, all[1], all[0], demail.Options{Retrieve: true})); err != nil {
			t.Fatal(err)
		}
		again := connector(t, w, "firma", p)
		if got := fetch(t, w, again); len(got) != 2 || got[0] != "normal "+key+" hashed" || got[1] != "confirmation of retrieve "+key+" proven true" {
			t.Errorf("%s: %q", p.Name, got)
		}
		if got := fetch(t, w, stadt); len(got) != 1 || got[0] != "confirmation of retrieve "+key+" proven true" {
			t.Errorf("%s: %q", p.Name, got)
		}
	}
}

// Nobody gets into another's account: neither by its name with his own certificate, nor at another provider.
func TestStrangers(t *testing.T) {
	w := start(t, options(t))
	all := Companies()
	for name, c := range map[string]struct {
		company, certificate string
		url                  int
	}{
		"another's certificate": {"firma", "stadt", 0}, "the operator's": {"firma", Operator, 0}, "another provider": {"firma", "firma", 1},
	} {
		company := all[slices.IndexFunc(all, func(o Company) bool { return o.Name == c.company })]
		for _, p := range w.o.Profiles {
			s, err := Connect(company, p, w.Providers[c.url].URL, w.Keys.TLS.Certificate, w.Keys.Clients[c.certificate], w.Keys.Passwords[c.company], w.o.Spool)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Domains(t.Context()); connectors.Class(err) != connectors.ErrLogin {
				t.Errorf("%s, %s: %v", name, p.Name, err)
			}
		}
	}
	if _, err := w.Connector("nobody", w.o.Profiles[0]); err == nil {
		t.Error("a company that is none")
	}
}

// A certificate of another authority, such as one on a card, opens the account that knows it and no other; the company's own one does still.
func TestOtherClients(t *testing.T) {
	keys, err := NewKeys(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	authority, err := dmda.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	card, err := authority.Client(time.Now(), "card")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := authority.Client(time.Now(), "stranger")
	if err != nil {
		t.Fatal(err)
	}
	for _, mutual := range []bool{false, true} {
		o := options(t)
		o.Keys, o.TLS.Mutual, o.Clients = keys, mutual, map[string][]*x509.Certificate{"firma": {card.Leaf}}
		w := start(t, o)
		for name, c := range map[string]struct {
			certificate tls.Certificate
			ok          bool
		}{"card": {card, true}, "own": {keys.Clients["firma"], true}, "stranger": {stranger, false}, "stadt": {keys.Clients["stadt"], false}} {
			p, err := Connect(Companies()[0], w.o.Profiles[0], w.Providers[0].URL, keys.TLS.Certificate, c.certificate, keys.Passwords["firma"], o.Spool)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Domains(t.Context()); (err == nil) != c.ok || err != nil && connectors.Class(err) != connectors.ErrLogin {
				t.Errorf("%s, %v: %v", name, mutual, err)
			}
		}
		if _, err := ask(t, HTTP(keys.TLS.Certificate, card), http.MethodPost, w.Providers[0].URL+FaultsPath, "down"); err == nil {
			t.Error("the card is the operator's")
		}
	}
}

// What connections may be like can be restricted.
func TestRestrictions(t *testing.T) {
	keys, err := NewKeys(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tls    TLS
		client func(*tls.Config)
		ok     bool
	}{
		"none":                   {TLS{}, func(c *tls.Config) { c.Certificates = nil }, true},
		"without a certificate":  {TLS{Mutual: true}, func(c *tls.Config) { c.Certificates = nil }, false},
		"with one":               {TLS{Mutual: true}, func(*tls.Config) {}, true},
		"too new":                {TLS{Only12: true}, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, false},
		"old enough":             {TLS{Only12: true}, func(*tls.Config) {}, true},
		"another curve":          {TLS{P521: true}, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256} }, false},
		"the curve":              {TLS{P521: true}, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }, true},
		"who believes strangers": {TLS{}, func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.TLS, o.Keys = c.tls, keys
			w := start(t, o)
			client := HTTP(keys.TLS.Certificate, keys.Clients["firma"])
			c.client(client.Transport.(*http.Transport).TLSClientConfig)
			text, err := get(t, client, w.Providers[0].URL+"/")
			if (err == nil) != c.ok || c.ok && !strings.HasPrefix(text, "SIMULATED") {
				t.Error(text, err)
			}
		})
	}
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	return ask(t, c, http.MethodGet, url, "")
}

func ask(t *testing.T, c *http.Client, method, url, body string) (string, error) {
	t.Helper()
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return string(text), err
}

// Every page says that it is simulated; the operator alone changes faults.
func TestPages(t *testing.T) {
	w := start(t, options(t))
	operator, firma := HTTP(w.Keys.TLS.Certificate, w.Keys.Clients[Operator]), HTTP(w.Keys.TLS.Certificate, w.Keys.Clients["firma"])
	url := w.Providers[0].URL
	for _, c := range []struct {
		client             *http.Client
		method, path, body string
		want               string
		ok                 bool
	}{
		{firma, "GET", "/", "", "Account firma", true},
		{firma, "GET", "/elsewhere", "", "nothing here", false},
		{firma, "GET", FaultsPath, "", "alone", false},
		{firma, "POST", FaultsPath, "down", "alone", false},
		{operator, "GET", FaultsPath, "", "none", true},
		{operator, "POST", FaultsPath, "lost@submit*1\n\nslow=5s\n", "lost@submit*1 (service 1)\nslow=5s (service 1)", true},
		{firma, "GET", "/", "", "Faults: lost@submit*1", true},
		{operator, "POST", FaultsPath, "nonsense", "KIND", false},
		{operator, "GET", FaultsPath, "", "lost@submit*1", true},
		{operator, "POST", FaultsPath + "?provider=anbieter-b.de-mail.de", "down", "down (service 2)", true},
		{operator, "GET", FaultsPath, "", "lost@submit*1", true},
		{operator, "POST", FaultsPath + "?provider=other", "down", "no provider", false},
		{operator, "POST", FaultsPath, "", "none", true},
	} {
		text, err := ask(t, c.client, c.method, url+c.path, c.body)
		if (err == nil) != c.ok || !strings.Contains(text, c.want) || c.body != "nonsense" && !strings.HasPrefix(text, "SIMULATED") {
			t.Errorf("%s %s: %q, %v", c.method, c.path, text, err)
		}
		if strings.Contains(text, w.Keys.Passwords["firma"].Reveal()) {
			t.Error("a page has a password")
		}
	}
	w.SetFaults("", dmdaweb.Fault{Kind: dmdaweb.Down})
	if _, err := connector(t, w, "stadt", w.o.Profiles[0]).Domains(t.Context()); connectors.Class(err) != connectors.ErrUnavailable {
		t.Error(err)
	}
	w.SetFaults("anbieter-b.de-mail.de")
	if _, err := connector(t, w, "stadt", w.o.Profiles[0]).Domains(t.Context()); err != nil {
		t.Error(err)
	}
}

// What cannot be started says why.
func TestStart(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no spool":        func(o *Options) { o.Spool = nil },
		"no profiles":     func(o *Options) { o.Profiles = nil },
		"one path twice":  func(o *Options) { o.Profiles = append(o.Profiles, o.Profiles[0]) },
		"no address":      func(o *Options) { o.Listen = "x" },
		"no port":         func(o *Options) { o.Listen = "127.0.0.1:x" },
		"no second port":  func(o *Options) { o.Listen = "127.0.0.1:65535" },
		"a port that is.": func(o *Options) { o.Listen = strings.TrimPrefix(start(t, *o).Providers[0].URL, "https://") },
		"no nginx":        func(o *Options) { o.TLS.Nginx = filepath.Join(t.TempDir(), "nginx") },
		"another program": func(o *Options) { o.TLS.Nginx = "/bin/false" },
	} {
		o := options(t)
		change(&o)
		if w, err := Start(o); err == nil {
			w.Close()
			t.Error(name)
		}
	}
}

// Keys that are kept are the same again; what is there and is none stays, and is an error.
func TestKeys(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "simulated"), time.Now()
	k, err := LoadKeys(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadKeys(dir, now)
	if err != nil || !again.TLS.Certificate.Equal(k.TLS.Certificate) || !again.Signing.Certificate.Equal(k.Signing.Certificate) ||
		again.Passwords["stadt"].Reveal() != k.Passwords["stadt"].Reveal() || !again.Clients["firma"].Leaf.Equal(k.Clients["firma"].Leaf) {
		t.Fatal("they are others", err)
	}
	o := options(t)
	o.Keys = again
	w := start(t, o)
	if _, err := connector(t, w, "firma", w.o.Profiles[0]).Domains(t.Context()); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if i, err := e.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), i.Mode(), err)
		}
	}
	if _, err := LoadKeys(dir, now.AddDate(2, 0, 0)); err == nil || !strings.Contains(err.Error(), "remove the folder") {
		t.Error(err)
	}
	for _, name := range []string{KeyFile("firma"), PasswordFile("stadt"), signingFile, tlsFile} {
		if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), maxFile+1), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(dir, now); err == nil || !strings.Contains(err.Error(), "another folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, tlsFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir, now); !errors.Is(err, os.ErrExist) {
		t.Error("keys were written over others:", err)
	}
}
