package addin_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// running is a stand that serves.
type running struct {
	*stand
	ca   *tlstest.CA
	at   string // host and port
	stop func()
}

// runStand serves on the loopback address by a profile, with a certificate for siegel.firma.example.
func runStand(t testing.TB, profile string, change func(*addin.Setup)) *running {
	t.Helper()
	r := &running{ca: tlstest.NewCA(t, tlstest.P256)}
	pair := r.ca.Issue(tlstest.P256, nil, "siegel.firma.example", "127.0.0.1")
	policy, ok := tlspolicy.Builtin(profile)
	if !ok {
		t.Fatal("no such profile")
	}
	r.stand = newStand(t, func(s *addin.Setup) {
		s.TLS, s.Certificate = policy, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair.Certificate, nil }
		if change != nil {
			change(s)
		}
	})
	if err := r.Listen(); err != nil {
		t.Fatal(err)
	}
	r.at = r.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	ended := false
	r.stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// client asks under the name of the URL, wherever the server is.
func (r *running) client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: r.ca.Pool()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.at)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// get is the status, the header and the body of a page, by a new connection where the server wants that.
func (r *running) get(t testing.TB, c *http.Client, path string, header ...string) (*http.Response, string) {
	t.Helper()
	answer, body := r.once(t, c, path, header...)
	if answer.StatusCode == http.StatusMisdirectedRequest { // the client did not know that its connection was closed
		answer, body = r.once(t, c, path, header...)
	}
	return answer, body
}

func (r *running) once(t testing.TB, c *http.Client, path string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, origin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// Files have their type and an ETag, and are sent once.
func TestFiles(t *testing.T) {
	r := runStand(t, "modern", nil)
	c := r.client(t)
	for path, want := range map[string]string{
		"/outlook/read.html": "text/html; charset=utf-8", "/outlook/site.js": "text/javascript; charset=utf-8", "/outlook/icons/a.png": "image/png", "/.well-known/a.json": "application/json",
		"/outlook/read.html?et=&_host_Info=Outlook": "text/html; charset=utf-8",
	} {
		answer, body := r.get(t, c, path)
		tag := answer.Header.Get("ETag")
		if answer.StatusCode != 200 || body == "" || answer.Header.Get("Content-Type") != want || len(tag) < 20 || answer.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", path, answer.StatusCode, answer.Header)
		}
		if again, body := r.get(t, c, path, "If-None-Match", tag); again.StatusCode != 304 || body != "" || again.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s again: %d %q", path, again.StatusCode, body)
		}
		if other, _ := r.get(t, c, path, "If-None-Match", `"x"`); other.StatusCode != 200 {
			t.Errorf("%s of another version: %d", path, other.StatusCode)
		}
	}
	for _, path := range []string{"/", "/outlook", "/outlook/", "/outlook/x.html", "/outlook/icons/", "/outlook/icons", "/outlook/../etc/passwd", "/outlook/%2e%2e/%2e%2e/etc/passwd", "/outlook//read.html", "/outlook/api/", "/outlook/api/explain/", "/metrics", "/healthz"} {
		if answer, body := r.get(t, c, path); answer.StatusCode != 404 && answer.StatusCode != 405 || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body)
		}
	}
	// Bodies of another version have another tag.
	before, _ := r.get(t, c, "/outlook/site.js")
	r.setup.Pages.Files = fstest.MapFS{"site.js": {Data: []byte("'use strict';")}}
	if err := r.Set(r.setup); err != nil {
		t.Fatal(err)
	}
	if after, _ := r.get(t, c, "/outlook/site.js"); after.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Error("another file has the same tag")
	}
	if gone, _ := r.get(t, c, "/outlook/read.html"); gone.StatusCode != 404 {
		t.Errorf("a file that is gone: %d", gone.StatusCode)
	}
}

