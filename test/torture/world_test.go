package torture

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/test/stand"
)

// world is a gateway with its files, which outlive each of its lives, and the two sides of it.
type world struct {
	t       *testing.T
	dir     string
	binary  string
	book    *ledger
	dice    *dice
	sink    *sink
	hop     string // its port
	senders *senders
	life    int
	alices  *x509.Certificate // to encrypt to
}

// configuration is that of the gateway.
const configuration = `
hostname: gateway.firma.example
domains: [firma.example]
state: state
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners:
  - {name: internal, address: "$INTERNAL", role: internal, networks: [127.0.0.0/8]}
  - {name: external, address: "$EXTERNAL", role: external, authentication: false}
policy:
  rules:
    - {name: partner, to: [partner.example], sign: require, encrypt: require}
  default: {sign: never, encrypt: never}
routes:
  - {name: company, domains: firma.example, host: 127.0.0.1, port: $COMPANY, tls: none, concurrency: $CONCURRENCY}
  - {name: partner, domains: partner.example, host: 127.0.0.1, port: $HOP, tls: none, concurrency: $CONCURRENCY}
  - {name: others, domains: "*", host: 127.0.0.1, port: $HOP, tls: none, concurrency: $CONCURRENCY}
queue: {retry: [1s], expire: 1d}
throttle: {except: [firma.example]}
admin: {socket: run/control.sock}
`

// concurrency is how many messages a route sends at once.
const concurrency = crowd

// inFlight is the most recipients that the gateway may have between handing over and noting it: what the
// three routes send at once, and what waits to be settled.
const inFlight = 3 * (concurrency + 32)

// newWorld makes the files and starts the next hop; the gateway has not begun its first life.
func newWorld(t *testing.T) *world { return newWorldTo(t, nil) }

// newWorldTo is newWorld with another next hop; nil: the sink.
func newWorldTo(t *testing.T, hop smtp.Backend) *world {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), binary: path, book: newLedger(), dice: chance(t)}
	bobs := w.files()
	w.sink = &sink{book: w.book, dice: w.dice, sealed: w.seal(), open: w.opener(bobs)}
	if hop == nil {
		hop = w.sink
	}
	w.hop = listen(t, hop)
	w.senders = &senders{kinds: kinds(), book: w.book, dice: w.dice, sealed: w.sink.sealed, sessions: 8, backlog: 200, address: map[string]string{
		"internal": freeport.Address(t), "external": freeport.Address(t),
	}}
	w.configure(map[string]string{
		"INTERNAL": w.senders.address["internal"], "EXTERNAL": w.senders.address["external"],
		"HOP": w.hop, "COMPANY": w.hop, "CONCURRENCY": strconv.Itoa(concurrency),
	})
	return w
}

func (w *world) configure(values map[string]string) {
	w.t.Helper()
	w.write("siegel.yaml", []byte(os.Expand(configuration, func(name string) string { return values[name] })))
}

func (w *world) write(name string, content ...[]byte) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, bytes.Join(content, nil), 0o600)); err != nil {
		w.t.Fatal(err)
	}
}

// files writes keys and certificates: alice's key signs on a curve, since that is quick, and one of RSA
// decrypts. It returns what bob decrypts with.
func (w *world) files() (bobs certs.Identity) {
	w.t.Helper()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("trust/ca.pem", democa.CertificatePEM(ca.Certificate()))
	w.write("at-rest.key", []byte(atrest.NewKey().Text()))
	w.write("run/.keep")
	issue := func(who, file string, o democa.Options, withKey bool) certs.Identity {
		id, err := ca.Issue(who, o)
		if err != nil {
			w.t.Fatal(err)
		}
		key, err := democa.KeyPEM(id.Key)
		if err != nil {
			w.t.Fatal(err)
		}
		if !withKey {
			key = nil
		}
		w.write("certificates/"+file, democa.CertificatePEM(id.Certificate), key)
		return id
	}
	issue(alice, "alice-signs.pem", democa.Options{Key: curve, KeyUsage: x509.KeyUsageDigitalSignature}, true)
	w.alices = issue(alice, "alice-decrypts.pem", democa.Options{KeyUsage: x509.KeyUsageKeyEncipherment}, true).Certificate
	return issue(bob, "bob.pem", democa.Options{}, false)
}

// seal encrypts a text to alice, as a stranger would.
func (w *world) seal() *sealed {
	w.t.Helper()
	text := bytes.Repeat([]byte(planted+" encrypted by the sender\r\n"), 40)
	message := append([]byte("Content-Type: text/plain\r\n\r\n"), text...)
	var out bytes.Buffer
	if err := smime.Protect(&out, memory(message), smime.ProtectOptions{EncryptTo: []cms.Recipient{{Certificate: w.alices}}}); err != nil {
		w.t.Fatal(err)
	}
	wire := out.Bytes()
	wire = wire[bytes.Index(wire, []byte("Content-")):] // the field before is MIME-Version, which every letter has
	return &sealed{wire: wire, text: text}
}

