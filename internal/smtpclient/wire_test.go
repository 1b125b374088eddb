package smtpclient

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// dialogues is a scripted server: each connection follows one script, a line a step:
//
//	S: text     say text and CRLF
//	S raw text  say text, with Go escapes, as it is
//	C: text     the client must say exactly this line
//	tls         be the server of a TLS handshake
//	hang        say nothing until the client is gone
//	drop        close the connection
type dialogues struct {
	scripts []string
	config  *tls.Config
	pipe    bool // no real connection: for tests within a synctest bubble

	mu     sync.Mutex
	dialed int
	faults []error
	wg     sync.WaitGroup
}

func newDialogues(t *testing.T, scripts ...string) *dialogues {
	d := &dialogues{scripts: scripts}
	t.Cleanup(func() { d.check(t) })
	return d
}

// check waits for the server's side and reports where the client left the script.
func (d *dialogues) check(t *testing.T) {
	d.wg.Wait()
	for _, err := range d.faults {
		t.Error(err)
	}
	d.faults = nil
	if d.dialed != len(d.scripts) {
		t.Errorf("%d connections were made, want %d", d.dialed, len(d.scripts))
	}
}

func (d *dialogues) Dial(context.Context, string, string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialed++
	if d.dialed > len(d.scripts) {
		return nil, errors.New("connection refused")
	}
	n := d.dialed
	here, there, err := d.pair()
	if err != nil {
		return nil, err
	}
	d.wg.Go(func() {
		if err := d.serve(there, d.scripts[n-1]); err != nil {
			d.mu.Lock()
			d.faults = append(d.faults, fmt.Errorf("connection %d: %w", n, err))
			d.mu.Unlock()
		}
	})
	return here, nil
}

func (d *dialogues) pair() (here, there net.Conn, err error) {
	if d.pipe {
		here, there = net.Pipe()
		return here, there, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	there, err = l.Accept()
	return here, there, err
}

func (d *dialogues) serve(conn net.Conn, script string) error {
	defer func() { conn.Close() }()
	r := bufio.NewReaderSize(conn, 1<<20)
	for _, step := range strings.Split(strings.TrimSpace(script), "\n") {
		step = strings.TrimSpace(step)
		switch {
		case step == "":
		case strings.HasPrefix(step, "S: "):
			if _, err := io.WriteString(conn, step[3:]+"\r\n"); err != nil {
				return fmt.Errorf("at %q: %w", step, err)
			}
		case strings.HasPrefix(step, "S raw "):
			text := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\x00`, "\x00").Replace(step[6:])
			io.WriteString(conn, text) // the client may be gone at any byte
		case strings.HasPrefix(step, "C:"):
			want := strings.TrimPrefix(strings.TrimPrefix(step, "C:"), " ")
			line, err := r.ReadString('\n')
			if err != nil || line != want+"\r\n" {
				return fmt.Errorf("the client said %q (%v), want %q", line, err, want)
			}
		case step == "tls":
			t := tls.Server(conn, d.config)
			if err := t.Handshake(); err != nil {
				return nil // the test judges the client
			}
			conn = t
			r.Reset(conn)
		case step == "hang":
			io.Copy(io.Discard, r)
		case step == "drop":
			return nil
		default:
			return fmt.Errorf("unknown step %q", step)
		}
	}
	if rest, err := io.ReadAll(r); err == nil && len(rest) > 0 && string(rest) != "QUIT\r\n" {
		return fmt.Errorf("after the script the client said %q", rest)
	}
	return nil
}

// options are what most tests dial with.
func (d *dialogues) options() Options {
	return Options{Hello: "gw.example", TLS: TLSNone, Dial: d.Dial, Timeouts: Timeouts{Quit: time.Second}}
}

func dial(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Dial(t.Context(), "mx.example:25", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const greeting = `
	S: 220 mx.example ESMTP
	C: EHLO gw.example
`

func message(body string, to ...string) Message {
	m := Message{From: "a@firma.example", Body: strings.NewReader(body)}
	for _, r := range to {
		m.Recipients = append(m.Recipients, Recipient{Address: r})
	}
	return m
}

// codes is the codes of a result's recipients.
func codes(r Result) string {
	var out []string
	for _, p := range r.Recipients {
		s := fmt.Sprint(p.Code)
		if p.Local {
			s += "L"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// serverTLS is a certificate for mx.example that nobody trusts but the returned pool.
func serverTLS(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example"}, DNSNames: []string{"mx.example"},
		NotBefore: time.Now().Add(-100 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(100 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
