package rehearsal

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdatest"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// program finds a program; where CI is set it must be there.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if path = filepath.Join(dir, name); exists(path) {
				return path
			}
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing; install %s", name, debian)
		}
		t.Skipf("%s is missing; install %s", name, debian)
	}
	return path
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// through is a connection whose TLS is OpenSSL's: what is written goes into openssl s_client, and what is read comes out of it.
type through struct {
	io.ReadCloser
	in      io.WriteCloser
	command *exec.Cmd
	address net.Addr
}

func (c *through) Write(p []byte) (int, error)      { return c.in.Write(p) }
func (c *through) LocalAddr() net.Addr              { return c.address }
func (c *through) RemoteAddr() net.Addr             { return c.address }
func (c *through) SetDeadline(time.Time) error      { return nil }
func (c *through) SetReadDeadline(time.Time) error  { return nil }
func (c *through) SetWriteDeadline(time.Time) error { return nil }

func (c *through) Close() error {
	_ = c.in.Close()
	_ = c.command.Process.Kill()
	_ = c.command.Wait()
	return nil
}

// openssl speaks TLS 1.2 with ECDHE-RSA-AES256-SHA384 and P-521, and nothing else.
func openssl(t *testing.T, keys *Keys) *http.Transport {
	t.Helper()
	path, dir := program(t, "openssl", "openssl"), t.TempDir()
	if err := keys.write(dir); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	return &http.Transport{DialTLSContext: func(_ context.Context, _, address string) (net.Conn, error) {
		// Without -nocommands it takes a Q or an R where it begins to read, also within base64, for itself.
		cmd := exec.Command(path, "s_client", "-quiet", "-no_ign_eof", "-nocommands", "-connect", address, "-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384", "-curves", "P-521",
			"-CAfile", file(RootsFile), "-verify_return_error", "-verify_ip", "127.0.0.1", "-cert", file(CertificateFile("firma")), "-key", file(KeyFile("firma")))
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		return &through{out, in, cmd, &net.TCPAddr{}}, cmd.Start()
	}}
}

// legacyStand is a connector whose TLS OpenSSL makes, and the end of which nginx is, before a simulated provider.
func legacyStand(t *testing.T, keys *Keys, p *webservice.Profile) connectortest.Stand {
	t.Helper()
	var hours atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(hours.Load()) * time.Hour) }
	address := func(s string) demail.Address {
		a, err := demail.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	own, far := Companies()[0], Companies()[1]
	b := &dmdatest.Back{Pass: func(d time.Duration) { hours.Add(int64(d / time.Hour)) },
		Own: dmda.Account{Addresses: []demail.Address{address(own.Address)}}, Far: dmda.Account{Addresses: []demail.Address{address(far.Address)}}}
	o := options(t)
	o.Profiles, o.Keys, o.Now, o.TLS = []*webservice.Profile{p}, keys, now, TLS{Mutual: true, Nginx: program(t, "nginx", "nginx-light")}
	o.Log = func(_ string, e dmdaweb.Event) { b.Log(e) }
	w := start(t, o)
	b.At, b.FarAt, b.Handler = w.Providers[0].Simulated, w.Providers[1].Simulated, w.Providers[0].Handlers[0]
	transport := openssl(t, keys)
	t.Cleanup(transport.CloseIdleConnections)
	b.HTTP = transport
	c, err := webservice.New(webservice.Options{Profile: p, URL: w.Providers[0].URL, HTTP: &http.Client{Transport: b}, Account: own.Name, User: own.Name,
		Password: keys.Passwords[own.Name], Spool: o.Spool, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return connectortest.Stand{Provider: webservice.NewProvider(c), Back: b, Sender: b.Own.Addresses[0], Recipient: b.Far.Addresses[0],
		Missing: address("niemand@stadt.de-mail.example"), Secrets: []string{keys.Passwords[own.Name].Reveal()}}
}

// The contract holds over TLS as old providers have it, with both ends of it made by others: nginx, which ends it, and OpenSSL. Go's own client is not let in.
func TestLegacyTLS(t *testing.T) {
	keys, err := NewKeys(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"Domains", "Submit", "SubmitMany", "Find", "Lookup", "Fetch", "FetchCut", "FetchUnacknowledged", "NoAnswer", "Submit/lost", "Submit/garbled", "Submit/login", "Ask/dropped"}
	for _, p := range profiles(t) {
		for _, c := range connectortest.Checks() {
			if !slices.Contains(names, c.Name) {
				continue
			}
			t.Run(p.Name+"/"+c.Name, func(t *testing.T) {
				if err := c.Run(t.Context(), legacyStand(t, keys, p)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	t.Run("negotiated", func(t *testing.T) {
		o := options(t)
		o.Keys, o.TLS = keys, TLS{Nginx: program(t, "nginx", "nginx-light")}
		w := start(t, o)
		_, err := connector(t, w, "firma", w.o.Profiles[0]).Domains(t.Context())
		if connectors.Class(err) != connectors.ErrUnavailable || !strings.Contains(err.Error(), "tls: handshake failure") {
			t.Error("Go's TLS is let in:", err)
		}
		text, err := get(t, &http.Client{Transport: openssl(t, keys)}, w.Providers[0].URL+"/")
		if err != nil || !strings.HasPrefix(text, "SIMULATED") {
			t.Error(text, err)
		}
		said, err := exec.Command(program(t, "openssl", "openssl"), "s_client", "-connect", strings.TrimPrefix(w.Providers[0].URL, "https://")).CombinedOutput()
		for _, word := range []string{"Cipher is ECDHE-RSA-AES256-SHA384", "ECDH, secp521r1, 521 bits", "Acceptable client certificate CA names"} {
			if !strings.Contains(string(said), word) {
				t.Errorf("openssl does not say %q: %v\n%s", word, err, said)
			}
		}
	})
}

// A client cannot say by a field of its request whose certificate it has.
func TestFrontHeader(t *testing.T) {
	o := options(t)
	o.TLS.Nginx = program(t, "nginx", "nginx-light")
	authority, err := dmda.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o.Clients = map[string][]*x509.Certificate{"firma": {authority.Certificate}} // so that nginx takes any certificate
	w := start(t, o)
	transport := openssl(t, w.Keys)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Providers[0].URL+FaultsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	pem := strings.ReplaceAll(string(dmda.CertificatePEM(w.Keys.Clients[Operator].Leaf)), "\n", "%0A")
	r.Header.Set(frontHeader, pem)
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Error(response.Status)
	}
	direct := &http.Request{Header: http.Header{frontHeader: {pem}}}
	if c := frontCertificate(direct); c == nil || !c.Equal(w.Keys.Clients[Operator].Leaf) {
		t.Error("what nginx writes is not read")
	}
	for _, bad := range []string{"", "%", "x", "-----BEGIN CERTIFICATE-----%0AAAAA%0A-----END CERTIFICATE-----"} {
		if c := frontCertificate(&http.Request{Header: http.Header{frontHeader: {bad}}}); c != nil {
			t.Errorf("%q is a certificate", bad)
		}
	}
}
