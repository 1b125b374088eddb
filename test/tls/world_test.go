package tls

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 2 * time.Minute

// The envelope of messages that come in.
const sender = "bob@partner.example"

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	return stand.Build(context.Background(), buildDir)
})

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-tls"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// world is a gateway with its files, and the next hop of mail that has nowhere else to go.
type world struct {
	t       *testing.T
	dir     string
	binary  string
	ca      *tlstest.CA
	hop     *hop
	plain   string // the address of a listener without TLS
	gateway *stand.Gateway

	mu    sync.Mutex
	pairs map[tlstest.Kind]tlstest.Pair
}

// configuration is what every gateway here has; more comes behind it.
const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
policy: {default: {sign: never, encrypt: never}}
queue: {retry: [1h], expire: 1d}
throttle: {except: [firma.example]}
admin: {socket: run/control.sock}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, name := range []string{"openssl", "gnutls-cli", "gnutls-serv"} {
		tlstest.Need(t, name)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), binary: path, ca: tlstest.NewCA(t, tlstest.P256), pairs: map[tlstest.Kind]tlstest.Pair{}, plain: freeport.Address(t)}
	w.hop = newHop(t)
	w.write("at-rest.key", atrest.NewKey().Text())
	if err := os.Mkdir(filepath.Join(w.dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

// pair is the certificate of a kind, for localhost.
func (w *world) pair(k tlstest.Kind) tlstest.Pair {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.pairs[k]; !ok {
		w.pairs[k] = w.ca.Issue(k, nil, "localhost", "127.0.0.1")
	}
	return w.pairs[k]
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// configure writes a configuration of listeners, routes and whatever else, each as lines of YAML. There are a listener without TLS and a
// route to the hop besides.
func (w *world) configure(listeners, routes []string, more ...string) string {
	w.t.Helper()
	host, port, _ := net.SplitHostPort(w.hop.addr)
	listeners = append(listeners, fmt.Sprintf(`{name: plain, address: "%s", role: internal, networks: [127.0.0.0/8]}`, w.plain))
	routes = append(routes, fmt.Sprintf(`{name: others, domains: "*", host: %s, port: %s, tls: none}`, host, port))
	lines := func(key string, all []string) string { return key + ":\n  - " + strings.Join(all, "\n  - ") + "\n" }
	return w.write("siegel.yaml", configuration+lines("listeners", listeners)+lines("routes", routes)+strings.Join(more, "\n")+"\n")
}

// serve starts the gateway.
func (w *world) serve() {
	w.t.Helper()
	g, err := stand.Serve(within(w.t, "the gateway"), w.binary, filepath.Join(w.dir, "siegel.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway = g
	w.t.Cleanup(g.Kill)
}

// siegel runs a command of the gateway and returns what it said.
func (w *world) siegel(args ...string) (string, error) {
	w.t.Helper()
	out, err := exec.CommandContext(within(w.t, "siegel "+args[0]), w.binary, args...).CombinedOutput()
	return string(out), err
}

// within is a context that ends when patience does, with a reason that names what was waited for.
func within(t testing.TB, what string) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("%s did not come within %v", what, patience))
	t.Cleanup(cancel)
	return ctx
}

// hop takes all mail without TLS and keeps it by recipient.
type hop struct {
	addr string

	mu      sync.Mutex
	got     map[string]string
	changed chan struct{} // closed at the next message
}

func newHop(t *testing.T) *hop {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hop{addr: l.Addr().String(), got: map[string]string{}, changed: make(chan struct{})}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &hopSession{hop: h}, nil }))
	server.MaxRecipients = 1000
	done := make(chan struct{})
	go func() { server.Serve(l); close(done) }()
	t.Cleanup(func() { server.Close(); <-done })
	return h
}

// next waits for the message to a recipient.
func (h *hop) next(ctx context.Context, to string) (string, error) {
	for {
		h.mu.Lock()
		message, ok := h.got[to]
		changed := h.changed
		h.mu.Unlock()
		if ok {
			return message, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// count is how many recipients have got something.
func (h *hop) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.got)
}

type hopSession struct {
	hop *hop
	to  []string
}

// Mail is smtp.Session's.
func (s *hopSession) Mail(string, *smtp.MailOptions) error { s.to = nil; return nil }

// Rcpt is smtp.Session's.
func (s *hopSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = append(s.to, to); return nil }

// Data is smtp.Session's.
func (s *hopSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.hop.mu.Lock()
	defer s.hop.mu.Unlock()
	for _, to := range s.to {
		s.hop.got[to] = string(content)
	}
	close(s.hop.changed)
	s.hop.changed = make(chan struct{})
	return nil
}

// Reset is smtp.Session's.
func (s *hopSession) Reset() { s.to = nil }

// Logout is smtp.Session's.
func (s *hopSession) Logout() error { return nil }

// received is the first Received field of a message, on one line.
func received(message string) string {
	_, rest, ok := strings.Cut("\r\n"+message, "\r\nReceived: ")
	if !ok {
		return ""
	}
	field, _, _ := strings.Cut(strings.ReplaceAll(strings.ReplaceAll(rest, "\r\n ", " "), "\r\n\t", " "), "\r\n")
	return field
}

// logged are the lines of the gateway's log that hold all of the words.
func (w *world) logged(words ...string) (lines []string) {
	for line := range strings.Lines(w.gateway.Log()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			lines = append(lines, line)
		}
	}
	return lines
}

// outcomes waits until the log of a program says of so many recipients what became of them, and returns the last such line for each. line finds
// the recipient in a line.
func outcomes(ctx context.Context, t *testing.T, log func() string, line *regexp.Regexp, n int) map[string]string {
	t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		found := map[string]string{}
		for text := range strings.Lines(log()) {
			if m := line.FindStringSubmatch(text); m != nil {
				found[m[1]] = text
			}
		}
		if len(found) >= n {
			return found
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("the log tells of %d recipients of %d: %v", len(found), n, context.Cause(ctx))
		}
	}
}

// Lines of the logs of the gateway and of Postfix that tell what became of an attempt for a recipient.
var (
	ourOutcome     = regexp.MustCompile(`msg=(?:delivered|deferred|failed|returned) .* to=(\S+)`)
	postfixOutcome = regexp.MustCompile(`: to=<([^>]+)>, .* status=`)
)
