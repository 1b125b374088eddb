package outlook

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
)

// Users of both kinds learn what the rules of the running gateway do with their mail, and nobody else learns anything.
func TestExplain(t *testing.T) {
	w := newWorld(t, byEntra+byExchange)
	now := time.Now()
	alice := w.key.Sign(t, w.key.EntraHeader(), tokentest.EntraV2("https://"+w.issuers.Host, now))
	bob := w.key.Sign(t, w.key.ExchangeHeader(), tokentest.Exchange(t, w.issuers.Host, origin+"/outlook/read.html", now))
	for author, bearer := range map[string]string{"alice@firma.example": alice, "bob@firma.example": bob} {
		status, answer := w.explain(bearer, author, "carol@bank.example", "dave@partner.example", "erin@firma.example")
		if status != 200 || len(answer.Recipients) != 3 {
			t.Fatalf("%s: %d %+v; the log:\n%s", author, status, answer, w.gateway.Log())
		}
		bank, partner, inside := answer.Recipients[0], answer.Recipients[1], answer.Recipients[2]
		if !bank.Refused || !strings.Contains(bank.Text.En, "carol@bank.example") || !strings.Contains(bank.Text.De, "verschlüsselt") {
			t.Errorf("%s: the bank: %+v", author, bank)
		}
		if partner.Refused || partner.Way != "smtp" || partner.Sign || partner.Encrypt || !strings.Contains(partner.Text.En, "to nobody") {
			t.Errorf("%s: the partner: %+v", author, partner)
		}
		if inside.Refused || inside.Way != "internal" {
			t.Errorf("%s: inside: %+v", author, inside)
		}
		for _, k := range bank.Keys {
			if strings.Contains(k.By, "merger") {
				t.Errorf("%s: the answer names a rule: %+v", author, k)
			}
		}
	}
	for name, c := range map[string]struct {
		bearer, author string
		status         int
	}{
		"as somebody else":  {alice, "bob@firma.example", 403},
		"nobody":            {"", "alice@firma.example", 401},
		"a token of before": {w.key.Sign(t, w.key.EntraHeader(), tokentest.EntraV2("https://"+w.issuers.Host, now.Add(-3*time.Hour))), "alice@firma.example", 401},
		"another's key":     {tokentest.NewKey(t, 2048, now).Sign(t, w.key.EntraHeader(), tokentest.EntraV2("https://"+w.issuers.Host, now)), "alice@firma.example", 401},
		"another's server":  {w.key.Sign(t, w.key.ExchangeHeader(), tokentest.Exchange(t, "evil.example:443", origin+"/outlook/read.html", now)), "bob@firma.example", 401},
	} {
		if status, _ := w.explain(c.bearer, c.author, "carol@bank.example"); status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	if n := w.issuers.Asked(); n != 2 {
		t.Errorf("the issuers were asked for their keys %d times", n)
	}
	if log := w.gateway.Log(); strings.Contains(log, alice) || strings.Contains(log, bob) || strings.Contains(log, strings.Split(alice, ".")[2]) {
		t.Error("a token stands in the log")
	}
}

// The pages, the settings and the document for classic Outlook are served, and everything bears what browsers are held to.
func TestPages(t *testing.T) {
	w := newWorld(t, byEntra+"  frames: [\"https://owa.firma.example\"]\n")
	for path, kind := range map[string]string{
		"/outlook/read.html": "text/html; charset=utf-8", "/outlook/launch.js": "text/javascript; charset=utf-8", "/.well-known/microsoft-officeaddins-allowed.json": "application/json", addin.SettingsPath: "application/json; charset=utf-8",
	} {
		status, header, body := w.request(http.MethodGet, path, "", "")
		policy := header.Get("Content-Security-Policy")
		if status != 200 || header.Get("Content-Type") != kind || body == "" {
			t.Errorf("%s: %d %s", path, status, header.Get("Content-Type"))
		}
		for _, want := range []string{"https://appsforoffice.microsoft.com", "frame-ancestors 'self' https://outlook.office.com", "https://owa.firma.example", "https://" + w.issuers.Host} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, policy)
			}
		}
		if strings.Contains(body, "gateway.invalid") {
			t.Errorf("%s does not know where it is", path)
		}
	}
	var s addin.Settings
	_, _, body := w.request(http.MethodGet, addin.SettingsPath, "", "")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if s.Authentication != addin.ByEntra || s.Entra == nil || s.Entra.ClientID != tokentest.Client || s.Entra.Authority != "https://"+w.issuers.Host+"/"+tokentest.Tenant ||
		s.Entra.Scope != tokentest.Client+"/access_as_user" || len(s.Tags.Encrypt) == 0 || len(s.Tags.Plain) == 0 || s.DeMail.Enabled || len(s.DeMail.Options) != 5 || s.DeMail.Options[0].Tag == "" {
		t.Errorf("%s", body)
	}
}

// A reload changes who may ask; one that cannot be leaves what was.
func TestReload(t *testing.T) {
	w := newWorld(t, "  networks: [127.0.0.0/8]\n")
	if status, _ := w.explain("", "anybody@firma.example", "dave@partner.example"); status != 200 {
		t.Fatalf("from inside: %d; the log:\n%s", status, w.gateway.Log())
	}
	if status, _ := w.explain("", "anybody@partner.example", "dave@partner.example"); status != 403 {
		t.Errorf("for somebody outside: %d", status)
	}
	reload := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(w.config)
		if err != nil {
			t.Fatal(err)
		}
		w.write("siegel.yaml", []byte(strings.Replace(string(text), from, to, 1)))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := w.gateway.Reload(ctx); err != nil {
			t.Fatal(err)
		}
	}
	reload("networks: [127.0.0.0/8]\n", "networks: [127.0.0.0/8]\n  frames: [nowhere]\n")
	if status, _ := w.explain("", "anybody@firma.example", "dave@partner.example"); status != 200 {
		t.Errorf("after a reload that was refused: %d", status)
	}
	reload("networks: [127.0.0.0/8]\n  frames: [nowhere]\n", "networks: [10.0.0.0/8]\n")
	if status, _ := w.explain("", "anybody@firma.example", "dave@partner.example"); status != 401 {
		t.Errorf("from a network that is gone: %d", status)
	}
}
