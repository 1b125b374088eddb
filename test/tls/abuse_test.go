package tls

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// attacked is a world with one listener by the default profile, and more of its configuration.
func attacked(t *testing.T, more string) (w *world, addr string) {
	t.Helper()
	w = newWorld(t)
	addr = freeport.Address(t)
	p := w.pair(tlstest.P256)
	w.configure([]string{fmt.Sprintf(`{name: mx, address: "%s", role: external, authentication: false, limits: {connections_per_minute: 0, connections_per_client: 100000%s}, tls: {certificate: %s, key: %s}}`,
		addr, more, p.CertFile, p.KeyFile)}, nil)
	w.serve()
	return w, addr
}

// line is a connection in clear.
type line struct {
	net.Conn
	*bufio.Reader
}

// call opens one and reads the greeting.
func call(t *testing.T, addr string) line {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	l := line{c, bufio.NewReader(c)}
	l.want(t, "220 ")
	return l
}

// Read is that of the connection, with what was read ahead.
func (l line) Read(p []byte) (int, error) { return l.Reader.Read(p) }

// want reads a reply and holds its last line.
func (l line) want(t *testing.T, prefix string) {
	t.Helper()
	for {
		text, err := l.ReadString('\n')
		if err != nil {
			t.Fatalf("want %q: %v", prefix, err)
		}
		if len(text) > 3 && text[3] == '-' {
			continue
		}
		if !strings.HasPrefix(text, prefix) {
			t.Fatalf("want %q, got %q", prefix, text)
		}
		return
	}
}

// said writes, and wants a reply.
func (l line) said(t *testing.T, text, prefix string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
	l.want(t, prefix)
}

// silent holds that nothing more comes but the end.
func (l line) silent(t *testing.T) {
	t.Helper()
	rest, err := io.ReadAll(l)
	if len(rest) > 0 {
		t.Errorf("there came %q, %v", rest, err)
	}
}

// alive holds that others come in, and how quickly is not looked at.
func (w *world) alive(t *testing.T, addr, to string) {
	t.Helper()
	d := sClient(t, addr, offer{"1.3", "TLS_AES_128_GCM_SHA256", "x25519"})
	defer d.end()
	ctx := within(t, to)
	if err := d.deliver(ctx, to); err != nil {
		t.Fatalf("%v\n%s", err, d.out.String())
	}
	if _, err := w.hop.next(ctx, to); err != nil {
		t.Fatal(err)
	}
}

// What stands behind STARTTLS, in one piece with it or after it, is never taken for something that was said under TLS (CVE-2011-0411).
func TestInjection(t *testing.T) {
	t.Parallel() // it waits until connections are given up
	w, addr := attacked(t, "")
	injected := "MAIL FROM:<eve@evil.example>\r\nRCPT TO:<injected@firma.example>\r\nDATA\r\n\r\nx\r\n.\r\n"
	for _, behind := range []string{injected, "EHLO eve.example\r\n" + injected, "\r\n", "N"} {
		l := call(t, addr)
		l.said(t, "EHLO c\r\n", "250 ")
		l.said(t, "STARTTLS\r\n"+behind, "554 5.5.0 ")
		l.silent(t)
	}
	// Behind the 220 it is taken for a handshake, which it is not.
	l := call(t, addr)
	l.said(t, "STARTTLS\r\n", "220 ")
	io.WriteString(l, injected)
	rest, _ := io.ReadAll(l)
	if strings.Contains(string(rest), "250") {
		t.Errorf("there came %q", rest)
	}
	// The state before the handshake is forgotten.
	l = call(t, addr)
	l.said(t, "EHLO c\r\n", "250 ")
	l.said(t, "MAIL FROM:<eve@evil.example>\r\n", "250 ")
	l.said(t, "STARTTLS\r\n", "220 ")
	secure := tls.Client(l, &tls.Config{InsecureSkipVerify: true})
	under := line{secure, bufio.NewReader(secure)}
	under.said(t, "RCPT TO:<injected@firma.example>\r\n", "50")
	w.alive(t, addr, "after@firma.example")
	if n := w.hop.count(); n != 1 {
		t.Errorf("%d messages came through", n)
	}
}

