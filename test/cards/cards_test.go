package cards

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/test/postfix"
)

// Mail is signed by the card, and OpenSSL verifies it. While the card is pulled mail is taken and held, which the status, health, metrics and the log say;
// when it is back all of it leaves, and nobody has done anything else.
func TestSignedByCard(t *testing.T) {
	tlstest.Need(t, "openssl")
	w := newWorld(t, 3)
	pull := w.daemon.Plug(t, 0, w.card)
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.await("ready")
	w.send("first@partner.example")
	w.verified("first@partner.example")
	if got := w.await("ready"); got.Signatures != 1 || got.Serial != serial || got.Family != "tcos" || got.Reader == "" {
		t.Errorf("%+v", got)
	}

	pull()
	away := w.await("no-card")
	says(t, "the advice", away.Advice, "Put the card into the reader")
	for i := range 3 {
		w.send(fmt.Sprintf("held%d@partner.example", i))
	}
	if w.hop.has("held0@partner.example") {
		t.Error("mail left without the card")
	}
	says(t, "the list of the queue", w.siegel("queue", "list", "--socket", filepath.Join(w.dir, "run/control.sock"), "--state", "pending"), "pending", "card:berlin is not available")
	says(t, "health", w.get("/readyz"), "warning: smartcard berlin: ", "siegel smartcard status says what to do")
	says(t, "the metrics", w.get("/metrics"), `siegel_smartcard_ready{card="berlin"} 0`, `siegel_smartcard_condition{card="berlin",condition="no-card"} 1`)
	if err := w.gateway.WaitLog(w.within("the line of the log"), "the smart card cannot be used, and what needs its key waits: no-card.*condition=no-card.*smartcard=berlin"); err != nil {
		t.Error(err)
	}

	w.daemon.Plug(t, 0, w.card)
	for i := range 3 {
		w.verified(fmt.Sprintf("held%d@partner.example", i))
	}
	w.await("ready")
	if n := w.card.Counts().Refused; n != 0 {
		t.Errorf("%d PINs were refused", n)
	}
	if text := w.gateway.Log() + w.get("/metrics") + w.get("/readyz"); strings.Contains(text, pin) {
		t.Error("the PIN is told")
	}
}

// A wrong PIN is presented once, however often the gateway is started and told to read its configuration. The right one in its file is taken at the
// reload, and what waited leaves.
func TestWrongPINOnce(t *testing.T) {
	w := newWorld(t, 5)
	w.daemon.Plug(t, 0, w.card)
	w.write("card.pin", "999999\n")
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.send("waits@partner.example")
	w.await("pin-refused")
	for range 3 {
		if err := w.gateway.Reload(w.within("the reload")); err != nil {
			t.Fatal(err)
		}
		if err := w.gateway.Stop(w.within("the end")); err != nil {
			t.Fatal(err)
		}
		w.serve()
		w.await("pin-refused")
		w.send("also@partner.example")
	}
	w.gateway.Kill()
	w.serve()
	status := w.await("pin-refused")
	if c := w.card.Counts(); c.Presented != 1 || c.Refused != 1 || status.PINTries == nil || *status.PINTries != 4 {
		t.Fatalf("%+v, %+v", c, status)
	}
	says(t, "the advice", status.Advice, "Correct the PIN in the configuration")
	if w.hop.has("waits@partner.example") {
		t.Error("mail left without the card")
	}
	w.write("card.pin", pin)
	if err := w.gateway.Reload(w.within("the reload")); err != nil {
		t.Fatal(err)
	}
	w.verified("waits@partner.example")
	w.verified("also@partner.example")
	w.await("ready")
	if c := w.card.Counts(); c.Refused != 1 {
		t.Errorf("%+v", c)
	}
}

// After a refused PIN a card of three tries is left alone until a human presents the right one by the command; then what waited leaves.
func TestUnlocked(t *testing.T) {
	w := newWorld(t, 3)
	w.daemon.Plug(t, 0, w.card)
	w.write("card.pin", "999999")
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.send("waits@partner.example")
	w.await("pin-refused")
	w.write("card.pin", pin)
	if err := w.gateway.Reload(w.within("the reload")); err != nil {
		t.Fatal(err)
	}
	w.await("pin-few-tries")
	if c := w.card.Counts(); c.Presented != 1 {
		t.Fatalf("%+v", c)
	}
	w.siegel("smartcard", "unlock", "berlin", "--config", filepath.Join(w.dir, "siegel.yaml"), "--yes", "--pin-file", filepath.Join(w.dir, "card.pin"))
	w.verified("waits@partner.example")
	w.await("ready")
}

