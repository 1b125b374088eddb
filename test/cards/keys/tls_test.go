package keys

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// server is an s_server that demands a certificate of the authority, and sends each line back from its end.
type server struct {
	address string
	pool    *x509.CertPool
	lines   chan string // what it says
}

func (b *box) serve(args ...string) *server {
	b.t.Helper()
	cmd := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem",
		"-Verify", "1", "-verify_return_error", "-rev"}, args...)...)
	cmd.Dir = b.dir
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		w.Close()
	})
	s := &server{pool: x509.NewCertPool(), lines: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for in := bufio.NewScanner(r); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	s.address = s.await(b.t, "ACCEPT ")
	ca, err := os.ReadFile(filepath.Join(b.dir, "ca.pem"))
	if err != nil || !s.pool.AppendCertsFromPEM(ca) {
		b.t.Fatal(err)
	}
	return s
}

// await waits for a line that begins so, and returns its rest.
func (s *server) await(t testing.TB, prefix string) string {
	t.Helper()
	over := time.After(time.Minute)
	for {
		select {
		case line, ok := <-s.lines:
			if rest, found := strings.CutPrefix(line, prefix); found {
				return rest
			}
			if !ok {
				t.Fatalf("it has ended before %q", prefix)
			}
		case <-over:
			t.Fatalf("no %q", prefix)
		}
	}
}

// config is that of a client that shows the key.
func (s *server) config(t testing.TB, k *smartcard.Key) *tls.Config {
	return &tls.Config{RootCAs: s.pool, ServerName: "localhost", Certificates: []tls.Certificate{k.WithContext(t.Context()).TLSCertificate()}}
}

// say opens a connection and sends lines on it; it tells whether the session was resumed.
func (s *server) say(c *tls.Config, lines ...string) (resumed bool, err error) {
	conn, err := tls.Dial("tcp", s.address, c)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, line := range lines {
		if _, err := fmt.Fprintln(conn, line); err != nil {
			return false, err
		}
		got, err := in.ReadString('\n')
		if err != nil {
			return false, err
		}
		want := []byte(line)
		slices.Reverse(want)
		if strings.TrimSpace(got) != string(want) {
			return false, fmt.Errorf("%q came back as %q", line, got)
		}
	}
	return conn.ConnectionState().DidResume, nil
}

// OpenSSL's server takes a client whose key is on a card, by each version of TLS and by what it asks to be signed with.
func TestClientByCard(t *testing.T) {
	b := newBox(t)
	for name, c := range map[string]struct {
		card string
		ref  byte
		args []string
		want string // what the server says of the signature
	}{
		"piv RSA, TLS 1.2, PKCS1": {"piv", cardtest.SlotAuthentication, []string{"-tls1_2", "-client_sigalgs", "RSA+SHA256"}, "RSA"},
		"piv RSA, TLS 1.2, PSS":   {"piv", cardtest.SlotAuthentication, []string{"-tls1_2", "-client_sigalgs", "RSA-PSS+SHA256"}, "RSA-PSS"},
		"piv RSA, TLS 1.3":        {"piv", cardtest.SlotAuthentication, []string{"-tls1_3"}, "RSA-PSS"},
		"piv P-256, TLS 1.2":      {"piv", cardtest.SlotCardAuthentication, []string{"-tls1_2"}, "ECDSA"},
		"piv P-256, TLS 1.3":      {"piv", cardtest.SlotSignature, []string{"-tls1_3"}, "ECDSA"},
		"piv P-384, TLS 1.2":      {"piv384", cardtest.SlotAuthentication, []string{"-tls1_2"}, "ECDSA"},
		"piv P-384, TLS 1.3":      {"piv384", cardtest.SlotAuthentication, []string{"-tls1_3"}, "ECDSA"},
		"tcos, TLS 1.2, PKCS1":    {"tcos", cardtest.KeyAuthentication, []string{"-tls1_2", "-client_sigalgs", "RSA+SHA512"}, "RSA"},
		"tcos, TLS 1.2, PSS":      {"tcos", cardtest.KeyAuthentication, []string{"-tls1_2", "-client_sigalgs", "RSA-PSS+SHA384"}, "RSA-PSS"},
		"tcos, TLS 1.3":           {"tcos", cardtest.KeyAuthentication, []string{"-tls1_3"}, "RSA-PSS"},
		"PKCS1 only, TLS 1.2":     {"tcos", cardtest.KeySignature, []string{"-tls1_2"}, "RSA"},
	} {
		t.Run(name, func(t *testing.T) {
			s := b.serve(c.args...)
			k := b.key(c.card, c.ref)
			if _, err := s.say(s.config(t, k), "hello"); err != nil {
				t.Fatal(err)
			}
			if got := s.await(t, "Signature type: "); got != c.want {
				t.Errorf("the server saw a signature of type %q; want %q", got, c.want)
			}
			if n := k.Signatures(); n != 1 {
				t.Errorf("%d signatures", n)
			}
		})
	}
	b.innocent()
}

