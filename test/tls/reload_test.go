package tls

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// subject finds whose certificate s_client got.
var subject = regexp.MustCompile(`(?m)^subject=CN ?= ?(\S+)`)

// shown is the name in the certificate that a listener shows to who asks for a name.
func shown(t *testing.T, addr, name string, more ...string) string {
	t.Helper()
	args := []string{"s_client", "-connect", addr, "-starttls", "smtp", "-name", "client.example"}
	if name == "" {
		args = append(args, "-noservername")
	} else {
		args = append(args, "-servername", name)
	}
	d := begin(t, "openssl", append(args, more...)...)
	defer d.end()
	if err := d.say(within(t, name), "noop", "^250 2"); err != nil {
		t.Fatalf("%v\n%s", err, d.out.String())
	}
	m := subject.FindStringSubmatch(d.out.String())
	if m == nil {
		t.Fatalf("no certificate:\n%s", d.out.String())
	}
	return m[1]
}

// A client gets the certificate for the name that it asks for, of a kind that it takes, else the first.
func TestServerNames(t *testing.T) {
	w := newWorld(t)
	addr := freeport.Address(t)
	first := w.ca.Issue(tlstest.P256, nil, "mx.firma.example")
	var more []string
	for _, name := range []string{"mx.tochter.example", "*.wild.example"} {
		p := w.ca.Issue(tlstest.RSA2048, nil, name)
		more = append(more, fmt.Sprintf("{certificate: %s, key: %s}", p.CertFile, p.KeyFile))
	}
	both := w.ca.Issue(tlstest.RSA2048, func(c *x509.Certificate) { c.Subject.CommonName = "rsa.firma.example" }, "mx.firma.example")
	more = append(more, fmt.Sprintf("{certificate: %s, key: %s}", both.CertFile, both.KeyFile))
	w.configure([]string{fmt.Sprintf(`{name: mx, address: "%s", role: external, authentication: false, tls: {certificate: %s, key: %s, certificates: [%s]}}`,
		addr, first.CertFile, first.KeyFile, strings.Join(more, ", "))}, nil)
	w.serve()
	for _, c := range []struct {
		name, want string
		more       []string
	}{
		{"", "mx.firma.example", nil},
		{"mx.firma.example", "mx.firma.example", nil},
		{"MX.Tochter.Example", "mx.tochter.example", nil},
		{"a.wild.example", "*.wild.example", nil},
		{"a.b.wild.example", "mx.firma.example", nil},
		{"unknown.example", "mx.firma.example", nil},
		{"mx.firma.example", "rsa.firma.example", []string{"-tls1_2", "-cipher", "aRSA"}},
		{"unknown.example", "mx.tochter.example", []string{"-tls1_2", "-cipher", "aRSA"}},
	} {
		if got := shown(t, addr, c.name, c.more...); got != c.want {
			t.Errorf("%q %v: %s, want %s", c.name, c.more, got, c.want)
		}
	}
}