// injector is a mail server before which somebody stands who adds a reply of his own behind the 220 of STARTTLS.
func (w *world) injector(t *testing.T, behind string) (addr string, got func() string) {
	t.Helper()
	pair := w.pair(tlstest.P256).Certificate
	var mu sync.Mutex
	var heard strings.Builder
	return listen(t, func(c net.Conn) {
			r := bufio.NewReader(c)
			fmt.Fprint(c, "220 far\r\n")
			for {
				text, err := r.ReadString('\n')
				if err != nil {
					return
				}
				switch {
				case strings.HasPrefix(text, "EHLO"):
					fmt.Fprint(c, "250-far\r\n250 STARTTLS\r\n")
				case strings.HasPrefix(text, "STARTTLS"):
					fmt.Fprint(c, "220 go\r\n"+behind)
					under := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
					text, _ := io.ReadAll(under)
					mu.Lock()
					heard.Write(text)
					mu.Unlock()
					return
				default:
					fmt.Fprint(c, "250 ok\r\n")
				}
			}
		}), func() string {
			mu.Lock()
			defer mu.Unlock()
			return heard.String()
		}
}

// listen serves connections until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// outward is a world with a route to each address, as the text behind tells, and a message on its way to each; the lines of the log tell what became.
func outward(t *testing.T, w *world, to map[string]string, more ...string) map[string]string {
	t.Helper()
	var routes, recipients []string
	for name, at := range to {
		addr, rest, _ := strings.Cut(at, " ")
		host, port, _ := net.SplitHostPort(addr)
		routes = append(routes, fmt.Sprintf(`{name: %s, domains: [%s.example], host: %s, port: %s, %s}`, name, name, host, port, rest))
		recipients = append(recipients, "bob@"+name+".example")
	}
	w.configure(nil, routes, more...)
	w.serve()
	if err := smtp.SendMail(w.plain, nil, "alice@firma.example", recipients, []byte("From: alice@firma.example\r\nSubject: out\r\n\r\nsecret text\r\n")); err != nil {
		t.Fatal(err)
	}
	return outcomes(within(t, "the attempts"), t, w.gateway.Log, ourOutcome, len(recipients))
}

// A reply that stands behind the 220 of STARTTLS is never taken for one that came under TLS: the connection is given up, and the mail waits.
func TestInjectionOut(t *testing.T) {
	w := newWorld(t)
	addr, heard := w.injector(t, "250-injected\r\n250 AUTH PLAIN\r\n")
	for name, line := range outward(t, w, map[string]string{"required": addr + " tls: {mode: required}", "opportunistic": addr + " tls: {mode: opportunistic}"}) {
		if !strings.Contains(line, "msg=deferred") && !strings.Contains(line, "msg=delivered") {
			t.Errorf("%s: %s", name, line)
		}
		if strings.Contains(line, "msg=delivered") && strings.Contains(name, "required") {
			t.Errorf("%s was delivered: %s", name, line)
		}
	}
	if heard() != "" {
		t.Errorf("the far end heard %q under TLS", heard())
	}
}

// stripper stands before a mail server and takes away STARTTLS, by one of several ways.
func (w *world) stripper(t *testing.T, how string) string {
	t.Helper()
	host := w.hop.addr
	return listen(t, func(c net.Conn) {
		far, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		defer far.Close()
		go func() {
			defer c.Close()
			r := bufio.NewReader(far)
			for {
				text, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if how != "keyword" && strings.HasPrefix(text, "250-PIPELINING") {
					text += "250-STARTTLS\r\n"
				}
				io.WriteString(c, text)
			}
		}()
		for r := bufio.NewReader(c); ; {
			text, err := r.ReadString('\n')
			switch {
			case err != nil:
				return
			case !strings.EqualFold(strings.TrimSpace(text), "STARTTLS"):
				io.WriteString(far, text)
			case how == "454":
				io.WriteString(c, "454 4.7.0 TLS not available due to temporary reason\r\n")
			case how == "garbage":
				io.WriteString(c, "220 go\r\n\x00\x01\x02 this is no TLS\r\n")
				return
			default: // "end"
				return
			}
		}
	})
}

