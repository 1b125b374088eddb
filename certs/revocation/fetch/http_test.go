package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/revocation/fetch"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

const limit = 1 << 20

// direct connects to wherever it is told.
func direct(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func client(t testing.TB, o fetch.Options) *fetch.Client {
	if o.Dial == nil {
		o.Dial = direct
	}
	return fetch.New(o)
}

func get(t testing.TB, c *fetch.Client, address string) (string, error) {
	t.Helper()
	var got string
	err := c.Get(t.Context(), address, limit, func(b []byte) error { got = string(b); return nil })
	return got, err
}

// site is an HTTP server with everything that may go wrong.
func site(t testing.TB) *httptest.Server {
	m := http.NewServeMux()
	m.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "list") })
	m.HandleFunc("/missing", http.NotFound)
	m.HandleFunc("/trouble", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	m.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, limit+1)) })
	m.HandleFunc("/bigger", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			w.Write(make([]byte, limit))
			w.(http.Flusher).Flush()
		}
	})
	m.HandleFunc("/exact", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, limit)) })
	m.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	m.HandleFunc("/half", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	m.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "short")
	})
	m.HandleFunc("/zip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, limit))
		z.Close()
	})
	m.HandleFunc("/said", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %q %q %q", r.Method, body, r.Header.Get("Cookie"), r.Header.Get("Referer"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"))
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, ok := strings.CutPrefix(r.RequestURI, "/to/")
		if !ok {
			m.ServeHTTP(w, r)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1", Path: "/"})
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestGet(t *testing.T) {
	s := site(t)
	for _, one := range []struct {
		path string
		want string
		err  error // nil with no want: any
	}{
		{"/ok", "list", nil},
		{"/exact", string(make([]byte, limit)), nil},
		{"/missing", "", fetch.ErrAnswer},
		{"/trouble", "", nil},
		{"/big", "", fetch.ErrTooBig},
		{"/bigger", "", fetch.ErrTooBig},
		{"/silent", "", nil},
		{"/half", "", nil},
		{"/short", "", nil},
		{"/to//ok", "list", nil},
		{"/to//to//to//ok", "list", nil},
		{"/to//to//to//to//ok", "", fetch.ErrRefused},
		{"/to/file:///etc/passwd", "", fetch.ErrRefused},
		{"/to/ldap://127.0.0.1/cn=x", "", fetch.ErrRefused},
		{"/to/http://user:secret@127.0.0.1/", "", fetch.ErrRefused},
		{"/to//said", `GET  "" "" "" ""`, nil},
	} {
		t.Run(one.path, func(t *testing.T) {
			o := fetch.Options{}
			if one.path == "/silent" || one.path == "/half" {
				o.Silence = 100 * time.Millisecond
			}
			got, err := get(t, client(t, o), s.URL+one.path)
			if (err == nil) != (one.want != "") || got != one.want || one.err != nil && !errors.Is(err, one.err) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err != nil && (strings.Contains(err.Error(), one.path) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the address is repeated: %v", err)
			}
		})
	}
	c := client(t, fetch.Options{})
	if got, err := get(t, c, s.URL+"/zip"); err != nil || len(got) >= limit/2 {
		t.Errorf("unpacked: %d bytes, %v", len(got), err)
	}
	var said string
	err := c.Post(t.Context(), s.URL+"/said", "application/ocsp-request", []byte("question"), limit, func(b []byte) error { said = string(b); return nil })
	if err != nil || said != `POST question "" "" "" "application/ocsp-request"` {
		t.Errorf("%s, %v", said, err)
	}
	if err := c.Get(t.Context(), s.URL+"/ok", limit, func([]byte) error { return io.ErrNoProgress }); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the error of the user: %v", err)
	}
	if err := c.Post(t.Context(), "ldap://x.example/", "a/b", nil, limit, nil); !errors.Is(err, fetch.ErrRefused) {
		t.Errorf("a question by LDAP: %v", err)
	}
}

// One byte a moment goes on as long as the caller waits, and no longer.
func TestTrickle(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-tick.C:
				w.Write([]byte{0})
				w.(http.Flusher).Flush()
			}
		}
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := client(t, fetch.Options{}).Get(ctx, s.URL, limit, func([]byte) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// No place inside is reached by a detour: a redirect, another port, another spelling.
func TestGuarded(t *testing.T) {
	inside := site(t)
	port := inside.Listener.Addr().(*net.TCPAddr).Port
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer outside.Close()
	// The server outside stands on this machine and is listed by its name; what it passes on to is not.
	d := publicnet.New(publicnet.Options{Hosts: []string{"ca.example"}, Resolver: fixed("127.0.0.1")})
	c := client(t, fetch.Options{Dial: d.DialContext})
	start := fmt.Sprintf("http://ca.example:%d/?to=", outside.Listener.Addr().(*net.TCPAddr).Port)
	for _, to := range []string{"http://127.0.0.1:%d/ok", "http://localhost:%d/ok", "http://[::1]:%d/ok", "http://[::ffff:127.0.0.1]:%d/ok", "http://inside.example:%d/ok"} {
		if got, err := get(t, c, start+url.QueryEscape(fmt.Sprintf(to, port))); !errors.Is(err, publicnet.ErrRefused) {
			t.Errorf("%s: %q, %v", to, got, err)
		}
	}
	if got, err := get(t, c, start+url.QueryEscape(fmt.Sprintf("http://CA.example:%d/ok", port))); err != nil || got != "list" {
		t.Errorf("what is listed: %q, %v", got, err)
	}
}

type fixed string

func (f fixed) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return []net.IPAddr{{IP: net.ParseIP(string(f))}}, nil
}

