package gateway

import (
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

func patterns(t *testing.T, texts ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Where an operator may send what: mail from outside is decrypted on its way and stays inside (invariant 2),
// De-Mail does not go by SMTP (invariant 3), and no connection is protected less than the configuration wants.
func TestPermit(t *testing.T) {
	route := func(name string, level smtpout.Level, domains ...string) Route {
		return Route{Name: name, Domains: patterns(t, domains...), SMTP: smtpout.Options{TLS: smtpout.Security{Level: level}}}
	}
	w := newWays(Settings{
		Local:  patterns(t, "@firma.example", "@*.firma.example"),
		Backup: []Backup{{Name: "kept", Domains: patterns(t, "@kept.example"), SMTP: smtpout.Options{TLS: smtpout.Security{Level: smtpout.Verified}}}},
		Routes: []Route{
			route("exchange", smtpout.Required, "@firma.example", "@*.firma.example"),
			route("standby", smtpout.Required, "@firma.example"),
			route("bank", smtpout.Verified, "@bank.example"),
			route("both", smtpout.Verified, "@sub.firma.example", "@partner.example"),
			route("plain", smtpout.None, "@legacy.example"),
			route("internet", smtpout.Opportunistic, "*"),
			{Name: "round", Domains: patterns(t, "@firma.example"), RoundTrip: true},
		},
	})
	for name, c := range map[string]struct {
		to, route string
		inside    bool // it came from the company
		want      error
	}{
		"out by another way":              {"bob@x.example", "bank", true, nil},
		"out by less protection":          {"bob@bank.example", "internet", true, errWeaker},
		"out in plain":                    {"bob@x.example", "plain", true, errWeaker},
		"out past a backup, less":         {"bob@kept.example", "internet", true, errWeaker},
		"out past a backup":               {"bob@kept.example", "bank", true, nil},
		"out by more protection":          {"bob@legacy.example", "internet", true, nil},
		"out by way of the company":       {"bob@x.example", "exchange", true, errInward},
		"out by a route that is for both": {"bob@x.example", "both", true, nil},
		"in by the standby":               {"alice@firma.example", "standby", false, nil},
		"in by its own":                   {"alice@firma.example", "exchange", false, nil},
		"in by a route that is for both":  {"alice@firma.example", "both", false, nil},
		"in, but to the internet":         {"alice@firma.example", "internet", false, errOutward},
		"in, but to a bank":               {"alice@firma.example", "bank", false, errOutward},
		"internal to the internet":        {"alice@sub.firma.example", "internet", true, errOutward},
		"internal to the standby":         {"alice@firma.example", "standby", true, nil},
		"from outside to others":          {"bob@bank.example", "bank", false, errOutward},
		"De-Mail":                         {"bob@x.de-mail.de", "internet", true, errDeMail},
		"De-Mail in":                      {"bob@de-mail.de", "exchange", false, errDeMail},
		"to an account":                   {"bob@x.de-mail.de", "demail:main", true, errAccount},
		"other mail to an account":        {"bob@x.example", "demail:main", true, errAccount},
		"a round trip":                    {"alice@firma.example", "round", false, errRound},
		"no such route":                   {"bob@x.example", "nowhere", true, errNoChoice},
		"not even a name":                 {"bob@x.example", "", true, errNoChoice},
	} {
		to, err := mail.ParseAddress(c.to)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.permit(c.route, mail.Envelope{Internal: c.inside}, to); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// One route for everything leads home too, since mail for the company goes by it.
func TestPermitOneRoute(t *testing.T) {
	w := newWays(Settings{Local: patterns(t, "@firma.example"), Routes: []Route{{Name: "all", Domains: patterns(t, "*")}, {Name: "never", Domains: patterns(t, "*")}}})
	to := mail.Address{Local: "alice", Domain: "firma.example"}
	if err := w.permit("all", mail.Envelope{}, to); err != nil {
		t.Error(err)
	}
	if err := w.permit("never", mail.Envelope{}, to); !errors.Is(err, errOutward) {
		t.Error(err)
	}
}

func TestPendingIsNotRerouted(t *testing.T) {
	g := &Gateway{}
	g.ways.Store(newWays(Settings{Routes: []Route{{Name: "all", Domains: patterns(t, "*")}}}))
	m := queue.Message{Recipients: []queue.Recipient{{Recipient: mail.Recipient{Address: mail.Address{Local: "a", Domain: "b.example"}}}}}
	m.Envelope.Internal = true
	if err := g.MayReroute(m, 0, "all"); err != nil {
		t.Error(err)
	}
	m.Pending = []byte{}
	if err := g.MayReroute(m, 0, "all"); !errors.Is(err, errUnready) {
		t.Error(err)
	}
}

// De-Mail goes by its account, also where a route leads to its recipient.
func TestDeMailIsNotRerouted(t *testing.T) {
	w := newWays(Settings{Routes: []Route{{Name: "all", Domains: patterns(t, "*")}}})
	env := mail.Envelope{Internal: true, DeMail: &mail.DeMail{Account: "main"}}
	for _, name := range []string{"all", "demail:main", "demail:other", "nowhere"} {
		if err := w.permit(name, env, mail.Address{Local: "bob", Domain: "x.example"}); !errors.Is(err, errAccount) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
