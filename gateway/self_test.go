package gateway

import (
	"net/netip"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// The gateway knows itself by its name, by other names it was told, and by where its listeners are.
func TestSelf(t *testing.T) {
	me := newSelf("GW.firma.example", Settings{
		Self: []string{"mx2.firma.example.", "203.0.113.8", "2001:db8::8"},
		Listeners: []smtpin.Listener{
			{Address: "192.0.2.1:25"}, {Address: "[2001:db8::1]:25"}, {Address: ":2525"}, {Address: "127.0.0.1:0"}, {Address: "nonsense"},
		},
	})
	for name, want := range map[string]bool{
		"gw.firma.example": true, "GW.FIRMA.EXAMPLE.": true, "mx2.firma.example": true, "firma.example": false, "": false,
	} {
		if me.isName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for addr, want := range map[string]bool{
		"192.0.2.1:25": true, "[::ffff:192.0.2.1]:25": true, "192.0.2.1:26": false, "192.0.2.2:25": false, "[2001:db8::1]:25": true,
		"203.0.113.8:25": true, "203.0.113.8:4711": true, "[2001:db8::8]:25": true,
		"127.0.0.1:2525": true, "127.0.0.1:25": false, "127.0.0.1:0": false, // the listener at every address is at this one too
	} {
		if me.isAddr(netip.MustParseAddrPort(addr)) != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
}

func TestBoundTo(t *testing.T) {
	if all := boundTo("0.0.0.0"); len(all) == 0 {
		t.Error("no interfaces")
	}
	if all := boundTo("mail.firma.example"); all != nil {
		t.Errorf("a name is bound to %v", all)
	}
}

// A route by MX gets what it needs from the settings, and one with a resolver of its own keeps it.
func TestComplete(t *testing.T) {
	r := dnstest.Start(t, "").Resolver(t, dns.Options{})
	s := Settings{DNS: r}
	given := &smtpout.MX{Port: 2525}
	o := newSelf("gw.firma.example", s).complete(smtpout.Options{MX: given}, s)
	if o.Hello != "gw.firma.example" || o.MX.Resolver != r || o.MX.Port != 2525 || !o.MX.SelfName("gw.firma.example") {
		t.Errorf("%+v", o.MX)
	}
	if given.Resolver != nil {
		t.Error("the settings were changed")
	}
	if _, err := newRoutes("gw.firma.example", "", Settings{Routes: []Route{{Name: "internet", SMTP: smtpout.Options{MX: given}}}}, nil); err == nil {
		t.Error("a route by MX without a resolver was taken")
	}
	if o := newSelf("gw", s).complete(smtpout.Options{Hello: "other"}, s); o.Hello != "other" || o.MX != nil {
		t.Errorf("%+v", o)
	}
}
