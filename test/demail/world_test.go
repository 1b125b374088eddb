package demail

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well. It is longer than the five minutes during which the gateway does not
// believe a provider that it has not got what may still be under way.
const patience = 7 * time.Minute

// The card's number and PIN.
const (
	serial = "89490176940000000002"
	pin    = "246802"
)

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) { return stand.Build(context.Background(), buildDir) })

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-demail"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// cardKeys are those of the card: RSA takes long.
var cardKeys = sync.OnceValues(func() (all map[byte]*rsa.PrivateKey, err error) {
	all = map[byte]*rsa.PrivateKey{}
	for _, ref := range []byte{cardtest.KeySignature, cardtest.KeyEncryption, cardtest.KeyAuthentication} {
		if all[ref], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// world is two companies: firma, whose gateway has a card, at a provider whose TLS is old; and stadt, at another one.
type world struct {
	t         *testing.T
	keys      *rehearsal.Keys
	providers *rehearsal.World
	daemon    *pcscdtest.Daemon
	card      *cardtest.TCOS
	internet  *sink // whatever leaves both companies as ordinary mail
	firma     *company
	stadt     *company

	mu     sync.Mutex
	events []string // what the providers were asked
}

// company is a gateway with the mail server behind it.
type company struct {
	*world
	name    string
	dir     string
	server  *sink
	inside  string // listeners
	outside string
	environ []string
	gateway *stand.Gateway
	sent    int // messages
}

const configuration = `
hostname: gateway.%[1]s.example
domains: [%[1]s.example]
state: state
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
recipients: recipients
listeners:
  - {name: company, address: "%[2]s", role: internal, networks: [127.0.0.0/8]}
  - {name: internet, address: "%[3]s", role: external, networks: [127.0.0.0/8]}
routes:
  - {name: company, domains: %[1]s.example, host: %[4]s, port: %[5]s, tls: none}
  - {name: internet, domains: "*", host: %[6]s, port: %[7]s, tls: none}
queue: {retry: [1s], expire: 1d}
throttle: {except: [%[1]s.example]}
admin: {socket: run/control.sock, mail_to: [postmaster@%[1]s.example]}
demail:
  accounts:
    - name: provider
      profile: t-systems
      url: %[8]s
      account: %[1]s
      user: %[1]s
      password: {file: provider.password}
      level: high
      entitled: [dispatch, receipt, authoritative, private]
      retry: [1s]
      fetch: {every: 1s}
      tls: {ca: tls-ca.pem, %[9]s}
  senders:
    - {name: everybody, address: "{local}@%[1]s.de-mail.de"}
  anchors: [signatures-ca.pem]
  incoming:
    fallback: office@%[1]s.example
    mark_subject: {verified: "[De-Mail]", unverified: "[De-Mail, not verified]"}
    mailboxes:
      - {demail: amt@%[1]s.de-mail.de, to: amt@%[1]s.example}
      - {demail: alice@%[1]s.de-mail.de, to: alice@%[1]s.example}
`

// newWorld starts the providers, and plugs the card in. No gateway runs yet.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, internet: newSink(t), daemon: pcscdtest.Start(t)}
	keys, err := cardKeys()
	if err != nil {
		t.Fatal(err)
	}
	if w.keys, err = rehearsal.NewKeys(time.Now()); err != nil {
		t.Fatal(err)
	}
	client, err := w.keys.TLS.ClientOf(time.Now(), "firma", keys[cardtest.KeyAuthentication])
	if err != nil {
		t.Fatal(err)
	}
	w.keys.Clients["firma"] = client
	w.card, err = cardtest.NewTCOS(cardtest.TCOSOptions{PIN: pin, PIN1: pin, PIN2: pin, Tries: 3, Serial: serial, Keys: keys, Issue: w.issue})
	if err != nil {
		t.Fatal(err)
	}
	w.provide()
	w.firma = w.company("firma", `profile: de-mail-legacy, client_key: "card:de-mail"`, "PCSCLITE_CSOCK_NAME="+w.daemon.Socket())
	w.stadt = w.company("stadt", "client_certificate: client.pem, client_key: client.key")
	sum := sha256.Sum256(client.Leaf.Raw)
	w.firma.add(fmt.Sprintf("smartcards:\n  - {name: de-mail, serial: %q, certificate: %q, pin: {file: card.pin}}\n", serial, hex.EncodeToString(sum[:])))
	w.firma.write("card.pin", pin+"\n")
	return w
}

// issue certifies a key of the card: that of authentication is the company's at its provider.
func (w *world) issue(use cardtest.Use, key crypto.PublicKey) ([]byte, error) {
	if own := w.keys.Clients["firma"].Leaf; own.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(key) {
		return own.Raw, nil
	}
	keys, err := cardKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.PublicKey.Equal(key) {
			c, err := w.keys.TLS.ClientOf(time.Now(), "another key", k)
			if err != nil {
				return nil, err
			}
			return c.Leaf.Raw, nil
		}
	}
	return nil, errors.New("no such key")
}

// provide starts the simulated providers.
func (w *world) provide() {
	w.t.Helper()
	profile, err := configs.ProfileFile("t-systems").Load()
	if err != nil {
		w.t.Fatal(err)
	}
	spool, err := atrest.NewSpool(w.t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.providers, err = rehearsal.Start(rehearsal.Options{
		Keys: w.keys, Profiles: []*webservice.Profile{profile}, Listen: "127.0.0.1:0", Spool: spool,
		TLS: rehearsal.TLS{Mutual: true, Nginx: program(w.t, "nginx")},
		Log: func(provider string, e dmdaweb.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, fmt.Sprintf("%s %s %s %s %s", provider, e.Operation, e.Class, e.Fault, e.Why))
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		w.providers.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.t.Failed() {
			w.t.Logf("the providers were asked, in the end:\n%s", tail(strings.Join(w.events, "\n"), 40))
		}
	})
}

// asked counts what a company's provider was asked.
func (w *world) asked(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if strings.HasPrefix(e, what) {
			n++
		}
	}
	return n
}

// program finds a program.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is needed: scripts/install-tools test installs it", name)
	}
	return path
}

