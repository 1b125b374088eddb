package gateway_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// policyHost serves the MTA-STS policy of partner.example by HTTPS, and returns a client that finds it.
func policyHost(t *testing.T, policy string, resolver *dns.Resolver) *mtasts.Client {
	t.Helper()
	certFile, keyFile := smtptest.Certificate(t, "mta-sts.partner.example")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, policy)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	log := logrus.New()
	log.SetOutput(io.Discard)
	client, err := mtasts.New(mtasts.Options{
		Resolver: resolver, TLS: &tls.Config{RootCAs: roots}, Log: log,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// A Postfix whose certificate bears another name, under a policy that enforces the right one: mail waits, and the next day the mailbox that
// the domain names has a report of that, delivered by the very host that may not be used else. On the day after, the session
// that delivered it is not in the report.
func TestTLSReportOfSessions(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "other.example")
	partner := smtptest.StartPostfix(t, map[string]string{
		"smtpd_tls_cert_file": certFile, "smtpd_tls_key_file": keyFile, "smtpd_tls_security_level": "may", "virtual_mailbox_domains": "partner.example",
	})
	_, portText, err := net.SplitHostPort(partner.Addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	names := dnstest.Start(t, "partner.example. MX 10 mx.partner.example.\nmx.partner.example. A 127.0.0.1\n_mta-sts.partner.example. TXT \"v=STSv1; id=1;\"\n"+
		"_smtp._tls.partner.example. TXT \"v=TLSRPTv1; rua=mailto:tls@partner.example\"\n")
	const policy = "version: STSv1\nmode: enforce\nmx: mx.partner.example\nmax_age: 604800\n"
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf) // the authority is believed; the name is another one
	s, c, _, _ := reporting(t)
	s.options.Settings.DNS = names.Resolver(t, dns.Options{Attempts: 1})
	s.options.Settings.Expire = 5 * 24 * time.Hour
	s.options.Settings.Routes = []gateway.Route{{Name: "internet", Domains: patterns(t, "*"), SMTP: smtpout.Options{
		TLS:     smtpout.Security{MTASTS: true, Roots: roots},
		Sources: smtpout.Sources{Policies: policyHost(t, policy, names.Resolver(t, dns.Options{Attempts: 1}))},
		MX:      &smtpout.MX{Port: port, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}}}
	g, _ := s.start(t)
	if r := send(t, g, "in", "anna@firma.example", "dora@partner.example", letter("anna@firma.example", "dora@partner.example")); r.Code != 250 {
		t.Fatal(r)
	}
	s.putOff(t, 1)
	g.TurnTLSReports(t.Context())

	c.move(24 * time.Hour)
	g.TurnTLSReports(t.Context())
	mails := partner.Mail(t, 1)
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	first := sessionsOf(t, mails[0])
	for _, want := range []string{"sts enforce partner.example mx.partner.example", "certificate-host-mismatch mx.partner.example helo mx.partner.example"} {
		if !strings.Contains(first, want) {
			t.Errorf("%s\nhas no %s", first, want)
		}
	}
	s.putOff(t, 2) // it was due again, and waits on
	g.TurnTLSReports(t.Context())
	c.move(24 * time.Hour)
	g.TurnTLSReports(t.Context())
	if second := sessionsOf(t, partner.Mail(t, 2)[1]); strings.Contains(second, "success") || !strings.Contains(second, "certificate-host-mismatch") {
		t.Error(second)
	}
}

// sessionsOf is what a report says in short.
func sessionsOf(t *testing.T, message string) string {
	t.Helper()
	r, err := tlsrpt.Read(strings.NewReader(message))
	if err != nil {
		t.Fatalf("%v\n%s", err, message)
	}
	var b strings.Builder
	for _, p := range r.Policies {
		fmt.Fprintf(&b, "%s %s %s %s\n", p.Policy.Type, strings.TrimPrefix(p.Policy.Strings[1], "mode: "), p.Policy.Domain, strings.Join(p.Policy.MX, " "))
		if p.Summary.Successes > 0 {
			fmt.Fprintf(&b, "success %d\n", p.Summary.Successes)
		}
		for _, f := range p.Failures {
			fmt.Fprintf(&b, "%s %s helo %s %s\n", f.Result, f.MX, f.HELO, f.Reason)
		}
	}
	return b.String()
}

// putOff waits until so many attempts were put off.
func (s *setting) putOff(t *testing.T, want int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for timeout := time.After(patience); ; {
		n := 0
		for _, e := range s.events.Events() {
			if e.Kind == track.Deferred {
				n++
			}
		}
		if n >= want {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%d attempts were put off, not %d", n, want)
		}
	}
}