// A key that signs by PKCS #1 v1.5 only cannot show itself in TLS 1.3: the gateway's client fails and says why and what to do, no signature is
// spent; with TLS 1.2 as the last version it works where the server speaks both.
func TestPKCS1OnlyInTLS13(t *testing.T) {
	b := newBox(t)
	k := b.key("tcos", cardtest.KeySignature)
	shown, ok := tlspolicy.Builtin("modern")
	if !ok {
		t.Fatal("no such profile")
	}
	shown.MaxVersion, shown.ClientCertificate = tls.VersionTLS13, tlspolicy.ClientRequired
	client := tlspolicy.Client{Profile: shown, Present: func(ctx context.Context) (tls.Certificate, error) {
		return k.WithContext(ctx).TLSCertificate(), nil
	}}
	for _, args := range [][]string{{"-tls1_3"}, nil} {
		conn, err := client.Dial(t.Context(), "tcp", b.serve(args...).address)
		if err == nil {
			conn.Close()
		}
		text := fmt.Sprint(err)
		if refused, ok := errors.AsType[*tlspolicy.Error](err); ok {
			text += "; " + refused.Advice
		}
		if !strings.Contains(text, "PKCS #1 v1.5 alone, which TLS 1.3 does not have") || !strings.Contains(text, "TLS1.2") || k.Signatures() != 0 {
			t.Errorf("%s; %d signatures", text, k.Signatures())
		}
	}
	client.Profile.MinVersion, client.Profile.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	s := b.serve()
	conn, err := client.Dial(t.Context(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := s.await(t, "Signature type: "); got != "RSA" || k.Signatures() != 1 {
		t.Errorf("%s, %d signatures", got, k.Signatures())
	}
	b.innocent()
}

// A connection that is kept, and a session that is resumed, spare the card: one signature serves for all that is said. Without either each
// connection costs one.
func TestSignaturesAreRare(t *testing.T) {
	b := newBox(t)
	for name, version := range map[string]string{"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"} {
		t.Run(name, func(t *testing.T) {
			s := b.serve(version)
			kept := b.key("piv", cardtest.SlotAuthentication)
			if _, err := s.say(s.config(t, kept), "one", "two", "three", "four", "five"); err != nil || kept.Signatures() != 1 {
				t.Errorf("kept: %v, %d signatures", err, kept.Signatures())
			}
			for what, c := range map[string]struct {
				cache tls.ClientSessionCache
				want  uint64
			}{"resumed": {tls.NewLRUClientSessionCache(4), 1}, "anew each time": {nil, 5}} {
				k := b.key("piv", cardtest.SlotAuthentication)
				config := s.config(t, k)
				config.ClientSessionCache = c.cache
				before := b.cards["piv"].Counts().Signatures
				for i := range 5 {
					resumed, err := s.say(config, "hello")
					if err != nil || resumed != (i > 0 && c.cache != nil) {
						t.Errorf("%s, %d: resumed %v, %v", what, i, resumed, err)
					}
				}
				if n, card := k.Signatures(), b.cards["piv"].Counts().Signatures-before; n != c.want || uint64(card) != c.want {
					t.Errorf("%s: %d signatures, and %d by the card; want %d", what, n, card, c.want)
				}
			}
		})
	}
	b.innocent()
}
