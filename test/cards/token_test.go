package cards

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// softHSM is the module of SoftHSM, which keeps its tokens in a folder.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// newTokenWorld has the key and its certificate in a token of SoftHSM, in a folder of its own.
func newTokenWorld(t *testing.T) *world {
	t.Helper()
	tlstest.Need(t, "softhsm2-util")
	tlstest.Need(t, "pkcs11-tool")
	tlstest.Need(t, "openssl")
	w := emptyWorld(t)
	w.which = fmt.Sprintf("pkcs11: {module: %q, token: gateway}", softHSM)
	w.environ = "SOFTHSM2_CONF=" + w.write("softhsm2.conf", fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nslots.removable = true\n", w.tokens()))
	keys, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	key := keys[cardtest.KeyAuthentication]
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := w.issue(0, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	w.uses(der)
	if err := os.Mkdir(w.tokens(), 0o700); err != nil {
		t.Fatal(err)
	}
	file := w.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	w.tool("softhsm2-util", "--init-token", "--free", "--label", "gateway", "--so-pin", "12345678", "--pin", pin)
	w.tool("softhsm2-util", "--import", file, "--token", "gateway", "--label", "gateway", "--id", "a1", "--pin", pin)
	w.tool("pkcs11-tool", "--module", softHSM, "--token-label", "gateway", "--login", "--pin", pin, "--write-object", w.write("cert.der", string(der)), "--type", "cert", "--id", "a1")
	if err := os.Remove(file); err != nil { // the token alone has it
		t.Fatal(err)
	}
	return w
}

// tokens is the folder of SoftHSM's tokens.
func (w *world) tokens() string { return filepath.Join(w.dir, "tokens") }

// take takes the folder of the tokens away, whole, or only what is in it; what it returns puts it back.
func (w *world) take(whole bool) (back func()) {
	w.t.Helper()
	move := func(from, to string) {
		w.t.Helper()
		if err := os.Rename(from, to); err != nil {
			w.t.Fatal(err)
		}
	}
	move(w.tokens(), w.tokens()+".away")
	if whole {
		return func() { w.t.Helper(); move(w.tokens()+".away", w.tokens()) }
	}
	if err := os.Mkdir(w.tokens(), 0o700); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if err := os.RemoveAll(w.tokens()); err != nil {
			w.t.Fatal(err)
		}
		move(w.tokens()+".away", w.tokens())
	}
}

// tool runs a program of others before the token.
func (w *world) tool(name string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.within(name), name, args...)
	cmd.Env = append(os.Environ(), w.environ)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// Mail is signed by the token, and OpenSSL verifies it. While it is not in its folder mail is taken and held, and what is said of it speaks of a token; when
// it is back all of it leaves, and nobody has done anything else.
func TestSignedByToken(t *testing.T) {
	w := newTokenWorld(t)
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.await("ready")
	w.send("first@partner.example")
	w.verified("first@partner.example")
	if got := w.await("ready"); got.Signatures != 1 || got.Family != "pkcs11" || got.Label != "gateway" || got.Serial == "" {
		t.Errorf("%+v", got)
	}

	back := w.take(false)
	for i := range 3 {
		w.send(fmt.Sprintf("held%d@partner.example", i))
	}
	away := w.await("no-card")
	says(t, "the text and the advice", away.Text+" "+away.Advice, "token")
	for _, s := range []string{away.Text, away.Advice} {
		if regexp.MustCompile(`\b[Cc]ard\b|\breader\b`).MatchString(s) {
			t.Errorf("a token is called a card: %s", s)
		}
	}
	if w.hop.has("held0@partner.example") {
		t.Error("mail left without the token")
	}
	says(t, "the list of the queue", w.siegel("queue", "list", "--socket", filepath.Join(w.dir, "run/control.sock"), "--state", "pending"), "pending", "card:berlin is not available")
	says(t, "health", w.get("/readyz"), "warning: smartcard berlin: ")
	says(t, "the metrics", w.get("/metrics"), `siegel_smartcard_ready{card="berlin"} 0`)

	back()
	for i := range 3 {
		w.verified(fmt.Sprintf("held%d@partner.example", i))
	}
	w.await("ready")
	if text := w.gateway.Log() + w.get("/metrics") + w.get("/readyz"); strings.Contains(text, pin) {
		t.Error("the PIN is told")
	}
}

// Mail that OpenSSL has encrypted, by the padding of old and by OAEP with SHA-256, is opened by the token. What comes while it is away waits closed.
func TestOpenedByToken(t *testing.T) {
	w := newTokenWorld(t)
	outside := freeport.Address(t)
	w.configure("{sign: never, encrypt: never}", "")
	config := string(readFile(t, filepath.Join(w.dir, "siegel.yaml")))
	w.write("siegel.yaml", strings.Replace(config, "listeners:\n", fmt.Sprintf("listeners:\n  - {name: internet, address: %q, role: external}\n", outside), 1))
	w.serve()
	w.importCard()
	w.await("ready")
	receive := func(to string, options ...string) {
		t.Helper()
		args := append([]string{"cms", "-encrypt", "-aes256", "-in", w.write("plain.eml", "Content-Type: text/plain\r\n\r\nplanted body for "+to+"\r\n"),
			"-from", "bob@partner.example", "-to", to, "-subject", "sealed", "-recip", filepath.Join(w.dir, "alice.pem")}, options...)
		if err := smtp.SendMail(outside, nil, "bob@partner.example", []string{to}, []byte(w.tool("openssl", args...))); err != nil {
			t.Fatal(err)
		}
	}
	opened := func(to string) {
		t.Helper()
		message, err := w.hop.next(w.within("the message to "+to), to)
		if err != nil {
			t.Fatalf("%v\n%s", err, w.gateway.Log())
		}
		says(t, "the message", message, "planted body for "+to)
	}
	receive("alice@firma.example")
	opened("alice@firma.example")
	receive("oaep@firma.example", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256")
	opened("oaep@firma.example")
	back := w.take(true)
	receive("later@firma.example")
	w.await("no-module")
	if w.hop.has("later@firma.example") {
		t.Error("the message did not wait")
	}
	back()
	opened("later@firma.example")
}

// A route shows itself by the token to a Postfix that takes nobody else. While the token is away the mail is deferred; then it leaves by itself.
func TestRouteByToken(t *testing.T) {
	tlstest.Need(t, "postfix")
	w := newTokenWorld(t)
	far := w.demandingPostfix()
	host, port, _ := net.SplitHostPort(far.Addr())
	w.configure("{sign: never, encrypt: never}", "",
		fmt.Sprintf(`{name: modern, domains: modern.example, host: %s, port: %s, tls: {mode: required, client_key: "card:berlin", profile: compatible}}`, host, port))
	w.serve()
	w.await("ready")
	arrives := func(to string) {
		t.Helper()
		if _, err := far.Next(w.within("the message to "+to), to); err != nil {
			t.Fatalf("%v\n%s\n%s", err, w.gateway.Log(), far.Log())
		}
	}
	w.send("bob@modern.example")
	arrives("bob@modern.example")
	says(t, "Postfix's log", far.Log(), "Trusted TLS connection established")

	back := w.take(true)
	w.gateway.Kill() // with it the connections and sessions that need no key any more
	w.serve()
	w.send("eve@modern.example")
	if err := w.gateway.WaitLog(w.within("the deferral"), "deferred.*modern.*the client certificate cannot be shown: the smart card berlin cannot be used"); err != nil {
		t.Fatalf("%v\n%s", err, w.gateway.Log())
	}
	back()
	arrives("eve@modern.example")
}

// A token refuses a wrong PIN once, and says by its flag that one was: however often the gateway is started it presents none any more, not the right
// one either, until a human presents that; then what waited leaves.
func TestTokenUnlocked(t *testing.T) {
	w := newTokenWorld(t)
	low := func() bool {
		return strings.Contains(w.tool("pkcs11-tool", "--module", softHSM, "--list-token-slots"), "user PIN count low")
	}
	w.write("card.pin", "999999")
	w.configure(signing, "")
	w.serve()
	w.importCard()
	w.send("waits@partner.example")
	status := w.await("pin-few-tries")
	says(t, "the advice", status.Advice, "siegel smartcard unlock")
	if !low() {
		t.Error("the token does not say that a PIN was refused")
	}
	w.write("card.pin", pin)
	for range 2 {
		if err := w.gateway.Reload(w.within("the reload")); err != nil {
			t.Fatal(err)
		}
		w.await("pin-few-tries")
		w.gateway.Kill()
		w.serve()
		w.send("also@partner.example")
		w.await("pin-few-tries")
	}
	if w.hop.has("waits@partner.example") || !low() {
		t.Error("a PIN was presented")
	}
	w.siegel("smartcard", "unlock", "berlin", "--config", filepath.Join(w.dir, "siegel.yaml"), "--yes", "--pin-file", filepath.Join(w.dir, "card.pin"))
	w.verified("waits@partner.example")
	w.verified("also@partner.example")
	w.await("ready")
	if low() {
		t.Error("the flag is still there")
	}
	if n := len(regexp.MustCompile(`has refused it, and it will not`).FindAllString(w.gateway.Log(), -1)); n > 1 {
		t.Errorf("%d refusals", n)
	}
}
