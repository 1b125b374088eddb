package dmdaweb

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Who may speak for an account: its certificate, its password where it has no certificate, both where it has both and the profile asks.
func TestWaysIn(t *testing.T) {
	for _, name := range shipped {
		d := newDesk(t, profile(t, name))
		other, err := d.tls.Client(time.Now(), "other")
		d.check(err)
		foreign := newDesk(t, profile(t, name)).firma // of another authority
		asks := name == "mentana"
		for what, c := range map[string]struct {
			with     []tls.Certificate
			account  string
			user     string
			password string
			ok       bool
		}{
			"right":              {[]tls.Certificate{d.firma}, "firma & <söhne>", "gateway", password, true},
			"no certificate":     {nil, "firma & <söhne>", "gateway", password, false},
			"another's":          {[]tls.Certificate{other}, "firma & <söhne>", "gateway", password, false},
			"wrong password":     {[]tls.Certificate{d.firma}, "firma & <söhne>", "gateway", "wrong", !asks},
			"wrong user":         {[]tls.Certificate{d.firma}, "firma & <söhne>", "nobody", password, !asks},
			"another's account":  {[]tls.Certificate{d.firma}, "max", "gateway", password, false},
			"no such account":    {[]tls.Certificate{d.firma}, "x", "gateway", password, false},
			"by password":        {nil, "stadt", "stadt", "stadt", asks},
			"opened by nothing":  {nil, "max", "", "", false},
			"password, of other": {[]tls.Certificate{d.firma}, "stadt", "stadt", password, false},
		} {
			p := d.client(func(o *webservice.Options) {
				o.HTTP, o.Account, o.User, o.Password = d.http(c.with...), c.account, c.user, secret.New(c.password)
			})
			_, err := p.Domains(t.Context())
			if (err == nil) != c.ok || err != nil && connectors.Class(err) != connectors.ErrLogin {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if why := d.last().Why; !c.ok && (why == "" || strings.Contains(why, password)) {
				t.Errorf("%s, %s: the provider says %q", name, what, why)
			}
		}
		if _, err := d.client(func(o *webservice.Options) { o.HTTP = d.http(foreign) }).Domains(t.Context()); err == nil {
			t.Errorf("%s: a certificate of another authority lets in", name)
		}
	}
}

// A login by password alone is of level normal: what is for level high is refused, and the day has a limit.
func TestLevels(t *testing.T) {
	d := newDesk(t, profile(t, "mentana"))
	p := d.client(func(o *webservice.Options) {
		o.HTTP, o.Account, o.User, o.Password = d.http(), "stadt", "stadt", secret.New("stadt")
	})
	if _, err := p.Submit(t.Context(), message(t, "1", "amt@stadt.de-mail.de", demail.Options{Authoritative: true}, "post@firma.de-mail.de")); connectors.Class(err) != connectors.ErrNotEntitled {
		t.Error(err)
	}
	for i := range demail.MaxPerDay + 1 {
		_, err := p.Submit(t.Context(), message(t, strings.Repeat("k", i+1), "amt@stadt.de-mail.de", demail.Options{}, "post@firma.de-mail.de"))
		if want := map[bool]connectors.Outcome{true: connectors.Taken, false: connectors.Later}[i < demail.MaxPerDay]; connectors.OutcomeOf(err) != want {
			t.Fatal(i, err)
		}
	}
}

// A session ends by itself, at the provider's wish, and where another certificate comes with it; the client logs in again.
func TestSessions(t *testing.T) {
	d := newDesk(t, profile(t, "mentana"))
	p := d.client()
	ask := func(want int) {
		t.Helper()
		if _, err := p.Domains(t.Context()); err != nil {
			t.Error(err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		n := 0
		for _, e := range d.events {
			if e.Operation == webservice.OpLogin {
				n++
			}
		}
		if n != want {
			t.Errorf("%d logins, not %d", n, want)
		}
	}
	ask(1)
	ask(1)
	d.pass(11 * time.Minute)
	ask(2)
	d.handler.Expire()
	ask(3)
	other, err := d.tls.Client(time.Now(), "other")
	d.check(err)
	token := ""
	for token = range d.handler.sessions {
	}
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="urn:siegel:example:mentana:demail"><s:Body><m:domains session="` + token + `"/></s:Body></s:Envelope>`
	for want, with := range map[string][]tls.Certificate{"": {d.firma}, string(webservice.SessionExpired): {other}, string(webservice.SessionExpired) + " ": nil} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.web.URL+"/services/mail", strings.NewReader(body))
		d.check(err)
		r.Header.Set("Content-Type", "text/xml")
		r.Header.Set("SOAPAction", `"urn:domains"`)
		response, err := d.http(with...).Do(r)
		d.check(err)
		response.Body.Close()
		if e := d.last(); string(e.Class) != strings.TrimSpace(want) || e.Operation != webservice.OpDomains {
			t.Errorf("%q: %+v", want, e)
		}
	}
}

// Sessions by cookie work as those by token.
func TestCookie(t *testing.T) {
	p := profile(t, "mentana", "session: token", "session: cookie", ` session="${session}"`, "")
	d := newDesk(t, p)
	c := d.client()
	for range 2 {
		if got, err := c.Domains(t.Context()); err != nil || !slices.Equal(got, []string{"firma.de-mail.de"}) {
			t.Fatal(got, err)
		}
	}
	if len(d.handler.sessions) != 1 {
		t.Error(len(d.handler.sessions))
	}
}

// Sessions are bounded: the oldest ends.
func TestManySessions(t *testing.T) {
	d := newDesk(t, profile(t, "mentana"))
	x := &exchange{h: d.handler, in: &http.Request{}, request: &webservice.Request{Values: webservice.Values{}}}
	first := ""
	for i := range maxSessions + 1 {
		d.pass(time.Second)
		x.begin(&d.handler.o.Accounts[0], demail.LevelHigh)
		if i == 0 {
			first = x.text("session")
		}
	}
	if _, there := d.handler.sessions[first]; there || len(d.handler.sessions) != maxSessions {
		t.Error(there, len(d.handler.sessions))
	}
}
