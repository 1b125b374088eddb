package probe_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// served listens on a loopback port and has each connection done by serve, until the test ends.
func served(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// heard reads the first record of a client.
func heard(c net.Conn) []byte {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	io.ReadFull(c, body)
	return body
}

// record12 is a record of TLS 1.2.
func record12(kind byte, body []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

// chooses is the hello of a server that chooses a suite in TLS 1.2.
func chooses(suite uint16) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, byte(suite>>8), byte(suite), 0)
	return append([]byte{2, 0, 0, byte(len(body))}, body...)
}

// Whatever a server does, the probe ends within its bounds and says what was the matter.
func TestHostile(t *testing.T) {
	t.Parallel()
	hang := func(c net.Conn) { io.Copy(io.Discard, c) }
	endless := func(c net.Conn, said []byte) {
		for {
			if _, err := c.Write(said); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		serve          func(net.Conn)
		text, remedy   string
		maxConnections int
	}{
		"silent":           {hang, "does not answer in time", "for STARTTLS give", 9},
		"hangs up at once": {func(net.Conn) {}, "hangs up without an alert", "firewall", 15},
		"hangs up after the hello": {func(c net.Conn) {
			heard(c)
		}, "hangs up without an alert", "firewall", 15},
		"resets": {func(c net.Conn) {
			heard(c)
			c.(*net.TCPConn).SetLinger(0)
		}, "hangs up without an alert", "firewall", 15},
		"garbage": {func(c net.Conn) {
			heard(c)
			c.Write([]byte("\x00\x01garbage\x1b[31m"))
		}, `it says "\x00\x01garbage\x1b[31m"`, "--smtp or --ldap", 15},
		"SMTP": {func(c net.Conn) {
			c.Write([]byte("220 mx.firma.example ESMTP\r\n"))
			hang(c)
		}, `it says "220 mx.firma.example ESMTP"`, "give --smtp", 15},
		"HTTP": {func(c net.Conn) {
			heard(c)
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}, "HTTP/1.1 400", "without TLS", 15},
		"endless records":  {func(c net.Conn) { heard(c); endless(c, record12(22, nil)) }, "does not end", "", 15},
		"endless warnings": {func(c net.Conn) { heard(c); endless(c, record12(21, []byte{1, 112})) }, "does not end", "", 15},
		"oversized certificates": {func(c net.Conn) {
			heard(c)
			c.Write(record12(22, append(chooses(0xc02f), 11, 0xff, 0xff, 0xff)))
			endless(c, record12(22, make([]byte, 1<<14)))
		}, "", "", 60},
		"a suite nobody offered": {func(c net.Conn) { heard(c); c.Write(record12(22, append(chooses(0x1301), 14, 0, 0, 0))) }, "", "", 30},
		"always the same suite":  {func(c net.Conn) { heard(c); c.Write(record12(22, append(chooses(0xc02f), 14, 0, 0, 0))) }, "", "", 30},
		"another version": {func(c net.Conn) {
			heard(c)
			c.Write([]byte("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x05" + strings.Repeat("x", 32) + "\x00\xc0\x2f\x00"))
		}, "versions that were not offered", "", 15},
		"an alert": {func(c net.Conn) { heard(c); c.Write(record12(21, []byte{2, 80})) }, "internal_error", "its log", 15},
		"no name":  {func(c net.Conn) { heard(c); c.Write(record12(21, []byte{2, 112})) }, "unrecognized_name", "--server-name", 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made atomic.Int32
			target, err := probe.ParseTarget(served(t, func(conn net.Conn) { made.Add(1); c.serve(conn) }), "", false)
			if err != nil {
				t.Fatal(err)
			}
			o := probe.Options{Timeout: patience, Patience: patience}
			if name == "silent" {
				o.Patience = 50 * time.Millisecond
				o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) { // however long the machine takes to connect
					return new(net.Dialer).DialContext(context.WithoutCancel(ctx), network, address)
				}
			}
			r := probe.Probe(t.Context(), target, o)
			if n := int(made.Load()); n > c.maxConnections || n > r.Connections {
				t.Errorf("%d connections, and it says %d", n, r.Connections)
			}
			if c.text == "" { // it chose something, if nothing that makes sense
				if r.Reached && len(r.Accepted.Suites) > 1 {
					t.Errorf("%+v", r.Accepted)
				}
				return
			}
			if r.Reached || r.Problem == nil || !strings.Contains(r.Problem.Text, c.text) || !strings.Contains(r.Problem.Remedy, c.remedy) {
				t.Errorf("reached: %v; %+v", r.Reached, r.Problem)
			}
		})
	}
}

// A server that lets only some connections in is asked no more, and what was learned is there.
func TestThrottles(t *testing.T) {
	t.Parallel()
	const lets = 7
	var made atomic.Int32
	target, _ := probe.ParseTarget(served(t, func(c net.Conn) {
		if made.Add(1) > lets {
			c.Write([]byte("421 4.7.0 too many connections\r\n"))
			return
		}
		c.Write([]byte("220 mx ESMTP\r\n"))
		said := make([]byte, 1024)
		c.Read(said)
		c.Write([]byte("250-mx\r\n250 STARTTLS\r\n"))
		c.Read(said)
		c.Write([]byte("220 go on\r\n"))
		if hello := heard(c); bytes.Contains(hello, []byte{0xc0, 0x2f}) && hello[5] == 3 { // TLS 1.2
			c.Write(record12(22, append(chooses(0xc02f), 14, 0, 0, 0)))
			return
		}
		c.Write(record12(21, []byte{2, 40}))
	}), probe.SMTP, false)
	r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience})
	if !r.Reached || r.Problem == nil || !r.Problem.Partly || !strings.Contains(r.Problem.Text, "421 4.7.0 too many") {
		t.Errorf("reached: %v, %+v", r.Reached, r.Problem)
	}
	if r.Accepted.Suites[0] != "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" || made.Load() > lets+8 {
		t.Errorf("%v after %d connections", r.Accepted, made.Load())
	}
}

// Time and number of all connections are bounded, whatever one takes.
func TestBounds(t *testing.T) {
	t.Parallel()
	addr := openssl(t, "-cert rsa.pem -key rsa.key -cipher ALL:@SECLEVEL=0")
	target, _ := probe.ParseTarget(addr, "", false)
	r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience, Patience: patience, MaxConnections: 20, Parallel: 2})
	if r.Connections != 20 || !r.Reached || r.Problem == nil || !r.Problem.Partly || !strings.Contains(r.Problem.Text, "20 connections") {
		t.Errorf("%d connections, %+v", r.Connections, r.Problem)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r = probe.Probe(ctx, target, probe.Options{})
	if r.Reached || r.Problem == nil || r.Connections != 0 {
		t.Errorf("after its end: %d connections, %+v", r.Connections, r.Problem)
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	target, _ := probe.ParseTarget(freeport.Address(t), "", false)
	r := probe.Probe(t.Context(), target, probe.Options{Timeout: patience})
	if r.Reached || r.Problem == nil || !strings.Contains(r.Problem.Text, "connection refused") || r.Connections != 1 {
		t.Errorf("%d connections, %+v", r.Connections, r.Problem)
	}
}

// says starts a server that says something after each time the client has spoken, and hangs up at the end. One of SMTP speaks first.
func says(t *testing.T, waits bool, texts ...string) string {
	t.Helper()
	return served(t, func(c net.Conn) {
		heard := make([]byte, 4096)
		for i, text := range texts {
			if i > 0 || waits {
				if _, err := c.Read(heard); err != nil {
					return
				}
			}
			io.WriteString(c, text)
		}
	})
}