// Whoever takes STARTTLS away gets no mail that must be encrypted: it waits, and goes back with the reason when its time is over.
func TestStripping(t *testing.T) {
	t.Parallel() // it waits for a minute
	w := newWorld(t)
	to := map[string]string{}
	for _, how := range []string{"keyword", "454", "garbage", "end"} {
		addr := w.stripper(t, how)
		for _, mode := range []string{"opportunistic", "required", "verified"} {
			to[how+"-"+mode] = addr + " expire: 1m, retry: [5s], tls: {mode: " + mode + "}"
		}
	}
	lines := outward(t, w, to)
	for name := range to {
		// Plain text behind the reply to STARTTLS is somebody on the way: who sends that gets nothing now, whatever the level.
		line, clear := lines["bob@"+name+".example"], strings.HasSuffix(name, "opportunistic") && !strings.HasPrefix(name, "garbage")
		if got := strings.Contains(line, "msg=delivered"); got != clear || got && strings.Contains(line, " tls=") {
			t.Errorf("%s: delivered %v: %s", name, got, line)
		}
		if !clear && !regexp.MustCompile(`TLS is demanded \(tls of the route\), and not given since 20`).MatchString(line) {
			t.Errorf("%s: the log does not say what is wrong: %s", name, line)
		}
		if !clear && strings.HasPrefix(name, "end") && !strings.Contains(line, "the server ended the connection") {
			t.Errorf("%s: the log does not say that the connection ended: %s", name, line)
		}
	}
	// The report comes over the route of the company, which is the hop.
	report, err := w.hop.next(within(t, "the report"), "alice@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	report = strings.ReplaceAll(report, "=\r\n", "")
	if !strings.Contains(report, "TLS is demanded (tls of the route), and not given since 20") || !strings.Contains(report, "multipart/report") {
		t.Errorf("the report does not name the reason:\n%s", report)
	}
	if strings.Contains(report, "secret text") {
		t.Error("the report holds the message")
	}
}

// Renegotiation, which a client may ask for below TLS 1.3, ends the connection; others are not bothered.
func TestRenegotiation(t *testing.T) {
	w, addr := attacked(t, "")
	d := begin(t, "openssl", "s_client", "-connect", addr, "-starttls", "smtp", "-name", "client.example", "-tls1_2")
	ctx := within(t, "the answer")
	if err := d.say(ctx, "noop", "^250 2"); err != nil {
		t.Fatalf("%v\n%s", err, d.out.String())
	}
	if err := d.say(ctx, "R", "^RENEGOTIATING"); err != nil {
		t.Errorf("%v\n%s", err, d.out.String())
	}
	if err := d.say(ctx, "noop", "^250 2"); err == nil {
		t.Errorf("it goes on:\n%s", d.out.String())
	}
	select {
	case <-d.ended:
	case <-ctx.Done():
		t.Errorf("the connection lives on:\n%s", d.out.String())
	}
	w.alive(t, addr, "after@firma.example")
}

// fat is a certificate of so many bytes, with a chain of so many copies.
func (w *world) fat(bytes, copies int) tls.Certificate {
	names := []string{"localhost", "127.0.0.1"}
	for i := 0; len(names)*60 < bytes; i++ {
		names = append(names, fmt.Sprintf("a-very-long-name-that-fills-certificates-%06d.partner.example", i))
	}
	p := w.ca.Issue(tlstest.P256, func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Hour * 2) }, names...).Certificate
	for range copies {
		p.Certificate = append(p.Certificate, p.Certificate[0])
	}
	return p
}