func TestCheck(t *testing.T) {
	c := client(t, fetch.Options{})
	for address, want := range map[string]bool{
		"http://ca.example/a.crl": true, "HTTPS://CA.example/a": true, "ldap://d.example/cn=x": true, "ldaps://d.example/": true,
		"": false, "/a.crl": false, "file:///etc/passwd": false, "ftp://ca.example/": false, "http:///a": false, "http:ca.example": false,
		"http://u@ca.example/": false, "http://u:p@ca.example/": false, "ldap:///cn=x": false, "gopher://x/": false, "http://[::1": false,
		"http://ca.example/\x00": false, "http://ca.example/" + strings.Repeat("a", 2048): false,
	} {
		if u, err := c.Check(address); (err == nil) != want || err != nil && !errors.Is(err, fetch.ErrRefused) {
			t.Errorf("%q: %v, %v", address, u, err)
		}
	}
	if _, err := client(t, fetch.Options{Directory: "dc.firma.example"}).Check("ldap:///cn=x"); err != nil {
		t.Error(err)
	}
}

// The environment's proxy is not asked; the configured one is, and guards what lies behind it.
func TestProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	s := site(t)
	d := publicnet.New(publicnet.Options{Hosts: []string{"ca.example"}, Resolver: fixed("127.0.0.1")})
	address := fmt.Sprintf("http://ca.example:%d/ok", s.Listener.Addr().(*net.TCPAddr).Port)
	if got, err := get(t, client(t, fetch.Options{Dial: d.DialContext}), address); err != nil || got != "list" {
		t.Errorf("%q, %v", got, err)
	}
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		io.WriteString(w, "by proxy")
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	refusing := func(context.Context, string, string) (net.Conn, error) { return nil, publicnet.ErrRefused }
	c := client(t, fetch.Options{Dial: refusing, Proxy: through, DialProxy: direct})
	if got, err := get(t, c, "http://ca.example/a.crl"); err != nil || got != "by proxy" || asked != "http://ca.example/a.crl" {
		t.Errorf("%q for %q, %v", got, asked, err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "list") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	if _, err := get(t, client(t, fetch.Options{}), s.URL); err == nil {
		t.Error("a certificate of nobody is believed")
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if got, err := get(t, client(t, fetch.Options{Roots: roots}), s.URL); err != nil || got != "list" {
		t.Errorf("%q, %v", got, err)
	}
}

// Of large answers two at a time are in memory; the third waits, as long as its caller does.
func TestLarge(t *testing.T) {
	large := bytes.Repeat([]byte{1}, 5<<20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(large) }))
	defer s.Close()
	c := client(t, fetch.Options{})
	held, free := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	for range 2 {
		go func() {
			done <- c.Get(t.Context(), s.URL, 8<<20, func(b []byte) error {
				held <- struct{}{}
				<-free
				if !bytes.Equal(b, large) {
					return errors.New("not what was sent")
				}
				return nil
			})
		}()
	}
	<-held
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Get(ctx, s.URL, 8<<20, func([]byte) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third: %v", err)
	}
	close(free)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if err := c.Get(t.Context(), s.URL, 8<<20, func([]byte) error { return nil }); err != nil {
		t.Error(err)
	}
}

func ExampleClient_Check() {
	c := fetch.New(fetch.Options{})
	_, err := c.Check("file:///etc/passwd")
	fmt.Println(errors.Is(err, fetch.ErrRefused))
	// Output: true
}

// What a proxy would be asked for is looked at before: inside addresses however they are written, other ports, names inside, also where somebody else sends
// us on to them.
func TestProxyIsNotAskedForWhatIsInside(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
			return
		}
		io.WriteString(w, "by proxy")
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := publicnet.New(publicnet.Options{Ports: []uint16{80, 443}, Hosts: []string{"crl.firma.example"}, Resolver: inside{"trap.example": "10.0.0.5", "ca.example": "9.9.9.9"}})
	c := client(t, fetch.Options{Proxy: through, DialProxy: direct, Vet: d.Vet})
	for _, address := range []string{
		"http://10.0.0.5/a.crl", "http://127.0.0.1/a.crl", "http://[::1]/a.crl", "http://[fd00::1]/a.crl", "http://[::ffff:10.0.0.5]/", "http://0/", "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://017700000001/",
		"http://localhost/", "http://x.localhost./", "http://intranet/a.crl", "http://printer.local/", "http://trap.example/a.crl", "http://ca.example:8080/a.crl", "http://ca.example:22/", "http://ca.example/moved",
		"http://metadata.google.internal/",
	} {
		if got, err := get(t, c, address); !errors.Is(err, fetch.ErrRefused) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	if len(asked) != 1 {
		t.Errorf("the proxy was asked for %q", asked)
	}
	for _, address := range []string{"http://ca.example/a.crl", "http://ca.example:443/a.crl", "http://unknown.example/a.crl", "http://crl.firma.example/a.crl"} {
		if got, err := get(t, c, address); err != nil || got != "by proxy" {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}

// inside knows some names.
type inside map[string]string

func (n inside) LookupIPAddr(_ context.Context, host string) ([]net.IPAddr, error) {
	if a, ok := n[host]; ok {
		return []net.IPAddr{{IP: net.ParseIP(a)}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
