package admin_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// pages are a certificate of the pages, an authority for clients, and one of its clients.
type pages struct {
	ca, clients    *tlstest.CA
	server, client tlstest.Pair
}

func newPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{ca: tlstest.NewCA(t, tlstest.P256), clients: tlstest.NewCA(t, tlstest.P256)}
	p.server, p.client = p.ca.Issue(tlstest.P256, nil, "127.0.0.1"), p.clients.Issue(tlstest.P256, nil, "prometheus.firma.example")
	return p
}

// tls is the TLS of the pages by a profile; clients may be nil.
func (p *pages) tls(t *testing.T, profile string, clients *tlstest.CA) *admin.PagesTLS {
	t.Helper()
	policy, err := tlspolicy.Builtin(profile)
	if !err {
		t.Fatal("no such profile")
	}
	out := &admin.PagesTLS{Profile: policy, Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &p.server.Certificate, nil }}
	if clients != nil {
		out.Clients = clients.Pool()
	}
	return out
}

// from is a client at an address, which shows a certificate, or none, and keeps its connections.
func (p *pages) from(t *testing.T, address string, show ...tlstest.Pair) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: p.ca.Pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, c := range show {
		config.Certificates = append(config.Certificates, c.Certificate)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{TLSClientConfig: config, DialContext: dialer.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// ask gets a page; the status is 0 where no answer came.
func ask(client *http.Client, url string) (status int, body string) {
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// serveTLS starts pages with TLS.
func serveTLS(t *testing.T, o admin.HTTPOptions) (h *admin.HTTP, address string, stop func()) {
	t.Helper()
	o.Address, o.Gatherer = "127.0.0.1:0", track.NewMetrics().Registry()
	h, err := admin.NewHTTP(o)
	if err == nil {
		err = h.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, h.Addr().String(), background(t, h.Serve)
}

const askAlive = "GET /healthz HTTP/1.0\r\n\r\n"

// OpenSSL gets in by what the profile has, with a certificate of the authority of clients, and by nothing else.
func TestPagesTLSWithOpenSSL(t *testing.T) {
	p := newPages(t)
	_, addr, _ := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "bsi-tr-02102-2", p.clients)})
	show := func(c tlstest.Pair, more ...string) []string {
		return append(more, "-cert", c.CertFile, "-key", c.KeyFile)
	}
	forServers := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	for name, c := range map[string]struct {
		args []string
		in   bool
	}{
		"TLS 1.3":                  {show(p.client, "-tls1_3"), true},
		"TLS 1.2":                  {show(p.client, "-tls1_2"), true},
		"no certificate":           {[]string{"-tls1_3"}, false},
		"no certificate, TLS 1.2":  {[]string{"-tls1_2"}, false},
		"another authority":        {show(p.ca.Issue(tlstest.P256, nil, "prometheus.firma.example")), false},
		"a certificate of servers": {show(p.clients.Issue(tlstest.P256, forServers, "prometheus.firma.example")), false},
		"a short key":              {show(p.clients.Issue(tlstest.RSA1024, nil, "prometheus.firma.example"), "-cipher", "DEFAULT@SECLEVEL=0"), false},
		"TLS 1.1":                  {show(p.client, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"), false},
		"a suite outside":          {show(p.client, "-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), false},
		"a suite of TLS 1.3":       {show(p.client, "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"), false},
		"a group outside":          {show(p.client, "-groups", "X25519"), false},
		"no HTTP/1.1":              {show(p.client, "-alpn", "h2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			n := tlstest.OpenSSLClient(t, addr, askAlive, "alive", append(c.args, "-CAfile", p.ca.File)...)
			if n.OK != c.in {
				t.Errorf("answered: %v\n%s", n.OK, n.Output)
			}
		})
	}
}

// curl looks at the pages as a monitoring system does: on this machine TLS may do without certificates of clients.
func TestPagesTLSWithCurl(t *testing.T) {
	p := newPages(t)
	_, known, _ := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "modern", p.clients)})
	_, open, _ := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "modern", nil)})
	show := []string{"--cacert", p.ca.File, "--cert", p.client.CertFile, "--key", p.client.KeyFile}
	if code, body := curl(t, "", "GET", "https://"+known+"/metrics", show...); code != "200" || !strings.Contains(body, "go_goroutines ") {
		t.Errorf("%s %.200s", code, body)
	}
	if code, body := curl(t, "", "GET", "https://"+open+"/readyz", "--cacert", p.ca.File); code != "200" || body != "ready\n" {
		t.Errorf("%s %s", code, body)
	}
	if code, body := curl(t, "", "GET", "http://"+known+"/metrics"); code != "400" || strings.Contains(body, "go_goroutines") {
		t.Errorf("plain HTTP: %s %.200s", code, body)
	}
	if out, err := exec.Command("curl", "-s", "--max-time", "120", "--cacert", p.ca.File, "https://"+known+"/metrics").Output(); err == nil || len(out) > 0 {
		t.Errorf("without a certificate: %v, %.200s", err, out)
	}
}