// The service is killed and started again while mail comes in: nothing is lost, and nobody has to do anything.
func TestServiceKilledUnderLoad(t *testing.T) {
	w := newWorld(t, 3)
	w.daemon.Plug(t, 0, w.card)
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.await("ready")
	sent := 0
	some := func() {
		for range 5 {
			w.send(fmt.Sprintf("r%d@partner.example", sent))
			sent++
		}
	}
	for range 2 {
		some()
		w.daemon.Stop()
		some()
		w.await("no-service")
		w.daemon.Restart(t)
		some()
		w.daemon.Plug(t, 0, w.card)
		some()
	}
	for i := range sent {
		w.verified(fmt.Sprintf("r%d@partner.example", i))
	}
	w.await("ready")
	if c := w.card.Counts(); c.Refused != 0 {
		t.Errorf("%+v", c)
	}
}

// A route shows itself by the card to a Postfix that takes nobody else, by the usual engine of TLS and by the one for old suites. While the card is away
// the mail is deferred for a reason that names the card, and no host is blamed; then it leaves by itself.
func TestRouteByCard(t *testing.T) {
	tlstest.Need(t, "postfix")
	w := newWorld(t, 3)
	pull := w.daemon.Plug(t, 0, w.card)
	far := w.demandingPostfix()
	host, port, _ := net.SplitHostPort(far.Addr())
	way := func(name, domain, profile string) string {
		return fmt.Sprintf(`{name: %s, domains: %s, host: %s, port: %s, tls: {mode: required, client_key: "card:berlin", profile: %s}}`, name, domain, host, port, profile)
	}
	w.configure("{sign: never, encrypt: never}", "tls: {profiles: [{name: old, inherit: de-mail-legacy, groups: [P-384, P-521]}]}",
		way("modern", "modern.example", "compatible"), way("old", "old.example", "old"))
	w.serve()
	w.await("ready")
	for _, to := range []string{"bob@modern.example", "bob@old.example"} {
		w.send(to)
		if _, err := far.Next(w.within("the message to "+to), to); err != nil {
			t.Fatalf("%v\n%s\n%s", err, w.gateway.Log(), far.Log())
		}
	}
	if n := len(regexp.MustCompile(`Trusted TLS connection established`).FindAllString(far.Log(), -1)); n != 2 {
		t.Errorf("Postfix trusted %d connections:\n%s", n, far.Log())
	}
	says(t, "Postfix's log", far.Log(), "ECDHE-RSA-AES256-SHA384")

	says(t, "siegel tls check", w.siegel("tls", "check", filepath.Join(w.dir, "siegel.yaml"), "--route", "old"), "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "fits")

	pull()
	w.await("no-card")
	w.gateway.Kill() // with it the connections and sessions that need no card any more
	w.serve()
	w.send("eve@modern.example")
	w.send("eve@old.example")
	for _, route := range []string{"modern", "old"} {
		if err := w.gateway.WaitLog(w.within("the deferral"), "deferred.*"+route+".*the client certificate cannot be shown: the smart card berlin cannot be used: no card is in the reader"); err != nil {
			t.Fatalf("%v\n%s", err, w.gateway.Log())
		}
	}
	w.daemon.Plug(t, 0, w.card)
	for _, to := range []string{"eve@modern.example", "eve@old.example"} {
		if _, err := far.Next(w.within("the message to "+to), to); err != nil {
			t.Fatalf("%v\n%s\n%s", err, w.gateway.Log(), far.Log())
		}
	}
}

// demandingPostfix starts a Postfix that takes mail over TLS alone, from clients with a certificate of the authority.
func (w *world) demandingPostfix() *postfix.Server {
	w.t.Helper()
	pair := tlstest.NewCA(w.t, tlstest.P256).Issue(tlstest.RSA2048, nil, "localhost")
	port := freeport.Port(w.t)
	s, err := postfix.Start(w.within("Postfix"), postfix.Options{
		Hostname: "mx.partner.example", Port: port, Mailboxes: []string{"bob@modern.example", "bob@old.example", "eve@modern.example", "eve@old.example"},
		Certificate: readFile(w.t, pair.CertFile), Key: readFile(w.t, pair.KeyFile),
		Settings: map[string]string{
			"smtpd_tls_security_level": "encrypt", "smtpd_tls_req_ccert": "yes", "smtpd_tls_loglevel": "1", "tls_high_cipherlist": "ALL:@SECLEVEL=1",
			"smtpd_tls_ciphers": "high", "smtpd_tls_mandatory_ciphers": "high", "smtpd_tls_CAfile": public(w.t, "client-ca.pem", democa.CertificatePEM(w.ca.Certificate())),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Stop() })
	return s
}
