package gateway_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// What leaves, reports too, is signed by DKIM as it goes over the wire; what goes to the company is not.
func TestDKIM(t *testing.T) {
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
	server := dnstest.Start(t, mailauth.ZoneLine(name, record))
	checker, err := mailauth.New(mailauth.Options{Resolver: server.Resolver(t, dns.Options{Attempts: 1}).Net()})
	if err != nil {
		t.Fatal(err)
	}
	s := newSetting(t)
	s.options.Settings.DKIM = mailauth.Signers{signer}
	g, _ := s.start(t)
	for name, c := range map[string]struct {
		listener, from, to string
		wire               string // what goes to the next hop has this in it
		signed             bool
	}{
		"signed and encrypted": {"in", "alice@firma.example", "bob@partner.example", "application/pkcs7-mime", true},
		"as it is":             {"in", "anna@firma.example", "dora@partner.example", "planted body", true},
		"a report":             {"ex", "bob@partner.example", "nobody@firma.example", "Reporting-MTA: dns; gateway.firma.example", true},
		"to the company":       {"in", "anna@firma.example", "alice@firma.example", "planted body", false},
		"from outside":         {"ex", "anna@firma.example", "alice@firma.example", "planted body", false},
	} {
		if r := send(t, g, c.listener, c.from, c.to, letter(c.from, c.to)); r.Code != 250 {
			t.Errorf("%s: reply %s", name, r)
			continue
		}
		got := s.hop.wait(t)
		if !strings.Contains(got, c.wire) {
			t.Errorf("%s:\n%s", name, got)
		}
		r, err := checker.Check(t.Context(), mail.Envelope{}, text(got))
		if err != nil {
			t.Fatal(err)
		}
		if passed := len(r.DKIM) == 1 && r.DKIM[0].Status == mailauth.Pass; passed != c.signed || len(r.DKIM) > 1 {
			t.Errorf("%s: %+v", name, r.DKIM)
		}
	}
}
