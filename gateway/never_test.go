package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// nobody has a certificate; of some it is not known at first.
type nobody struct{ away map[string]bool }

func (n nobody) Signing(context.Context, string, time.Time) (certs.Identity, error) {
	return certs.Identity{}, certs.ErrNotFound
}

func (n nobody) Recipient(_ context.Context, address string, _ time.Time) (*x509.Certificate, error) {
	if n.away[address] {
		return nil, &certs.UnavailableError{Source: "vault", Err: errors.New("sealed")}
	}
	return nil, certs.ErrNotFound
}

func (n nobody) Decryption(context.Context, []certs.KeyID) ([]certs.Identity, error) { return nil, nil }

type short string

func (s short) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }
func (s short) Size() int64                  { return int64(len(s)) }

var (
	oddDomains = rapid.SampledFrom([]string{
		"de-mail.de", "stadt.de-mail.de", "STADT.De-Mail.DE", "a.b.c.de-mail.de", "xn--mnchen-3ya.de-mail.de", "m\u00fcnchen.de-mail.de", "\uff44\uff45-mail.de", "stadt.de\uff0dmail.de",
		"stadt.de-mail.de.", "stadt\u3002de-mail.de", "provider.example", "Amt.Provider.example", "reported.example", "x.reported.example", "stadt.de-mail.de.example", "xde-mail.de",
		"notprovider.example", "partner.example", "firma.example", "[127.0.0.1]", "de-mail.de@partner.example", "x.de-mail.de>", " de-mail.de", "de-mail.de\t", "de-mail.de\\", "de_mail.de",
	})
	oddPatterns = rapid.SampledFrom([]string{
		"*", "@de-mail.de", "@*.de-mail.de", "@stadt.de-mail.de", "@*.de", "amt@stadt.de-mail.de", "@provider.example", "@*.provider.example", "@reported.example", "@partner.example", "@firma.example", "@*.example", "<>",
	})
)

// meantForDeMail says by the letters of an address whether it is De-Mail: another way than the one under test.
func meantForDeMail(a mail.Address) bool {
	for _, end := range []string{"de-mail.de", "provider.example", "reported.example"} {
		if a.Domain == end || strings.HasSuffix(a.Domain, "."+end) {
			return true
		}
	}
	return false
}

func drawPatterns(t *rapid.T, label string) mail.Patterns {
	p, err := mail.ParsePatterns(rapid.SliceOfN(oddPatterns, 1, 3).Draw(t, label)...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// oddGateway is a router with any routes, and a protector before it, which has an account of De-Mail or none.
func oddGateway(t *rapid.T, spool *atrest.Spool, finder certs.Finder) (*protect.Protector, *router) {
	var desk *dispatch.Desk
	everybody := mail.Patterns{{}}
	if rapid.Bool().Draw(t, "an account") {
		var err error
		if desk, err = dispatch.New(dispatch.Options{
			Accounts: []dispatch.Account{{Name: "main", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh}}, Domains: []string{"provider.example", "reported.example"},
			Senders: []dispatch.Sender{{From: everybody, Account: "main", Address: "x@firma.de-mail.de"}},
		}); err != nil {
			t.Fatal(err)
		}
		desk.Report("main", []string{"reported.example"})
	}
	current := routes{isDeMail: desk.IsDeMail, local: mail.Patterns{}}
	for i := range rapid.IntRange(0, 5).Draw(t, "routes") {
		current.table = append(current.table, delivery.Entry{
			Match: drawPatterns(t, "route"), PerDomain: rapid.SampledFrom([]string{"", perMX, "backup:"}).Draw(t, "prefix"), Route: delivery.Route{Name: string(rune('a' + i))},
		})
	}
	r := &router{current: current}
	rules, err := policy.New(policy.Config{Rules: []policy.Rule{{Name: "held", To: mail.Patterns{{}}, Settings: policy.Settings{Encrypt: policy.IfPossible}}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := protect.New(protect.Options{
		Local: current.local, Policy: rules, Certs: finder, Validator: certs.NewValidator(nil, nil), Router: r, Desk: desk, Spool: spool, Expire: time.Hour,
		RoundTrip: map[string]bool{"round": rapid.Bool().Draw(t, "round trips")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

// kept is a store of one message.
type kept struct {
	queue.Store
	entry queue.New
}

func (k kept) Open(context.Context, mail.ID) (io.ReadCloser, error) { return k.entry.Content.Open() }

// Whatever the routes say and however it is written, a De-Mail address is served by its account or not at all (invariant 3).
func TestDeMailNeverElsewhere(t *testing.T) {
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	served := 0
	rapid.Check(t, func(t *rapid.T) {
		finder := nobody{map[string]bool{}}
		p, r := oddGateway(t, spool, finder)
		env := mail.Envelope{ID: mail.NewID(time.Now()), From: mail.Address{Local: "a", Domain: "firma.example"}, Internal: rapid.IntRange(0, 5).Draw(t, "inside") > 0,
			MayUse: mail.Patterns{{}}, Received: time.Now(), Client: mail.Client{Listener: "round"}}
		for _, domain := range rapid.SliceOfN(oddDomains, 1, 4).Draw(t, "recipients") {
			a, err := mail.ParseAddress("amt@" + domain)
			if err != nil {
				continue // the door has none of it
			}
			env.Recipients = append(env.Recipients, mail.Recipient{Address: a})
			finder.away[a.String()] = rapid.IntRange(0, 4).Draw(t, "away") == 0
			if d, err := r.Destination(a); err == nil && meantForDeMail(a) {
				t.Fatalf("%s has the destination %s", a, d)
			}
		}
		if len(env.Recipients) == 0 {
			return
		}
		content := short("From: a@firma.example\r\nTo: " + env.Recipients[0].Address.String() + "\r\n\r\nx\r\n")
		adm, err := p.Admit(t.Context(), env, content)
		if err != nil {
			return
		}
		entries := adm.Entries
		if e := entries[0]; e.Pending != nil { // as it goes on when what was away is back
			clear(finder.away)
			c := queue.Claim{Message: queue.Message{Envelope: e.Envelope, Origin: e.Origin, Pending: e.Pending, Size: e.Content.Size()}, Destination: e.Destinations[0]}
			for i := range e.Envelope.Recipients {
				c.Message.Recipients = append(c.Message.Recipients, queue.Recipient{Recipient: e.Envelope.Recipients[i]})
				c.Due = append(c.Due, i)
			}
			for _, d := range e.Destinations {
				if !strings.HasPrefix(d, queue.ProtectPrefix) {
					t.Fatalf("what waits has the destination %s", d)
				}
			}
			if adm, err = p.Resume(t.Context(), kept{entry: e}, c); err != nil {
				t.Fatalf("it was taken, and does not go on: %v", err)
			}
			entries = adm.Entries
		}
		defer adm.Release()
		for _, e := range entries {
			for i, to := range e.Envelope.Recipients {
				is, has := meantForDeMail(to.Address), e.Destinations[i] == queue.DeMailPrefix+"main"
				if is != has || is != (e.Envelope.DeMail != nil) || has && e.Envelope.DeMail.Account != "main" {
					t.Fatalf("%s has the destination %s, De-Mail %v", to.Address, e.Destinations[i], e.Envelope.DeMail)
				}
				if is {
					served++
				}
			}
		}
	})
	if served == 0 {
		t.Error("nothing was ever served")
	}
}
