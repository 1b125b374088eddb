package smtpout_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

func attempt(t testing.TB, body string, to ...string) delivery.Attempt {
	t.Helper()
	a := delivery.Attempt{Destination: "partner", Content: report.Content(body)}
	a.Envelope.From = mail.Address{Local: "alice", Domain: "firma.example"}
	for _, r := range to {
		address, err := mail.ParseAddress(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Envelope.Recipients = append(a.Envelope.Recipients, mail.Recipient{Address: address})
	}
	return a
}

// named gives an address a host name, and how to dial that.
func named(t *testing.T, name, addr string) (host string, dial func(context.Context, string, string) (net.Conn, error)) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	host = net.JoinHostPort(name, port)
	return host, func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == host {
			to = addr
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
}

// A real Postfix with a certificate from openssl: every TLS mode, a recipient it refuses, and messages
// stored as they were sent.
func TestPostfix(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	p := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "may",
		"smtpd_recipient_restrictions": "check_recipient_access inline:{{nobody@partner.example=550 5.1.1 no such user}}, permit_mynetworks, reject",
		"smtpd_relay_restrictions":     "reject_unauth_destination",
	})
	pem, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	var sent []string
	host, dial := named(t, "mx.partner.example", p.Addr)
	for _, mode := range []smtpout.Level{smtpout.None, smtpout.Opportunistic, smtpout.Required, smtpout.Verified} {
		tr, err := smtpout.New(smtpout.Options{
			Hosts: []string{freeport.Address(t), host}, Hello: "gw.firma.example", Chunking: mode == smtpout.Verified,
			TLS: smtpout.Security{Level: mode, Roots: roots}, Dial: dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			body := fmt.Sprintf("From: alice@firma.example\r\nDate: Sun, 22 Nov 2026 03:32:08 +0000\r\nMessage-ID: <%[1]s.%[2]d@firma.example>\r\n"+
				"Subject: %[1]s %[2]d\r\n\r\n.\r\n..\r\n%[3]s\r\n.end\r\n", mode, i, strings.Repeat("line\r\n.", i*20000))
			results := tr.Deliver(t.Context(), attempt(t, body, "bob@partner.example", "nobody@partner.example", "x@elsewhere.example"))
			if r := results[0]; r.Status != delivery.Delivered || !r.Remote || !r.Reports || r.Host != host || (r.TLS == "") != (mode == smtpout.None) ||
				strings.HasSuffix(r.TLS, " verified") != (mode == smtpout.Verified) {
				t.Errorf("%s: %+v", mode, r)
			}
			if r := results[1]; r.Status != delivery.Refused || r.Enhanced != "5.1.1" {
				t.Errorf("%s: %+v", mode, r)
			}
			if r := results[2]; r.Status != delivery.Refused || r.Enhanced != "5.7.1" {
				t.Errorf("%s: %+v", mode, r)
			}
			sent = append(sent, strings.ReplaceAll(body, "\r\n", "\n"))
		}
		tr.Close()
	}
	for _, text := range p.Mail(t, len(sent)) {
		i := slices.IndexFunc(sent, func(s string) bool { return strings.HasSuffix(text, s) })
		if i < 0 {
			t.Fatalf("Postfix stored what was not sent: %.300q", text)
		}
		sent = slices.Delete(sent, i, i+1)
	}
}

// A certificate for another name: verified does not deliver, required does.
func TestPostfixWrongName(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "other.example")
	p := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "may",
	})
	for mode, want := range map[smtpout.Level]delivery.Status{
		smtpout.Verified: delivery.Deferred, smtpout.Required: delivery.Delivered,
	} {
		tr, err := smtpout.New(smtpout.Options{Hosts: []string{p.Addr}, Hello: "gw.firma.example", TLS: smtpout.Security{Level: mode}})
		if err != nil {
			t.Fatal(err)
		}
		r := tr.Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@partner.example"))[0]
		if r.Status != want || want == delivery.Deferred && (r.Enhanced != "4.7.5" || !r.Unreachable) {
			t.Errorf("%s: %+v", mode, r)
		}
		tr.Close()
	}
	p.Mail(t, 1)
}

// Many messages at once over kept connections: every one arrives, once.
func TestSinkLoad(t *testing.T) {
	dir := smtptest.Dir(t)
	addr := smtptest.Sink(t, "-d", dir+"/%M.")
	tr, err := smtpout.New(smtpout.Options{Hosts: []string{addr}, Hello: "gw.firma.example", PerConn: 7})
	if err != nil {
		t.Fatal(err)
	}
	const senders, each = 8, 25
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf("Subject: %d-%d.\r\n\r\n%s", s, i, bytes.Repeat([]byte("x\r\n"), i))
				if r := tr.Deliver(t.Context(), attempt(t, body, "bob@partner.example"))[0]; r.Status != delivery.Delivered {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	wg.Wait()
	tr.Close()
	all := strings.Join(smtptest.Dumps(t, dir, senders*each), "\n")
	for s := range senders {
		for i := range each {
			if n := strings.Count(all, fmt.Sprintf("Subject: %d-%d.\n", s, i)); n != 1 {
				t.Errorf("message %d-%d arrived %d times", s, i, n)
			}
		}
	}
}
