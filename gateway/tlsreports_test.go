package gateway_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// clock is a time that a test moves.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(at time.Time) *clock {
	c := new(clock)
	c.at.Store(&at)
	return c
}

func (c *clock) now() time.Time       { return *c.at.Load() }
func (c *clock) move(d time.Duration) { at := c.now().Add(d); c.at.Store(&at) }

// reporting is a setting that reports, with the zone of a partner who wants reports, and a checker of signatures.
func reporting(t *testing.T) (*setting, *clock, *mailauth.Checker, *dnstest.Server) {
	t.Helper()
	key, err := mailauth.NewKey(mailauth.Ed25519, 0)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: "firma.example", Selector: "gw", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	name, record, err := signer.Record()
	if err != nil {
		t.Fatal(err)
	}
	server := dnstest.Start(t, mailauth.ZoneLine(name, record)+"_smtp._tls.partner.example. TXT \"v=TLSRPTv1; rua=mailto:tls@partner.example\"\n")
	checker, err := mailauth.New(mailauth.Options{Resolver: server.Resolver(t, dns.Options{Attempts: 1}).Net()})
	if err != nil {
		t.Fatal(err)
	}
	s, c := newSetting(t), newClock(time.Now().UTC().Truncate(24*time.Hour).Add(12*time.Hour))
	s.options.Now = c.now
	s.options.Settings.DNS = server.Resolver(t, dns.Options{Attempts: 1})
	s.options.Settings.DKIM = mailauth.Signers{signer}
	s.options.Settings.TLSReport.From = mail.Address{Local: "tls-reports", Domain: "firma.example"}
	return s, c, checker, server
}

// A session that failed today is told the partner tomorrow, by a mail that bears our signature; once, over a restart.
func TestTLSReport(t *testing.T) {
	s, c, checker, server := reporting(t)
	g, stop := s.start(t)
	g.TLSOutcomes().Note(tlsrpt.Outcome{
		Domain: "partner.example", Policy: tlsrpt.Policy{Type: tlsrpt.STS, Strings: []string{"version: STSv1", "mode: enforce"}, MX: []string{"mx.partner.example"}},
		Result: tlsrpt.Expired, MX: "mx.partner.example", ReceivingIP: netip.MustParseAddr("192.0.2.7"),
	})
	g.TurnTLSReports(t.Context())
	stop() // and closes its resolver
	s.options.Settings.DNS = server.Resolver(t, dns.Options{Attempts: 1})
	c.move(24 * time.Hour)
	g, _ = s.start(t)
	for range 3 {
		g.TurnTLSReports(t.Context())
		c.move(time.Minute)
	}
	got := s.hop.wait(t)
	r, err := tlsrpt.Read(strings.NewReader(got))
	if err != nil || len(r.Policies) != 1 || r.Policies[0].Failures[0].Result != tlsrpt.Expired || r.Contact != "tls-reports@firma.example" || r.Organization != "firma.example" {
		t.Errorf("%+v, %v\n%s", r, err, got)
	}
	judged, err := checker.Check(t.Context(), mail.Envelope{}, text(got))
	if err != nil || len(judged.DKIM) != 1 || judged.DKIM[0].Status != mailauth.Pass {
		t.Errorf("%+v, %v", judged.DKIM, err)
	}
	signature, _, _ := strings.Cut(got, "\r\nFrom:")
	if folded := strings.Join(strings.Fields(signature), ""); strings.Count(folded, "TLS-Report-Domain") != 2 || strings.Count(folded, "TLS-Report-Submitter") != 2 {
		t.Error(signature)
	}
	if n := len(s.hop.got); n > 0 {
		t.Errorf("%d more", n)
	}
	var queued []track.Event
	for _, e := range s.events.Events() {
		if e.Kind == track.Queued {
			queued = append(queued, e)
		}
	}
	if len(queued) != 1 || queued[0].From != "" || queued[0].Rule != "report about TLS" || queued[0].To[0] != "tls@partner.example" {
		t.Errorf("%+v", queued)
	}
}

// A reload switches reporting off and on, and a queue that is full of the same report takes no second one.
func TestTLSReportReload(t *testing.T) {
	s, c, _, _ := reporting(t)
	g, _ := s.start(t)
	off := s.options.Settings
	off.TLSReport.From = mail.Address{}
	if err := g.Reload(off); err != nil {
		t.Fatal(err)
	}
	note := func() {
		g.TLSOutcomes().Note(tlsrpt.Outcome{Domain: "partner.example", Policy: tlsrpt.Policy{Type: tlsrpt.NoPolicy}})
		g.TurnTLSReports(t.Context())
	}
	note()
	if err := g.Reload(s.options.Settings); err != nil {
		t.Fatal(err)
	}
	note()
	c.move(24 * time.Hour)
	g.TurnTLSReports(t.Context())
	r, err := tlsrpt.Read(strings.NewReader(s.hop.wait(t)))
	if err != nil || r.Policies[0].Summary.Successes != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// The route to who wants reports may be gone: that is tried again, and a report that is in the queue is put no second time.
func TestPutTLSReport(t *testing.T) {
	s, _, _, _ := reporting(t)
	s.options.Settings.Routes[0].SMTP.Hosts = []string{"127.0.0.1:1"} // it stays in the queue
	g, _ := s.start(t)
	env := mail.Envelope{ID: mail.NewID(time.Now()), Internal: true, Received: time.Now(), Recipients: []mail.Recipient{{Address: mail.Address{Local: "tls", Domain: "elsewhere.example"}}}}
	content := text("From: <tls-reports@firma.example>\r\nTLS-Report-Domain: x\r\n\r\nx\r\n")
	if err := g.PutTLSReport(t.Context(), env, content); err == nil || errors.Is(err, queue.ErrExists) {
		t.Error(err)
	}
	env.Recipients[0].Address.Domain = "partner.example"
	for range 2 {
		if err := g.PutTLSReport(t.Context(), env, content); err != nil {
			t.Error(err)
		}
	}
}
