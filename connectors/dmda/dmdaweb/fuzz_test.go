package dmdaweb

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// FuzzServe sends anything to the web service, as a company that is let in and as nobody: it answers or ends the connection, gives no secret away, and nobody
// acts who was not let in.
func FuzzServe(f *testing.F) {
	var desks []*desk
	for _, name := range shipped {
		p := profile(f, name)
		d := newDesk(f, p)
		d.handler.o.Certificate = d.claimed
		desks = append(desks, d)
		rendered, err := p.Check()
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range rendered {
			body := strings.NewReplacer("firma<", "firma &amp; &lt;söhne&gt;<", "sender@firma.de-mail.example", "post@firma.de-mail.de", "stadt.de-mail.example", "stadt.de-mail.de",
				`session="session"`, `session="TOKEN"`, ">password<", ">Passwort-&lt;&amp;&gt;-geheim<").Replace(string(r.Body))
			f.Add(r.Path, r.Header.Get("Content-Type"), r.Header.Get("Soapaction"), body, true)
			f.Add(r.Path, r.Header.Get("Content-Type"), r.Header.Get("Soapaction"), body, false)
		}
	}
	f.Fuzz(func(t *testing.T, path, kind, action, body string, known bool) {
		for _, d := range desks {
			d.fuzz(t, path, kind, action, body, known)
		}
	})
}

// fuzz makes one request.
func (d *desk) fuzz(t *testing.T, path, kind, action, body string, known bool) {
	d.mu.Lock()
	d.events = nil
	d.mu.Unlock()
	x := &exchange{h: d.handler, in: &http.Request{Header: http.Header{"Known": {"yes"}}}, request: &webservice.Request{Values: webservice.Values{}}}
	x.begin(&d.handler.o.Accounts[0], demail.LevelHigh)
	token := x.text("session")
	in := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(strings.NewReader(strings.ReplaceAll(body, "TOKEN", token))))
	in.URL.Path = path
	in.Header.Set("Content-Type", kind)
	in.Header.Set("SOAPAction", action)
	if known {
		in.Header.Set("Known", "yes")
	}
	out := httptest.NewRecorder()
	func() {
		defer func() {
			if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // as net/http has it
				panic(reason)
			}
		}()
		d.handler.ServeHTTP(out, in)
	}()
	said := out.Body.String()
	if strings.Contains(said, password) || strings.Contains(said, "Passwort-") {
		t.Fatalf("a password is told: %q", said)
	}
	if e := d.last(); !known && !e.Account.IsZero() && e.Account != address(t, "amt@stadt.de-mail.de") { // which a password opens
		t.Fatalf("somebody without a certificate acts: %+v", e)
	}
	d.handler.Expire()
	d.empty(t)
}

// claimed is the company's certificate where a request of the fuzzer is to have it.
func (d *desk) claimed(r *http.Request) *x509.Certificate {
	if r.Header.Get("Known") == "" {
		return nil
	}
	return d.firma.Leaf
}

// empty takes out what has come, so that memory stays bounded.
func (d *desk) empty(t *testing.T) {
	for _, a := range []string{"post@firma.de-mail.de", "amt@stadt.de-mail.de"} {
		s, err := d.provider.Login(address(t, a), demail.LevelHigh, "Test")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range s.List() {
			s.Acknowledge(w.ID)
		}
	}
}