// company writes the configuration of one.
func (w *world) company(name, tls string, environ ...string) *company {
	w.t.Helper()
	c := &company{world: w, name: name, dir: w.t.TempDir(), server: newSink(w.t), inside: freeport.Address(w.t), outside: freeport.Address(w.t), environ: environ}
	for _, dir := range []string{"run", "certificates", "trust"} {
		if err := os.Mkdir(filepath.Join(c.dir, dir), 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	own := w.keys.Clients[name]
	key, err := dmda.KeyPEM(own)
	if err != nil {
		w.t.Fatal(err)
	}
	if name != "firma" {
		c.write("client.pem", string(dmda.CertificatePEM(own.Leaf)))
		c.write("client.key", string(key))
	}
	c.write("at-rest.key", atrest.NewKey().Text())
	c.write("trust/root.pem", string(dmda.CertificatePEM(w.keys.TLS.Certificate)))
	c.write("tls-ca.pem", string(dmda.CertificatePEM(w.keys.TLS.Certificate)))
	c.write("signatures-ca.pem", string(dmda.CertificatePEM(w.keys.Signing.Certificate)))
	c.write("provider.password", w.keys.Passwords[name].Reveal()+"\n")
	var recipients []string
	for _, local := range []string{"alice", "amt", "office", "postmaster"} {
		recipients = append(recipients, local+"@"+name+".example\n")
	}
	c.write("recipients", strings.Join(recipients, ""))
	inside, port := split(c.server.addr)
	internet, other := split(w.internet.addr)
	i := map[string]int{"firma": 0, "stadt": 1}[name]
	c.write("siegel.yaml", fmt.Sprintf(configuration, name, c.inside, c.outside, inside, port, internet, other, w.providers.Providers[i].URL, tls))
	return c
}

func split(addr string) (host, port string) {
	host, port, _ = net.SplitHostPort(addr)
	return host, port
}

func (c *company) write(name, content string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c *company) read(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// add adds sections to the configuration.
func (c *company) add(sections string) { c.write("siegel.yaml", c.read("siegel.yaml")+sections) }

// serve starts the gateway.
func (c *company) serve() {
	c.t.Helper()
	path, err := binary()
	if err != nil {
		c.t.Fatal(err)
	}
	g, err := stand.Serve(c.within("the gateway of "+c.name), path, filepath.Join(c.dir, "siegel.yaml"), c.environ...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.gateway = g
	c.t.Cleanup(func() {
		g.Kill()
		if c.t.Failed() {
			c.t.Logf("the gateway of %s ended with:\n%s", c.name, tail(g.Log(), 40))
		}
	})
}

// tail is the last lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// run runs a command of the gateway.
func (c *company) run(args ...string) (string, error) {
	c.t.Helper()
	path, err := binary()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.CommandContext(c.within("siegel "+args[0]), path, args...)
	cmd.Env = append(os.Environ(), c.environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// control runs a command that asks the gateway, and must succeed.
func (c *company) control(args ...string) string {
	c.t.Helper()
	out, err := c.run(append(args, "--socket", filepath.Join(c.dir, "run/control.sock"))...)
	if err != nil {
		c.t.Fatalf("siegel %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// mail hands a message to a listener.
func mail(addr, from string, to []string, text string) error {
	return smtp.SendMail(addr, nil, from, to, []byte(strings.ReplaceAll(text, "\n", "\r\n")))
}

// send hands a message of alice to the gateway of her company, which must take it, and returns its Message-ID.
func (c *company) send(subject, fields string, to ...string) (id string) {
	c.t.Helper()
	c.sent++
	from := "alice@" + c.name + ".example"
	id = fmt.Sprintf("<m%d@%s.example>", c.sent, c.name)
	if err := mail(c.inside, from, to, "From: Alice <"+from+">\nTo: "+strings.Join(to, ", ")+"\nSubject: "+subject+"\nMessage-ID: "+id+
		"\nDate: Thu, 26 Nov 2026 10:00:00 +0100\n"+fields+"\n"+body+"\n"); err != nil {
		c.t.Fatalf("%v\n%s", err, c.gateway.Log())
	}
	return id
}

// body is what no log, error or stranger sees.
const body = "planted body: Guten Tag."

// arrives waits for messages at the company's mail server that hold all words, and makes sure that there are so many.
func (c *company) arrives(n int, to string, words ...string) []letter {
	c.t.Helper()
	fits := func(l letter) bool {
		for _, w := range words {
			if !strings.Contains(l.text, w) {
				return false
			}
		}
		return strings.Join(l.to, " ") == to
	}
	found, err := c.server.await(c.within(fmt.Sprintf("%q for %s at %s", words, to, c.name)), n, fits)
	if err != nil || len(found) != n {
		c.t.Fatalf("%d messages to %s with %q: %v\n%+v", len(found), to, words, err, c.server.letters(func(letter) bool { return true }))
	}
	return found
}

// within is a context that ends when patience does, with a reason that names what was waited for.
func (w *world) within(what string) context.Context {
	ctx, cancel := context.WithTimeoutCause(w.t.Context(), patience, fmt.Errorf("%s did not come within %v", what, patience))
	w.t.Cleanup(cancel)
	return ctx
}

// eventually waits until something is so.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	ctx := w.within(what)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			w.t.Fatal(context.Cause(ctx))
		}
	}
}

// faults makes something go wrong with a company's provider.
func (w *world) faults(c *company, specs ...string) {
	w.t.Helper()
	var all []dmdaweb.Fault
	for _, s := range specs {
		f, err := dmdaweb.ParseFault(s)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, f)
	}
	company, err := rehearsal.CompanyOf(c.name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.providers.SetFaults(company.Provider, all...)
}

// leaked makes sure that nothing of De-Mail went to the internet, and that no log tells what must not be told.
func (w *world) leaked() {
	w.t.Helper()
	for _, l := range w.internet.letters(func(letter) bool { return true }) {
		for _, to := range l.to {
			if strings.HasSuffix(to, "de-mail.de") {
				w.t.Errorf("De-Mail went to the internet: %+v", l)
			}
		}
		if strings.Contains(strings.ToLower(l.text), "x-de-mail-") || strings.Contains(l.text, "X-Siegel-") {
			w.t.Errorf("what is internal went to the internet: %+v", l)
		}
	}
	for _, c := range []*company{w.firma, w.stadt} {
		if c.gateway == nil {
			continue
		}
		for _, secret := range []string{"planted body", pin, w.keys.Passwords["firma"].Reveal(), w.keys.Passwords["stadt"].Reveal()} {
			if strings.Contains(c.gateway.Log(), secret) {
				w.t.Errorf("the log of %s holds %q", c.name, secret)
			}
		}
	}
}