// replace puts the files of a pair where those of a listener are, each in one step, as those do who renew certificates.
func replace(t *testing.T, cert, key string, p tlstest.Pair) {
	t.Helper()
	for to, from := range map[string]string{cert: p.CertFile, key: p.KeyFile} {
		if err := os.WriteFile(to+".new", readFile(t, from), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(to+".new", to); err != nil {
			t.Fatal(err)
		}
	}
}

// The files of a certificate are replaced, broken, and put right again, while mail comes in without a pause: no client is refused, and what is broken
// is said and not used.
func TestReplaced(t *testing.T) {
	t.Parallel() // the files are looked at every ten seconds
	w := newWorld(t)
	addr := freeport.Address(t)
	cert, key := filepath.Join(w.dir, "mx.pem"), filepath.Join(w.dir, "mx.key")
	pair := func(name string) tlstest.Pair { return w.ca.Issue(tlstest.P256, nil, name) }
	replace(t, cert, key, pair("one.example"))
	w.configure([]string{fmt.Sprintf(`{name: mx, address: "%s", role: external, authentication: false, limits: {connections_per_minute: 0}, tls: {certificate: %s, key: %s, profile: modern}}`, addr, cert, key)}, nil)
	w.serve()
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for more := true; more; n++ {
			d := sClient(t, addr, offer{"1.3", "TLS_AES_128_GCM_SHA256", "x25519"})
			if err := d.deliver(within(t, "mail"), fmt.Sprintf("flow%d@firma.example", n)); err != nil {
				t.Errorf("message %d: %v\n%s", n, err, d.out.String())
			}
			d.end()
			select {
			case <-stop:
				more = false
			default:
			}
		}
		done <- n
	}()
	until := func(what string, ok func() bool) {
		t.Helper()
		for ctx := within(t, what); !ok(); {
			if ctx.Err() != nil {
				t.Fatalf("%s did not come:\n%s", what, w.gateway.Log())
			}
		}
	}
	replace(t, cert, key, pair("two.example"))
	until("the second certificate", func() bool { return shown(t, addr, "") == "two.example" })
	for what, breakIt := range map[string]func(){
		"garbage": func() { os.WriteFile(cert, []byte("no certificate\n"), 0o600) },
		"another's key": func() {
			replace(t, cert, key, tlstest.Pair{CertFile: pair("x.example").CertFile, KeyFile: pair("y.example").KeyFile})
		},
	} {
		before := len(w.logged("level=error", cert)) + len(w.logged("level=warning", cert))
		breakIt()
		until(what+" in the log", func() bool {
			name := shown(t, addr, "")
			if name != "two.example" {
				t.Fatalf("%s: the listener shows %s", what, name)
			}
			return len(w.logged("level=error", cert))+len(w.logged("level=warning", cert)) > before
		})
	}
	replace(t, cert, key, pair("three.example"))
	until("the third certificate", func() bool { return shown(t, addr, "") == "three.example" })
	close(stop)
	if n := <-done; n < 10 {
		t.Errorf("only %d messages came meanwhile", n)
	} else {
		t.Logf("%d messages came meanwhile", n)
	}
}

// A session that goes on with earlier keys still bears the client's certificate, and is still held to the profile.
func TestResumed(t *testing.T) {
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t)
			p := w.pair(tlstest.P256)
			with, without, other := freeport.Address(t), freeport.Address(t), freeport.Address(t)
			at := func(name, addr, profile string) string {
				return fmt.Sprintf(`{name: %s, address: "%s", role: internal, tls: {certificate: %s, key: %s, profile: %s, client_names: [localhost], client_ca: %s}}`,
					name, addr, p.CertFile, p.KeyFile, profile, w.ca.File)
			}
			w.configure([]string{at("with", with, "modern"), at("without", without, "noresume"), at("other", other, "bsi-tr-03108")}, nil,
				"tls:\n  profiles:\n    - {name: noresume, resumption: false}")
			w.serve()
			session := filepath.Join(w.dir, "session.pem")
			show := []string{"-cert", p.CertFile, "-key", p.KeyFile}
			if out := w.talk(t, with, version, append(show, "-sess_out", session)...); !strings.Contains(out, "New, TLS") || !strings.Contains(out, "250 2.0.0 Roger") {
				t.Fatalf("the first connection:\n%s", out)
			}
			out := w.talk(t, with, version, "-sess_in", session) // without showing it
			if !strings.Contains(out, "Reused, TLS") || !strings.Contains(out, "250 2.0.0 Roger") {
				t.Errorf("the second connection:\n%s", out)
			}
			for name, addr := range map[string]string{"without resumption": without, "another profile": other} {
				out := w.talk(t, addr, version, "-sess_in", session, "-groups", "P-256:X25519")
				if strings.Contains(out, "Reused, TLS") || strings.Contains(out, "250 2.0.0 Roger") {
					t.Errorf("%s: the session is taken for one of its own:\n%s", name, out)
				}
			}
		})
	}
}

// talk says MAIL FROM at a listener, and returns everything that was printed.
func (w *world) talk(t *testing.T, addr, version string, more ...string) string {
	t.Helper()
	d := begin(t, "openssl", append([]string{"s_client", "-connect", addr, "-starttls", "smtp", "-name", "c", version}, more...)...)
	defer d.end()
	ctx := within(t, "the answer")
	if err := d.say(ctx, "noop\r\nehlo c", `^250 2(.*\r?\n)+250[ ]`); err != nil {
		return d.out.String() + err.Error()
	}
	if err := d.say(ctx, "mail from:<alice@firma.example>", `^(250 2\.0\.0 Roger|5\d\d 5.*)`); err != nil {
		return d.out.String() + err.Error()
	}
	d.say(ctx, "quit", "^221 ")
	d.in.(io.Closer).Close()
	<-d.ended
	return d.out.String()
}
