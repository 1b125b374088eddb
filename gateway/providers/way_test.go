package providers_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/gateway/providers"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// heard keeps what is told of handshakes.
type heard struct {
	mu  sync.Mutex
	all []providers.Handshake
}

func (h *heard) add(one providers.Handshake) {
	h.mu.Lock()
	h.all = append(h.all, one)
	h.mu.Unlock()
}

func (h *heard) last(t *testing.T) providers.Handshake {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) == 0 {
		t.Fatal("no handshake was told of")
	}
	return h.all[len(h.all)-1]
}

func profile(t *testing.T, name string) tlspolicy.Profile {
	t.Helper()
	p, ok := tlspolicy.Builtin(name)
	if !ok {
		t.Fatal("no profile " + name)
	}
	return p
}

func way(t *testing.T, o providers.Options) *providers.Way {
	t.Helper()
	w, err := providers.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// legacy is a server as providers of De-Mail had it: TLS 1.2, one suite of utls on P-521, and a client certificate.
func legacy(t *testing.T) (ca *tlstest.CA, client tlstest.Pair, addr string) {
	t.Helper()
	ca = tlstest.NewCA(t, tlstest.P256)
	client = ca.Issue(tlstest.RSA2048, nil, "gw.firma.example")
	s := tlstest.Nginx(t, ca.Issue(tlstest.RSA2048, nil, "127.0.0.1"), "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-SHA384; ssl_ecdh_curve secp521r1; "+
		"ssl_verify_client on; ssl_client_certificate "+ca.File+"; location / { return 200 '$ssl_protocol $ssl_cipher $ssl_client_s_dn $server_protocol'; }")
	return ca, client, s.Addr
}

// HTTP goes over the suite that crypto/tls does not have, and what was negotiated is told.
func TestLegacyNginx(t *testing.T) {
	ca, client, addr := legacy(t)
	h := &heard{}
	presented := 0
	o := providers.Options{
		Account: "telekom", Profile: profile(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: ca.Pool()}, Handshaken: h.add,
		Present: func(ctx context.Context) (tls.Certificate, error) {
			presented++
			if _, limited := ctx.Deadline(); !limited {
				t.Error("the wait for the key has no end")
			}
			return client.Certificate, nil
		},
	}
	web := way(t, o).HTTP()
	for range 3 {
		resp, err := web.Post("https://"+addr+"/", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := "TLSv1.2 ECDHE-RSA-AES256-SHA384 CN=gw.firma.example HTTP/1.1"; err != nil || string(page) != want {
			t.Fatalf("%q, %v", page, err)
		}
	}
	got := h.last(t)
	if got.Err != nil || got.State.Suite != 0xC028 || !got.State.Shown || got.State.Engine != tlspolicy.UTLS || got.Time.IsZero() {
		t.Errorf("%+v", got)
	}
	if len(h.all) != 1 || presented != 1 {
		t.Errorf("%d handshakes and %d signatures for three requests", len(h.all), presented)
	}
	o.Present = func(context.Context) (tls.Certificate, error) {
		return tls.Certificate{}, errors.New("the card is away")
	}
	if _, err := way(t, o).HTTP().Get("https://" + addr + "/"); err == nil || !strings.Contains(err.Error(), "the client certificate cannot be shown: the card is away") {
		t.Errorf("without the card: %v", err)
	}
	if got := h.last(t); got.Err == nil {
		t.Error("that it failed was not told")
	}
}

// A server that is not the one, or does less than the profile demands, gets no request.
func TestNotTheProvider(t *testing.T) {
	ca, client, addr := legacy(t)
	other := tlstest.NewCA(t, tlstest.P256)
	wrongPin, err := tlspolicy.ParsePin("key:sha256:" + strings.Repeat("00", 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]providers.Options{
		"another authority": {Profile: profile(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: other.Pool()}, Certificates: []tls.Certificate{client.Certificate}},
		"another key":       {Profile: profile(t, "de-mail-legacy"), Verify: tlspolicy.Pins{wrongPin}, Certificates: []tls.Certificate{client.Certificate}},
		"another profile":   {Profile: profile(t, "modern"), Verify: tlspolicy.PKI{Roots: ca.Pool()}, Certificates: []tls.Certificate{client.Certificate}},
		"no certificate":    {Profile: profile(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: ca.Pool()}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{}
			o.Handshaken = h.add
			if resp, err := way(t, o).HTTP().Get("https://" + addr + "/"); err == nil {
				resp.Body.Close()
				t.Error("it was asked")
			}
			if got := h.last(t); got.Err == nil {
				t.Errorf("%+v", got)
			}
		})
	}
	if _, err := providers.New(providers.Options{Account: "a"}); err == nil || !strings.Contains(err.Error(), "a: ") {
		t.Errorf("whoever is believed by nobody: %v", err)
	}
}

// A server that does not ask for the certificate, where the profile demands that, gets no request either.
func TestNotAskedFor(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair := ca.Issue(tlstest.RSA2048, nil, "127.0.0.1")
	s := tlstest.OpenSSL(t, "-www", "-cert", pair.CertFile, "-key", pair.KeyFile, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384", "-curves", "secp521r1")
	w := way(t, providers.Options{Profile: profile(t, "de-mail-legacy"), Verify: tlspolicy.PKI{Roots: ca.Pool()},
		Certificates: []tls.Certificate{ca.Issue(tlstest.RSA2048, nil, "gw").Certificate}})
	if _, err := w.HTTP().Get("https://" + s.Addr + "/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}

// It speaks HTTP/1.1 alone, follows no redirect, keeps to its number of connections, and never goes without TLS.
func TestHTTP(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	const most = 2
	var mu sync.Mutex
	conns, now, protocols := map[net.Conn]bool{}, 0, map[string]bool{}
	full := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		protocols[r.Proto] = true
		if now++; now == most {
			close(full)
		}
		mu.Unlock()
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		<-full
	}))
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		conns[c] = true
		mu.Unlock()
	}
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.P256, nil, "127.0.0.1").Certificate}}
	server.StartTLS()
	defer server.Close()
	w := way(t, providers.Options{Profile: profile(t, "modern"), Verify: tlspolicy.PKI{Roots: ca.Pool()}, Connections: most})
	web := w.HTTP()
	var all sync.WaitGroup
	for range 3 * most {
		all.Go(func() {
			resp, err := web.Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	all.Wait()
	mu.Lock()
	if len(conns) > most || len(protocols) != 1 || !protocols["HTTP/1.1"] {
		t.Errorf("%d connections, %v", len(conns), protocols)
	}
	mu.Unlock()
	resp, err := web.Get(server.URL + "/away")
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("%v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if _, err := web.Get(strings.Replace(server.URL, "https:", "http:", 1)); err == nil || !strings.Contains(err.Error(), "TLS only") {
		t.Errorf("without TLS: %v", err)
	}
}

// What cannot be reached is told of; what nobody waits for any more is not.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	h := &heard{}
	ca := tlstest.NewCA(t, tlstest.P256)
	w := way(t, providers.Options{Profile: profile(t, "modern"), Verify: tlspolicy.PKI{Roots: ca.Pool()}, Handshaken: h.add})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err == nil {
			cancel() // in the midst of the handshake
			defer c.Close()
		}
		l.Close()
	}()
	if _, err := w.Connect(ctx, "tcp", addr); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(h.all) != 0 {
		t.Errorf("%+v", h.all)
	}
	for _, to := range []string{"127.0.0.1:1", "no-port"} {
		if _, err := w.Connect(t.Context(), "tcp", to); err == nil || h.last(t).Err == nil {
			t.Error(to, err)
		}
	}
}
