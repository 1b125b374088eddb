package outlook

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 2 * time.Minute

// origin is where Outlook reaches the gateway.
const origin = "https://siegel.firma.example"

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) { return stand.Build(context.Background(), buildDir) })

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-outlook"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// world is a gateway, and those whose tokens it believes.
type world struct {
	t       *testing.T
	dir     string
	key     *tokentest.Key
	issuers *tokentest.Service
	ca      *tlstest.CA
	at      string // where the add-in is served
	config  string
	gateway *stand.Gateway
}

const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
admin: {socket: run/control.sock}
listeners: [{name: exchange, address: "127.0.0.1:0", role: internal, networks: [127.0.0.0/8]}]
routes:
  - {name: inside, domains: firma.example, host: 127.0.0.1, port: 9, tls: none}
  - {name: internet, domains: "*", host: 127.0.0.1, port: 9, tls: none}
policy:
  default: {sign: never, encrypt: never}
  rules:
    - {name: merger with the bank, to: [bank.example], encrypt: require}
`

// newWorld starts a gateway whose section outlook has this beside address, URL and certificate; HOST in it is the host of the issuers with its port, CA the file with their
// certificate.
func newWorld(t *testing.T, section string) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), key: tokentest.NewKey(t, 2048, time.Now()), ca: tlstest.NewCA(t, tlstest.P256), at: freeport.Address(t)}
	w.issuers = tokentest.Serve(t, w.key)
	pair := w.ca.Issue(tlstest.P256, nil, "siegel.firma.example")
	w.write("at-rest.key", []byte(atrest.NewKey().Text()))
	w.write("issuers.pem", w.issuers.PEM)
	w.write("users", []byte(tokentest.Mailbox+": bob@firma.example\n"))
	if err := os.Mkdir(filepath.Join(w.dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.config = w.write("siegel.yaml", []byte(configuration+fmt.Sprintf("outlook:\n  listen: %q\n  url: %s\n  tls: {certificate: %s, key: %s, profile: modern}\n", w.at, origin, pair.CertFile, pair.KeyFile)+
		strings.NewReplacer("HOST", w.issuers.Host, "CA", "issuers.pem").Replace(section)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if w.gateway, err = stand.Serve(ctx, path, w.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.gateway.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) write(name string, text []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// request is what the gateway answers to a request, by a connection of its own.
func (w *world) request(method, path, bearer, body string) (status int, header http.Header, text string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, origin+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: w.ca.Pool()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, w.at)
		},
	}}
	answer, err := client.Do(request)
	if err != nil {
		w.t.Fatalf("%v; the log:\n%s", err, w.gateway.Log())
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(out)
}

// explain asks what a message of somebody would get, with a token; the answer is empty where the status is not 200.
func (w *world) explain(bearer, from string, to ...string) (status int, a addin.Answer) {
	w.t.Helper()
	body, err := json.Marshal(addin.Question{From: from, To: to})
	if err != nil {
		w.t.Fatal(err)
	}
	status, _, text := w.request(http.MethodPost, addin.ExplainPath, bearer, string(body))
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			w.t.Fatalf("%v: %s", err, text)
		}
	}
	return status, a
}

const (
	byEntra = `
  entra: {tenant: ` + tokentest.Tenant + `, client_id: ` + tokentest.Client + `, authority: "https://HOST", ca: CA}
`
	byExchange = `
  exchange: {hosts: ["HOST"], ca: CA}
  users_file: users
`
)
