package publish_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/publish"
)

// serve starts a server with two documents.
func serve(t *testing.T) (address string, stop func()) {
	t.Helper()
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	docs := map[string]publish.Document{
		"a.crl": {Type: "application/pkix-crl", Body: []byte("the list"), Changed: now.Add(-time.Hour), Until: now.Add(10 * time.Minute)},
		"a.cer": {Type: "application/pkix-cert", Body: []byte("the certificate"), Changed: now.AddDate(-1, 0, 0)},
		"old":   {Type: "application/pkix-crl", Body: []byte("x"), Changed: now.AddDate(-1, 0, 0), Until: now.AddDate(0, -1, 0)},
	}
	s, err := publish.New(publish.Options{Address: "127.0.0.1:0", Now: func() time.Time { return now },
		Find: func(name string) (publish.Document, bool) { d, ok := docs[name]; return d, ok }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	return s.Addr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	address, stop := serve(t)
	defer stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		method, path string
		code         int
		kind, cache  string
		body         string
	}{
		{"GET", "/a.crl", 200, "application/pkix-crl", "public, max-age=600", "the list"},
		{"GET", "/pki/a.crl", 200, "application/pkix-crl", "public, max-age=600", "the list"},
		{"HEAD", "/a.crl", 200, "application/pkix-crl", "public, max-age=600", ""},
		{"GET", "/a.cer?x=y", 200, "application/pkix-cert", "public, max-age=3600", "the certificate"},
		{"GET", "/old", 200, "application/pkix-crl", "public, max-age=0", "x"},
		{"GET", "/", 404, "text/plain; charset=utf-8", "", "there is no such document\n"},
		{"GET", "/../../etc/passwd", 404, "text/plain; charset=utf-8", "", "there is no such document\n"},
		{"POST", "/a.crl", 405, "text/plain; charset=utf-8", "", "only GET and HEAD\n"},
		{"DELETE", "/a.crl", 405, "text/plain; charset=utf-8", "", "only GET and HEAD\n"},
		{"OPTIONS", "*", 405, "text/plain; charset=utf-8", "", "only GET and HEAD\n"},
	} {
		t.Run(c.method+c.path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+c.path, strings.NewReader(""))
			if c.path == "*" {
				req, err = http.NewRequestWithContext(t.Context(), c.method, "http://"+address+"/", nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			h := resp.Header
			if err != nil || resp.StatusCode != c.code || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache || string(body) != c.body {
				t.Errorf("%s, %v, %q, %v", resp.Status, h, body, err)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("it may be sniffed at")
			}
		})
	}
}

// Whoever has the newest list is told so, and gets no bytes.
func TestNotModified(t *testing.T) {
	address, stop := serve(t)
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/a.crl", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-Modified-Since", "Tue, 06 May 2031 11:00:00 GMT")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotModified {
		t.Error(resp.Status)
	}
}

// One address cannot take all the room, and makes room when it goes.
func TestCrowd(t *testing.T) {
	address, stop := serve(t)
	defer stop()
	ask := func() (net.Conn, error) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(c, "GET /a.crl HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err = bufio.NewReader(c).ReadString('\n')
		return c, err
	}
	var open []net.Conn
	for range 32 {
		c, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if c, err := ask(); err == nil {
		t.Error("the 33rd connection of one address was answered")
	} else {
		c.Close()
	}
	open[0].Close()
	until := time.Now().Add(time.Minute)
	for {
		c, err := ask()
		if c != nil {
			c.Close()
		}
		if err == nil || time.Now().After(until) {
			if err != nil {
				t.Error("no room was made")
			}
			break
		}
	}
	for _, c := range open {
		c.Close()
	}
}

// A header without end, and one that never comes, cost one connection for a short time.
func TestHeadersAreBounded(t *testing.T) {
	address, stop := serve(t)
	defer stop()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	go io.WriteString(c, "GET /a.crl HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	line, _ := bufio.NewReader(c).ReadString('\n')
	if !strings.HasPrefix(line, "HTTP/1.1 431") {
		t.Errorf("got %q", line)
	}
}

func TestNew(t *testing.T) {
	if _, err := publish.New(publish.Options{Address: ":0"}); err == nil {
		t.Error("a server of nothing")
	}
	s, err := publish.New(publish.Options{Address: "127.0.0.1:99999", Find: func(string) (publish.Document, bool) { return publish.Document{}, false }})
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen() == nil || s.Serve(t.Context()) == nil || s.Addr() != nil || s.Close() != nil {
		t.Error("it listens on no port")
	}
}

func ExampleServer() {
	s, err := publish.New(publish.Options{Address: "127.0.0.1:0", Find: func(name string) (publish.Document, bool) {
		return publish.Document{Type: "text/plain", Body: []byte("hello\n")}, name == "hello"
	}})
	if err == nil {
		err = s.Listen()
	}
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	resp, err := http.Get("http://" + s.Addr().String() + "/hello")
	if err != nil {
		panic(err)
	}
	io.Copy(os.Stdout, resp.Body)
	resp.Body.Close()
	cancel()
	fmt.Println(<-done)
	// Output:
	// hello
	// <nil>
}