// What cannot be served is told when it is set up.
func TestNew(t *testing.T) {
	s := newStand(t, nil)
	large := make(fstest.MapFS)
	for i := range 501 {
		large["f"+strconv.Itoa(i)+".js"] = &fstest.MapFile{Data: []byte("x")}
	}
	for name, change := range map[string]func(*addin.Setup){
		"an origin by HTTP":      func(s *addin.Setup) { s.Origin = "http://siegel.firma.example" },
		"an origin with a path":  func(s *addin.Setup) { s.Origin += "/outlook" },
		"an origin in capitals":  func(s *addin.Setup) { s.Origin = "https://SIEGEL.firma.example" },
		"no origin":              func(s *addin.Setup) { s.Origin = "" },
		"no certificate":         func(s *addin.Setup) { s.Certificate = nil },
		"no users":               func(s *addin.Setup) { s.Users = nil },
		"no time":                func(s *addin.Setup) { s.Bounds.Timeout = 0 },
		"no questions":           func(s *addin.Setup) { s.Bounds.PerMinute = 0 },
		"a file of another kind": func(s *addin.Setup) { s.Pages.Files = fstest.MapFS{"run.exe": {Data: []byte("MZ")}} },
		"files without end":      func(s *addin.Setup) { s.Pages.Files = large },
		"a file without end":     func(s *addin.Setup) { s.Pages.Files = fstest.MapFS{"a.js": {Data: make([]byte, 33<<20)}} },
		"a document of no kind":  func(s *addin.Setup) { s.Pages.Documents = map[string][]byte{"/robots": nil} },
	} {
		setup := s.setup
		change(&setup)
		if _, err := addin.New(addin.Options{Address: "127.0.0.1:0", Explain: s.oracle, Setup: setup}); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if s.Check(setup) == nil || s.Set(setup) == nil {
			t.Errorf("%s: a reload took it", name)
		}
	}
	for _, o := range []addin.Options{{Explain: s.oracle, Setup: s.setup}, {Address: "127.0.0.1:0", Setup: s.setup}} {
		if _, err := addin.New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if s.Addr() != nil || s.Close() != nil || s.Serve(t.Context()) == nil {
		t.Error("a server that does not listen serves")
	}
	taken, err := addin.New(addin.Options{Address: "256.0.0.1:0", Explain: s.oracle, Setup: s.setup})
	if err != nil {
		t.Fatal(err)
	}
	if taken.Listen() == nil {
		t.Error("an address that is none was bound")
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if s.Addr() == nil || s.Close() != nil {
		t.Error("it does not close")
	}
}

// OpenSSL gets in by what the profile has, and by nothing else.
func TestProfileHolds(t *testing.T) {
	r := runStand(t, "bsi-tr-02102-2", nil)
	say := "GET /outlook/read.html HTTP/1.1\r\nHost: siegel.firma.example:8443\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct {
		args []string
		in   bool
	}{
		"TLS 1.3":            {[]string{"-tls1_3"}, true},
		"TLS 1.2":            {[]string{"-tls1_2"}, true},
		"TLS 1.1":            {[]string{"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"}, false},
		"a suite outside":    {[]string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, false},
		"a suite of TLS 1.3": {[]string{"-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, false},
		"a group outside":    {[]string{"-groups", "X25519"}, false},
		"HTTP/2":             {[]string{"-alpn", "h2"}, false},
		"HTTP/1.1":           {[]string{"-alpn", "h2,http/1.1"}, true},
	} {
		n := tlstest.OpenSSLClient(t, r.at, say, "<!doctype html>", append(c.args, "-CAfile", r.ca.File)...)
		if n.OK != c.in {
			t.Errorf("%s: %v\n%s", name, n.OK, n.Output)
		}
	}
	// Without TLS there is nothing.
	plain, err := net.Dial("tcp", r.at)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, say)
	if text, _ := bufio.NewReader(plain).ReadString('\n'); strings.Contains(text, "200") {
		t.Errorf("without TLS: %q", text)
	}
}

// A reload puts another certificate and another profile into force, for those who are connected too.
func TestReload(t *testing.T) {
	r := runStand(t, "compatible", nil)
	c := r.client(t)
	if answer, _ := r.get(t, c, "/outlook/api/settings"); answer.StatusCode != 200 || answer.TLS.PeerCertificates[0].Subject.CommonName == "" {
		t.Fatal(answer.StatusCode)
	}
	// A connection that is open and busy is answered once more, and closed.
	conn, err := tls.Dial("tcp", r.at, &tls.Config{RootCAs: r.ca.Pool(), ServerName: "siegel.firma.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /outlook/api/settings HTTP/1.1\r\nHost: siegel.firma.example:8443\r\n")
	renewed := r.ca.Issue(tlstest.P256, nil, "siegel.firma.example", "renewed.example")
	r.setup.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &renewed.Certificate, nil }
	r.setup.TLS, _ = tlspolicy.Builtin("modern")
	r.setup.TLS.MinVersion = tls.VersionTLS13
	if err := r.Set(r.setup); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err): // it was idle for the server
	case err != nil:
		t.Errorf("a connection of before: %v", err)
	case answer.StatusCode != 421 || !answer.Close:
		t.Errorf("a connection of before: %d, closed %v", answer.StatusCode, answer.Close)
	}
	got, _ := r.get(t, c, "/outlook/api/settings")
	if got.StatusCode != 200 || got.TLS.Version != tls.VersionTLS13 || got.TLS.PeerCertificates[0].VerifyHostname("renewed.example") != nil {
		t.Errorf("after the reload: %d, %v", got.StatusCode, got.TLS.Version)
	}
	if old, err := tls.Dial("tcp", r.at, &tls.Config{RootCAs: r.ca.Pool(), ServerName: "siegel.firma.example", MaxVersion: tls.VersionTLS12}); err == nil {
		old.Close()
		t.Error("TLS 1.2 is still spoken")
	}
	bad := r.setup
	bad.Origin = ""
	if r.Set(bad) == nil {
		t.Error("a setup that cannot be was taken")
	}
	if after, _ := r.get(t, c, "/outlook/api/settings"); after.StatusCode != 200 {
		t.Errorf("after a reload that was refused: %d", after.StatusCode)
	}
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// The server ends with the question that it answers, and cuts off one that takes too long.
func TestStop(t *testing.T) {
	for name, late := range map[string]bool{"in time": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runStand(t, "modern", func(s *addin.Setup) { s.Bounds.Timeout = time.Hour })
			r.oracle.hold, r.oracle.begun = make(chan struct{}), make(chan struct{}, 1)
			r.oracle.answer.Recipients = []explain.Recipient{{To: "bob@partner.example", Way: explain.SMTP}}
			body := question("alice@firma.example", "bob@partner.example")
			status := make(chan int, 1)
			go func() {
				request, err := http.NewRequest(http.MethodPost, origin+addin.ExplainPath, strings.NewReader(body))
				if err != nil {
					panic(err)
				}
				request.Header.Set("Content-Type", "application/json")
				request.Header.Set("Authorization", "Bearer "+r.entra(t, nil))
				answer, err := r.client(t).Do(request)
				if err != nil {
					status <- 0
					return
				}
				answer.Body.Close()
				status <- answer.StatusCode
			}()
			select {
			case <-r.oracle.begun:
			case s := <-status:
				t.Fatalf("it was answered with %d", s)
			}
			stopped := make(chan struct{})
			go func() { defer close(stopped); r.stop() }()
			if !late {
				close(r.oracle.hold)
			}
			<-stopped
			if got := <-status; !late && got != 200 {
				t.Errorf("a question in time: %d", got)
			} else if late && got == 200 {
				t.Error("a question that was never answered is")
			}
		})
	}
}