// Certificates and chains beyond all measure are refused from clients and servers, and memory stays.
func TestOversized(t *testing.T) {
	w := newWorld(t)
	addr, p, fat := freeport.Address(t), w.pair(tlstest.P256), w.fat(100<<10, 50)
	var far []string
	for _, pair := range []tls.Certificate{fat, w.fat(0, 1500), p.Certificate} {
		far = append(far, listen(t, func(c net.Conn) {
			tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
			io.Copy(io.Discard, c)
		}))
	}
	w.configure([]string{fmt.Sprintf(`{name: mx, address: "%s", role: external, authentication: false, tls: {certificate: %s, key: %s, client_names: [localhost], client_ca: %s}}`, addr, p.CertFile, p.KeyFile, w.ca.File)},
		[]string{fmt.Sprintf(`{name: fat, domains: [fat.example], host: 127.0.0.1, port: %s, tls: {mode: required, implicit: true}}`, port(far[0])),
			fmt.Sprintf(`{name: long, domains: [long.example], host: 127.0.0.1, port: %s, tls: {mode: required, implicit: true}}`, port(far[1]))})
	w.serve()
	w.clientChains(t, addr, fat)
	to := []string{"bob@fat.example", "bob@long.example"}
	if err := smtp.SendMail(w.plain, nil, "alice@firma.example", to, []byte("From: alice@firma.example\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	for who, line := range outcomes(within(t, "the attempts"), t, w.gateway.Log, ourOutcome, len(to)) {
		if !strings.Contains(line, "msg=deferred") || !strings.Contains(line, "TLS") {
			t.Errorf("%s: %s", who, line)
		}
	}
	if peak, err := w.gateway.PeakMemory(); err != nil || peak > 300<<20 {
		t.Errorf("%d MB of memory, %v", peak>>20, err)
	}
}

// clientChains shows a listener a chain beyond measure, many times, and then a good one.
func (w *world) clientChains(t *testing.T, addr string, fat tls.Certificate) {
	t.Helper()
	try := func(pair tls.Certificate) error {
		l := call(t, addr)
		defer l.Close()
		l.said(t, "EHLO c\r\n", "250 ")
		l.said(t, "STARTTLS\r\n", "220 ")
		c := tls.Client(l, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
		if err := c.Handshake(); err != nil {
			return err
		}
		if _, err := io.WriteString(c, "EHLO c\r\nMAIL FROM:<"+sender+">\r\n"); err != nil {
			return err
		}
		r := bufio.NewReader(c)
		for {
			text, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.HasPrefix(text, "250 2") {
				return nil
			}
			if text[0] != '2' {
				return errors.New(text)
			}
		}
	}
	for range 20 {
		if err := try(fat); err == nil {
			t.Error("a chain beyond measure was taken")
		}
	}
	if err := try(w.pair(tlstest.P256).Certificate); err != nil {
		t.Errorf("a good one was not taken: %v", err)
	}
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// Thousands of connections that say nothing, or STARTTLS and then nothing, or a hello without an end, keep nobody out and take little memory; they are ended in the end.
func TestHalfOpen(t *testing.T) {
	const many = 3000
	t.Parallel() // it waits for ten seconds
	w, addr := attacked(t, ", connections: 1000")
	hello := clientHello(t)
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for i := range many {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		all = append(all, c)
		switch i % 3 {
		case 1:
			io.WriteString(c, "STARTTLS\r\n")
		case 2:
			io.WriteString(c, "STARTTLS\r\n")
			c.SetReadDeadline(time.Now().Add(patience))
			if n, _ := readUntil(c, "ready for TLS"); n {
				c.Write(hello[:len(hello)/2])
			}
		}
	}
	w.aliveAmong(t, addr)
	if peak, err := w.gateway.PeakMemory(); err != nil || peak > 500<<20 {
		t.Errorf("%d MB of memory, %v", peak>>20, err)
	} else {
		t.Logf("%d MB at most", peak>>20)
	}
	ended := make(chan bool, many)
	for _, c := range all {
		c.SetReadDeadline(time.Now().Add(patience))
		go func() {
			_, err := io.Copy(io.Discard, c)
			ended <- !errors.Is(err, os.ErrDeadlineExceeded)
		}()
	}
	for i := range many - 1000 { // the listener has no more places
		if !<-ended {
			t.Fatalf("only %d of %d were ended", i, many)
		}
	}
}

// A hello that comes byte by byte is not waited for without end, and a client that is quick is served meanwhile.
func TestSlowHandshake(t *testing.T) {
	t.Parallel() // it waits for half a minute
	w, addr := attacked(t, "")
	hello := clientHello(t)
	l := call(t, addr)
	l.said(t, "STARTTLS\r\n", "220 ")
	w.alive(t, addr, "meanwhile@firma.example")
	ended := make(chan struct{})
	go func() { io.Copy(io.Discard, l); close(ended) }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := range hello {
		if _, err := l.Write(hello[i : i+1]); err != nil {
			return
		}
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		if i > 200 {
			t.Fatal("after 100 seconds it still waits for the hello")
		}
	}
}

// aliveAmong tries to get in until that succeeds: places are free once who has them was silent for ten seconds.
func (w *world) aliveAmong(t *testing.T, addr string) {
	t.Helper()
	ctx := within(t, "a place among them")
	for i := 0; ; i++ {
		d := sClient(t, addr, offer{"1.3", "TLS_AES_128_GCM_SHA256", "x25519"})
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := d.deliver(one, "among@firma.example")
		cancel()
		d.end()
		if err == nil {
			t.Logf("in at try %d", i+1)
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("%v\n%s", err, d.out.String())
		}
	}
	if _, err := w.hop.next(ctx, "among@firma.example"); err != nil {
		t.Fatal(err)
	}
}

// readUntil reads until a text came.
func readUntil(c net.Conn, want string) (bool, error) {
	var got strings.Builder
	buf := make([]byte, 512)
	for !strings.Contains(got.String(), want) {
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// clientHello is the first record of a client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	buf := make([]byte, 4096)
	n, err := far.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}