// Other terms count at once: for new connections, those that are kept, those that have asked nothing yet, and sessions that are resumed.
func TestSetTLS(t *testing.T) {
	p := newPages(t)
	others := tlstest.NewCA(t, tlstest.P256)
	terms := p.tls(t, "modern", p.clients)
	terms.Profile.Resumption = true
	h, addr, _ := serveTLS(t, admin.HTTPOptions{TLS: terms})
	first, second := p.from(t, "127.0.0.1", p.client), p.from(t, "127.0.0.1", others.Issue(tlstest.P256, nil, "prometheus.firma.example"))
	if code, body := ask(first, "https://"+addr+"/healthz"); code != 200 {
		t.Fatal(code, body)
	}
	if code, _ := ask(second, "https://"+addr+"/healthz"); code != 0 {
		t.Error("a client of others got in")
	}
	silent, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{p.client.Certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	replaced := p.tls(t, "modern", others)
	replaced.Profile.Resumption = true
	if err := h.SetTLS(replaced); err != nil {
		t.Fatal(err)
	}
	silent.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(silent, askAlive)
	if answer, _ := io.ReadAll(silent); strings.Contains(string(answer), "alive") || len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.0 421 ") {
		t.Errorf("a connection of before was answered: %q", answer)
	}
	if code, _ := ask(first, "https://"+addr+"/healthz"); code == 200 {
		t.Errorf("an authority that counts no more: %d", code)
	}
	if code, body := ask(second, "https://"+addr+"/healthz"); code != 200 {
		t.Error(code, body)
	}
	if err := h.SetTLS(nil); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(second, "http://"+addr+"/healthz"); code != 200 {
		t.Error(code, body)
	}
	if code, _ := ask(second, "https://"+addr+"/healthz"); code == 200 {
		t.Error("TLS without TLS")
	}
	if err := h.SetTLS(terms); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(first, "https://"+addr+"/healthz"); code != 200 {
		t.Error(code, body)
	}
}

// An address that other machines reach is for clients that are known, whatever settings come.
func TestPagesBeyondLoopback(t *testing.T) {
	p := newPages(t)
	known, open := p.tls(t, "modern", p.clients), p.tls(t, "modern", nil)
	gatherer := track.NewMetrics().Registry()
	for _, address := range []string{"192.0.2.1:9035", "0.0.0.0:9035", ":9035", "[::]:9035"} {
		for _, terms := range []*admin.PagesTLS{nil, open} {
			if _, err := admin.NewHTTP(admin.HTTPOptions{Address: address, Gatherer: gatherer, TLS: terms}); !errors.Is(err, admin.ErrNotLoopback) {
				t.Errorf("%s: %v", address, err)
			}
		}
		h, err := admin.NewHTTP(admin.HTTPOptions{Address: address, Gatherer: gatherer, TLS: known})
		if err != nil {
			t.Fatal(err)
		}
		for _, terms := range []*admin.PagesTLS{nil, open} {
			if err := h.SetTLS(terms); !errors.Is(err, admin.ErrNotLoopback) || !strings.Contains(err.Error(), "client_ca") {
				t.Errorf("%s: %v", address, err)
			}
		}
		if err := h.SetTLS(known); err != nil {
			t.Error(err)
		}
	}
	if _, err := admin.NewHTTP(admin.HTTPOptions{Address: "9035", Gatherer: gatherer, TLS: known}); err == nil {
		t.Error("an address without a host")
	}
	h, err := admin.NewHTTP(admin.HTTPOptions{Address: "192.0.2.1:0", Gatherer: gatherer, TLS: known})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Listen(); err == nil || h.Addr() != nil { // nobody here has it
		t.Errorf("%v, %v", h.Addr(), err)
	}
}

// Who says nothing, and who says no more after the handshake, is gone after a while.
func TestSlowVisitors(t *testing.T) {
	p := newPages(t)
	_, addr, _ := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "modern", p.clients)})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	shaken, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{p.client.Certificate}})
	if err != nil {
		t.Fatal(err)
	}
	defer shaken.Close()
	io.WriteString(raw, "\x16\x03\x01") // the begin of a record
	io.WriteString(shaken, "GET /metrics HTTP/1.1\r\nHost:")
	for name, c := range map[string]net.Conn{"before the handshake": raw, "after it": shaken} {
		c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadAll(c); errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Errorf("%s: still there after a minute", name)
		}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// One address cannot take all the room.
func TestCrowdedPages(t *testing.T) {
	p := newPages(t)
	_, addr, _ := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "modern", p.clients)})
	enter := func() error { // and stay
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: p.ca.Pool(), Certificates: []tls.Certificate{p.client.Certificate}})
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		line, err := bufio.NewReader(c).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "HTTP/1.1 200") {
			err = errors.New(line)
		}
		return err
	}
	for n := range 16 {
		if err := enter(); err != nil {
			t.Fatal(n, err)
		}
	}
	if enter() == nil {
		t.Error("the 17th of one address was answered")
	}
	if code, body := ask(p.from(t, "127.0.0.2", p.client), "https://"+addr+"/healthz"); code != 200 {
		t.Errorf("another address: %d %s", code, body)
	}
}

// Why a client was refused stands in the log, but not without end.
func TestRefusedClientsAreTold(t *testing.T) {
	p := newPages(t)
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	_, addr, stop := serveTLS(t, admin.HTTPOptions{TLS: p.tls(t, "modern", p.clients), Log: logger, Now: func() time.Time { return now }})
	for range 15 {
		if code, _ := ask(p.from(t, "127.0.0.1"), "https://"+addr+"/metrics"); code != 0 {
			t.Fatal(code)
		}
	}
	stop()
	text := log.String()
	if n := strings.Count(text, "client didn't provide a certificate"); n != 10 || strings.Count(text, "further TLS handshakes") != 1 || strings.Contains(text, "level=warning") {
		t.Errorf("%d lines:\n%s", n, text)
	}
}