// curl sees what a browser sees.
func TestCurl(t *testing.T) {
	tlstest.Need(t, "curl")
	r := runStand(t, "modern", func(s *addin.Setup) { s.Networks = nil })
	_, port, err := net.SplitHostPort(r.at)
	if err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("x"), 300<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) string {
		t.Helper()
		all := append([]string{"--silent", "--show-error", "--cacert", r.ca.File, "--connect-to", "siegel.firma.example:8443:127.0.0.1:" + port, "--max-time", "60"}, args...)
		out, err := exec.Command("curl", all...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v: %s", err, out)
		}
		return string(out)
	}
	if out := curl("--include", "--http2", origin+"/outlook/read.html"); !strings.HasPrefix(out, "HTTP/1.1 200") || !strings.Contains(out, "<!doctype html>") {
		t.Error(out)
	}
	if out := curl("--head", origin+"/outlook/site.js"); !strings.HasPrefix(out, "HTTP/1.1 200") || strings.Contains(out, "strict'") {
		t.Error(out)
	}
	ask := []string{"--include", "--header", "Content-Type: application/json", "--data", question("alice@firma.example", "bob@partner.example"), origin + addin.ExplainPath}
	if out := curl(ask...); !strings.HasPrefix(out, "HTTP/1.1 401") || !strings.Contains(out, `"unauthorized"`) {
		t.Error(out)
	}
	if out := curl(append(ask, "--header", "Authorization: Bearer "+r.entra(t, nil))...); !strings.HasPrefix(out, "HTTP/1.1 200") || !strings.Contains(out, `"to":"bob@partner.example"`) {
		t.Error(out)
	}
	if out := curl("--include", "--header", "Host: evil.example", origin+"/outlook/read.html"); !strings.HasPrefix(out, "HTTP/1.1 421") {
		t.Error(out)
	}
	if out := curl("--include", "--header", "X-Long: "+strings.Repeat("x", 64<<10), origin+"/outlook/read.html"); !strings.HasPrefix(out, "HTTP/1.1 431") {
		t.Error(out[:min(len(out), 200)])
	}
	if out := curl("--include", "--header", "Content-Type: application/json", "--header", "Authorization: Bearer "+r.entra(t, nil), "--header", "Transfer-Encoding: chunked", "--header", "Expect:", "--data", "@"+large, origin+addin.ExplainPath); !strings.HasPrefix(out, "HTTP/1.1 413") {
		t.Error(out)
	}
}
