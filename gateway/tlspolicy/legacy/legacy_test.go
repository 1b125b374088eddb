package legacy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/siegel-mail/siegel/internal/tlstest"
)

// connect shakes hands with a server of OpenSSL.
func connect(t *testing.T, addr string, o Options) (net.Conn, Result, error) {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	if o.Verify == nil {
		o.Verify = func(tls.ConnectionState) error { return nil }
	}
	o.Choose = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
	return Handshake(t.Context(), raw, o)
}

// Each suite is spoken, with each group that goes with it; many connections at once.
func TestSuites(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pairs := []tlstest.Pair{ca.Issue(tlstest.P256, nil, "a.example"), ca.Issue(tlstest.RSA2048, nil, "a.example"), ca.Issue(tlstest.RSA2048, nil, "a.example")}
	names := []string{"ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "AES256-SHA256"}
	for i, suite := range Suites() {
		t.Run(names[i], func(t *testing.T) {
			t.Parallel()
			s := tlstest.OpenSSL(t, "-tls1_2", "-cert", pairs[i].CertFile, "-key", pairs[i].KeyFile, "-cipher", names[i], "-curves", "X25519:P-256:P-384:P-521")
			for _, g := range Groups() {
				conn, r, err := connect(t, s.Addr, Options{ServerName: "a.example", Suites: []uint16{suite}, Groups: []tls.CurveID{g, tls.CurveP256}})
				if err != nil {
					t.Fatalf("%v: %v\n%s", g, err, s.Output())
				}
				if suite == Suites()[2] {
					g = 0
				}
				if r.State.CipherSuite != suite || r.State.CurveID != g || r.State.DidResume || r.Asked || len(r.State.PeerCertificates) != 1 {
					t.Errorf("%+v", r)
				}
				io.WriteString(conn, "abc\n")
				if line, err := bufio.NewReader(conn).ReadString('\n'); line != "cba\n" {
					t.Errorf("%q, %v", line, err)
				}
				conn.Close() // OpenSSL serves one after the other
			}
		})
	}
}

// What the caller does not like ends the handshake, and the other end is told.
func TestVerify(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.RSA2048, nil, "a.example")
	s := tlstest.OpenSSL(t, "-tls1_2", "-cert", pair.CertFile, "-key", pair.KeyFile, "-cipher", "ECDHE-RSA-AES256-SHA384")
	refused := errors.New("not this one")
	_, _, err := connect(t, s.Addr, Options{ServerName: "a.example", Suites: Suites(), Groups: Groups(), Verify: func(c tls.ConnectionState) error {
		if c.PeerCertificates[0].Subject.CommonName != "a.example" || c.Version != tls.VersionTLS12 {
			t.Errorf("%+v", c)
		}
		return refused
	}})
	if !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
}

// flight is what a server says in the clear: messages of the given types and bodies, cut into records of n bytes.
func flight(n int, messages ...[]byte) []byte {
	var all, out []byte
	for _, m := range messages {
		all = append(all, m...)
	}
	for len(all) > 0 {
		k := min(n, len(all))
		out = append(out, handshakeRecord, 3, 3, byte(k>>8), byte(k))
		out = append(out, all[:k]...)
		all = all[k:]
	}
	return append(out, 20, 3, 3, 0, 1, 1) // ChangeCipherSpec
}

func message(kind byte, body []byte) []byte {
	return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// The group is found however messages are cut, and nothing else is taken for it.
func TestWatcher(t *testing.T) {
	hello, certificate := message(2, make([]byte, 70)), message(11, bytes.Repeat([]byte{12, 0, 0, 3, 3, 0, 23}, 3000))
	key := message(serverKeyExchange, append([]byte{namedCurve, 0, 25, 133}, make([]byte, 133)...))
	for name, c := range map[string]struct {
		text []byte
		want uint16
	}{
		"whole":                {flight(16000, hello, certificate, key, message(14, nil)), 25},
		"a byte a record":      {flight(1, hello, certificate, key), 25},
		"seven bytes":          {flight(7, hello, certificate, key), 25},
		"no group":             {flight(16000, hello, certificate, message(14, nil)), 0},
		"explicit curve":       {flight(16000, hello, message(serverKeyExchange, []byte{1, 0, 25, 0})), 0},
		"cut off":              {flight(16000, hello, message(serverKeyExchange, []byte{3, 0})), 0},
		"empty":                {flight(16000, message(serverKeyExchange, nil)), 0},
		"after the encryption": {append(flight(16000, hello, certificate), flight(16000, key)...), 0},
		"an alert":             {append([]byte{21, 3, 3, 0, 2, 2, 40}, flight(16000, key)...), 0},
		"the first counts":     {flight(16000, key, message(serverKeyExchange, []byte{3, 0, 23, 0})), 25},
	} {
		for how, r := range map[string]io.Reader{
			"at once": bytes.NewReader(c.text), "byte by byte": iotest.OneByteReader(bytes.NewReader(c.text)), "halves": iotest.HalfReader(bytes.NewReader(c.text)),
		} {
			w := &watcher{Conn: readConn{r: r}}
			if got, err := io.ReadAll(w); err != nil || !bytes.Equal(got, c.text) {
				t.Fatalf("%s, %s: %v", name, how, err)
			}
			if w.group != c.want {
				t.Errorf("%s, %s: group %d, want %d", name, how, w.group, c.want)
			}
		}
	}
}

// readConn is a connection that is only read.
type readConn struct {
	net.Conn
	r io.Reader
}

// Read implements net.Conn.
func (c readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func FuzzWatcher(f *testing.F) {
	key := message(serverKeyExchange, append([]byte{namedCurve, 0, 25, 133}, make([]byte, 133)...))
	f.Add(flight(16000, message(2, make([]byte, 70)), key))
	f.Add(flight(3, key))
	f.Add([]byte{22, 3, 3, 0, 0, 22, 3, 3, 0, 4, 12, 255, 255, 255})
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := &watcher{}
		whole.look(text)
		bytewise := &watcher{}
		for i := range text {
			bytewise.look(text[i : i+1])
		}
		if whole.group != bytewise.group || whole.done != bytewise.done {
			t.Errorf("at once %d %v, byte by byte %d %v", whole.group, whole.done, bytewise.group, bytewise.done)
		}
	})
}
