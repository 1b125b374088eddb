package cards

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/cardtest/pcscdtest"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 2 * time.Minute

// The card's number and PIN.
const (
	serial = "89490176940000000001"
	pin    = "135790"
)

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) { return stand.Build(context.Background(), buildDir) })

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-cards"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// theKeys are those of all cards: RSA takes long.
var theKeys = sync.OnceValues(func() (all map[byte]*rsa.PrivateKey, err error) {
	all = map[byte]*rsa.PrivateKey{}
	for _, ref := range []byte{cardtest.KeySignature, cardtest.KeyEncryption, cardtest.KeyAuthentication} {
		if all[ref], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// world is a gateway with a card or a token, and the next hop of its mail.
type world struct {
	t       *testing.T
	dir     string
	binary  string
	daemon  *pcscdtest.Daemon // nil with a token
	card    *cardtest.TCOS    // nil with a token
	which   string            // the card or token, as its entry in the configuration names it
	environ string            // by which the program finds it
	cert    *x509.Certificate // of the key that is used
	ca      *democa.CA
	hop     *hop
	inside  string // the address of its listener
	http    string
	gateway *stand.Gateway
}

const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners:
  - {name: company, address: "%s", role: internal, networks: [127.0.0.0/8]}
smartcards:
  - {name: berlin, %s, certificate: "%s", pin: {file: card.pin}}
queue: {retry: [1h], expire: 1d}
throttle: {except: [firma.example]}
admin: {socket: run/control.sock, http: "%s"}
`

// newWorld puts a card whose PINs have so many tries into a reader. The keys of the card are certified for alice@firma.example.
func newWorld(t *testing.T, tries int) *world {
	t.Helper()
	w := emptyWorld(t)
	w.daemon = pcscdtest.Start(t)
	w.which, w.environ = fmt.Sprintf("serial: %q", serial), "PCSCLITE_CSOCK_NAME="+w.daemon.Socket()
	keys, err := theKeys()
	if err != nil {
		t.Fatal(err)
	}
	w.card, err = cardtest.NewTCOS(cardtest.TCOSOptions{PIN: pin, PIN1: pin, PIN2: pin, Tries: tries, Serial: serial, Keys: keys, Issue: w.issue})
	if err != nil {
		t.Fatal(err)
	}
	w.uses(w.card.Certificate(cardtest.KeyAuthentication))
	return w
}

// emptyWorld has neither card nor token.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), binary: path, hop: newHop(t), inside: freeport.Address(t), http: freeport.Address(t)}
	if w.ca, err = democa.NewCA(time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"run", "certificates", "trust"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write("at-rest.key", atrest.NewKey().Text())
	w.write("card.pin", pin+"\n")
	w.write("trust/root.pem", string(democa.CertificatePEM(w.ca.Certificate())))
	return w
}

// uses says by its certificate which key is used.
func (w *world) uses(der []byte) {
	w.t.Helper()
	var err error
	if w.cert, err = x509.ParseCertificate(der); err != nil {
		w.t.Fatal(err)
	}
	w.write("alice.pem", string(democa.CertificatePEM(w.cert)))
}

// issue certifies a key for mail and for TLS clients.
func (w *world) issue(_ cardtest.Use, key crypto.PublicKey) ([]byte, error) {
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	return x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "Alice"}, EmailAddresses: []string{"alice@firma.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}, w.ca.Certificate(), key, w.ca.Key())
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// configure writes the configuration, with a policy, more sections, and routes as lines of YAML. All other mail goes to the hop.
func (w *world) configure(policy, more string, routes ...string) {
	w.t.Helper()
	sum := sha256.Sum256(w.cert.Raw)
	host, port, _ := net.SplitHostPort(w.hop.addr)
	routes = append(routes, fmt.Sprintf(`{name: others, domains: "*", host: %s, port: %s, tls: none}`, host, port))
	w.write("siegel.yaml", fmt.Sprintf(configuration, w.inside, w.which, hex.EncodeToString(sum[:]), w.http)+
		"policy: {default: "+policy+"}\nroutes:\n  - "+strings.Join(routes, "\n  - ")+"\n"+more+"\n")
}

// signing is the policy that signs everything.
const signing = "{sign: require, encrypt: never}"

// serve starts the gateway.
func (w *world) serve() {
	w.t.Helper()
	g, err := stand.Serve(w.within("the gateway"), w.binary, filepath.Join(w.dir, "siegel.yaml"), w.environ)
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway = g
	w.t.Cleanup(g.Kill)
}

// siegel runs a command of the gateway that must succeed.
func (w *world) siegel(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.within("siegel "+args[0]), w.binary, args...)
	cmd.Env = append(os.Environ(), w.environ)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("siegel %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// importCard tells the gateway that the key of the certificate is on the card.
func (w *world) importCard() {
	w.t.Helper()
	w.siegel("certs", "import", "--socket", filepath.Join(w.dir, "run/control.sock"), "--key", "card:berlin", filepath.Join(w.dir, "alice.pem"))
}

// send hands a message of alice to the gateway.
func (w *world) send(to string) {
	w.t.Helper()
	message := "From: alice@firma.example\r\nTo: " + to + "\r\nSubject: planted subject\r\n\r\nplanted body\r\n"
	if err := smtp.SendMail(w.inside, nil, "alice@firma.example", []string{to}, []byte(message)); err != nil {
		w.t.Fatal(err)
	}
}

// verified waits for the message to a recipient and has OpenSSL verify its signature.
func (w *world) verified(to string) {
	w.t.Helper()
	message, err := w.hop.next(w.within("the message to "+to), to)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.gateway.Log())
	}
	out, err := exec.Command("openssl", "cms", "-verify", "-in", w.write("message.eml", message), "-CAfile", filepath.Join(w.dir, "trust/root.pem"), "-purpose", "smimesign").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "planted body") {
		w.t.Fatalf("openssl: %v\n%s\n%s", err, out, message)
	}
}

// await waits until the gateway says that the card is in a condition.
func (w *world) await(want string) admin.Smartcard {
	w.t.Helper()
	ctx := w.within("the condition " + want)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		all, err := admin.NewClient(filepath.Join(w.dir, "run/control.sock")).Smartcards(ctx)
		if err == nil && len(all) == 1 && all[0].Condition == want {
			return all[0]
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			w.t.Fatalf("%v: %+v %v\n%s", context.Cause(ctx), all, err, w.gateway.Log())
		}
	}
}

// get is what the gateway answers by HTTP.
func (w *world) get(path string) string {
	w.t.Helper()
	r, err := http.Get("http://" + w.http + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// says holds that a text has some parts.
func says(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}

// within is a context that ends when patience does, with a reason that names what was waited for.
func (w *world) within(what string) context.Context {
	ctx, cancel := context.WithTimeoutCause(w.t.Context(), patience, fmt.Errorf("%s did not come within %v", what, patience))
	w.t.Cleanup(cancel)
	return ctx
}

// public writes a file that every user may read, as Postfix does.
func public(t *testing.T, name string, content []byte) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "siegel-cards")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, content, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