// opener decrypts for bob.
func (w *world) opener(id certs.Identity) func([]byte) ([]byte, error) {
	key := cms.Key{Certificate: id.Certificate, Decrypter: id.Key.(crypto.Decrypter)}
	return func(message []byte) ([]byte, error) {
		o, err := smime.Open(context.Background(), memory(message), smime.OpenOptions{
			Keys:    func([]cms.RecipientID) []cms.Key { return []cms.Key{key} },
			Scratch: func() smime.Buffer { return new(scratch) },
		})
		if err != nil {
			return nil, err
		}
		defer o.Close()
		if len(o.Layers) != 2 || !o.Layers[0].Decrypted || o.Layers[1].Type != smime.TypeSigned {
			return nil, fmt.Errorf("the layers are %+v", o.Layers)
		}
		var text bytes.Buffer
		_, err = o.WriteTo(&text)
		return text.Bytes(), err
	}
}

// memory is a message in memory.
type memory []byte

// Open implements smime.Source.
func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }

// Size implements smime.Source.
func (m memory) Size() int64 { return int64(len(m)) }

// scratch is memory that is written first.
type scratch struct{ memory }

// Write implements io.Writer.
func (s *scratch) Write(p []byte) (int, error) {
	s.memory = append(s.memory, p...)
	return len(p), nil
}

// Close implements smime.Buffer.
func (s *scratch) Close() error { return nil }

// launch begins the next life of the gateway.
func (w *world) launch() *stand.Gateway {
	w.t.Helper()
	w.life++
	g, err := stand.Launch(w.binary, filepath.Join(w.dir, "siegel.yaml"), fmt.Sprintf("SIEGEL_HOSTNAME=life%d.firma.example", w.life))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(g.Kill)
	return g
}

// pour sends mail until the function it returns is called, which returns when the last client has ended.
func (w *world) pour() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() { w.senders.run(ctx); close(done) }()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// settle waits in the last life, with no client left, until everything has come and nothing is kept any more.
func (w *world) settle(g *stand.Gateway) {
	w.t.Helper()
	ctx := within(w.t, patience, "the rest of the mail")
	err := w.book.wait(ctx, 0)
	for err == nil {
		var left string
		if left, err = w.left(ctx); err == nil && left == "" {
			return
		}
		if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
			err = fmt.Errorf("%w: %s", context.Cause(ctx), left)
		}
	}
	for _, fault := range w.book.judge() {
		w.t.Error(fault) // which may be why
	}
	w.t.Fatalf("%v\nthe log of the gateway:\n%s", err, tail(g.Log()))
}

// left says what the gateway keeps still: messages in the queue, files of their content, scratch files.
func (w *world) left(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, w.binary, "queue", "list", "--json", "--socket", filepath.Join(w.dir, "run/control.sock")).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("siegel queue list: %w: %s", err, out)
	}
	if bytes.Contains(out, []byte(`"id"`)) {
		return "the queue holds messages", nil
	}
	if n := w.kept("queue/content"); n > 0 {
		return fmt.Sprintf("%d files of content have no message", n), nil
	}
	if n := w.kept("spool"); n > 0 {
		return fmt.Sprintf("%d scratch files are left", n), nil
	}
	return "", nil
}

// kept counts the files in a folder of the state.
func (w *world) kept(folder string) int {
	entries, err := os.ReadDir(filepath.Join(w.dir, "state", folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Error(err)
	}
	return len(entries)
}

// readable looks for plain text, and for who writes to whom, in what the gateway left on the disk.
func (w *world) readable() {
	w.t.Helper()
	err := filepath.WalkDir(filepath.Join(w.dir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, word := range []string{planted, alice, bob, "letter."} {
			if bytes.Contains(content, []byte(word)) {
				w.t.Errorf("%q can be read in %s", word, path)
			}
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Error(err)
	}
}

// judge fails the test for everything that must not be, and tells the figures.
func (w *world) judge(mayArrive ...fate) doubles {
	w.t.Helper()
	faults := w.book.judge(mayArrive...)
	for i, f := range faults {
		if w.t.Error(f); i > 20 {
			w.t.Fatalf("and %d more", len(faults)-i)
		}
	}
	d := w.book.double()
	unsettled := 0
	for _, n := range d.unsettled {
		unsettled += n
	}
	w.t.Logf("%d lives; %d messages accepted, %d put off, %d without an answer, %d unfinished; twice: %d since the next hop did not say that it had it, %d since the gateway ended before it noted it",
		w.life, w.book.count(accepted), w.book.count(deferred), w.book.count(unanswered), w.book.count(unfinished), d.unconfirmed, unsettled)
	for _, double := range d.unexplained {
		w.t.Errorf("a message came twice without a reason: %s", double)
	}
	return d
}

// tail is the end of a log.
func tail(log string) string {
	const most = 4000
	return strings.ToValidUTF8(log[max(len(log)-most, 0):], "")
}
