package origin_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/smime/entity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is a message in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

// zone has a partner that confirms its mail from 192.0.2.1, a bank that wants forgeries refused, a shop that wants
// them quarantined, and nothing for the company itself.
const zone = `
partner.example.        TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.partner.example. TXT "v=DMARC1; p=none"
bank.example.           TXT "v=spf1 -all"
_dmarc.bank.example.    TXT "v=DMARC1; p=reject"
_dmarc.shop.example.    TXT "v=DMARC1; p=quarantine"
soft.example.           TXT "v=spf1 ~all"
`

// setting is a judge with a name server of its own.
type setting struct {
	server *dnstest.Server
	events *track.Memory
	judge  *origin.Judge
}

func newSetting(t *testing.T, change func(*origin.Options)) setting {
	t.Helper()
	s := setting{server: dnstest.Start(t, zone), events: track.NewMemory(0)}
	local, err := mail.ParsePattern("@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	o := origin.Options{
		Resolver: s.server.Resolver(t, dns.Options{Attempts: 1, CacheSize: -1}).Net(),
		Hostname: "mail.firma.example", Local: mail.Patterns{local}, Policy: mailauth.DefaultPolicy(),
		OwnDomains: mailauth.Mark, Recorder: s.events,
	}
	if change != nil {
		change(&o)
	}
	if s.judge, err = origin.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

func envelope(t *testing.T, from string) mail.Envelope {
	t.Helper()
	to, err := mail.ParseAddress("alice@firma.example")
	if err != nil {
		t.Fatal(err)
	}
	env := mail.Envelope{
		ID: "0abc", Recipients: []mail.Recipient{{Address: to}},
		Client: mail.Client{Listener: "internet", Addr: netip.MustParseAddr("192.0.2.1"), Helo: "mx.partner.example"},
	}
	if from != "" {
		if env.From, err = mail.ParseAddress(from); err != nil {
			t.Fatal(err)
		}
	}
	return env
}

func letter(from string) content {
	return content("Received: from a by b\r\nFrom: " + from + "\r\nSubject: planted\r\n\r\nplanted\r\n")
}

func read(t *testing.T, c mail.Content) (entity.Header, string) {
	t.Helper()
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	whole, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(whole)) != c.Size() {
		t.Errorf("%d octets, Size says %d", len(whole), c.Size())
	}
	h, _, err := entity.Read(strings.NewReader(string(whole)), 0)
	if err != nil {
		t.Fatal(err)
	}
	return h, string(whole)
}

// Each result leads to what the policy says, and is written on top of what is taken and into the record.
func TestAdmit(t *testing.T) {
	for name, c := range map[string]struct {
		sender, from string
		change       func(*origin.Options)
		origin       string // of X-Siegel-Origin; empty where the message is refused
		hold         string
		reply        string
		event        string
	}{
		"confirmed": {
			sender: "b@partner.example", from: "bob@partner.example", origin: "confirmed; domain=partner.example",
			event: "spf=pass dkim=none dmarc=pass action=none",
		},
		"nobody says anything": {
			sender: "b@unknown.example", from: "bob@unknown.example", origin: "unconfirmed; domain=unknown.example",
			event: "spf=none dkim=none dmarc=none action=none",
		},
		"null reverse-path": { // a report; HELO is what SPF checks
			from: "mailer-daemon@unknown.example", origin: "unconfirmed; domain=unknown.example",
			event: "spf=none dkim=none dmarc=none action=none",
		},
		"softfail": {
			sender: "b@soft.example", from: "b@soft.example",
			origin: `doubtful; by=spf; action=mark; reason="the SPF record of soft.example does not permit mail from 192.0.2.1"`,
			event:  "spf=softfail dkim=none dmarc=none action=mark by=spf",
		},
		"reject": {
			sender: "b@partner.example", from: "x@bank.example",
			reply: "550 5.7.20 Neither SPF nor DKIM confirms that the message comes from bank.example, whose DMARC policy is reject. Send it through the mail server of that domain; its administrator can see to it that SPF or DKIM pass.",
			event: "spf=pass dkim=none dmarc=fail action=reject by=dmarc",
		},
		"quarantine": {
			sender: "b@partner.example", from: "x@shop.example",
			origin: `doubtful; by=dmarc; action=quarantine; reason="neither SPF nor DKIM confirms that the message comes from shop.example, whose DMARC policy is quarantine"`,
			hold:   "neither SPF nor DKIM confirms that the message comes from shop.example, whose DMARC policy is quarantine",
			event:  "spf=pass dkim=none dmarc=fail action=quarantine by=dmarc",
		},
		"no author": {
			sender: "b@partner.example", from: "a@partner.example\r\nFrom: b@bank.example",
			reply: "550 5.7.1 The author of the message cannot be told: the message has more than one From field. Write one From field with one address.",
			event: "spf=pass dkim=none dmarc=permerror action=reject by=from",
		},
		"no author, taken": {
			sender: "b@partner.example", from: "a@partner.example\r\nFrom: b@bank.example",
			change: func(o *origin.Options) { o.Policy.BadFrom = mailauth.Nothing }, origin: "unconfirmed",
			event: "spf=pass dkim=none dmarc=permerror action=none",
		},
		"own domain": {
			sender: "b@partner.example", from: `"The Boss" <boss@firma.example>`,
			origin: `doubtful; by=own_domains; action=mark; reason="the author is said to be in firma.example, the company's own domain, and neither SPF nor DKIM confirms it"`,
			event:  "spf=pass dkim=none dmarc=none action=mark by=own_domains",
		},
		"own domain, refused": {
			sender: "b@partner.example", from: "bob@partner.example, boss@firma.example",
			change: func(o *origin.Options) { o.OwnDomains = mailauth.Reject },
			reply:  "550 5.7.1 The author is said to be in firma.example, the company's own domain, and neither SPF nor DKIM confirms it. Send it through the company's mail server.",
			event:  "spf=pass dkim=none dmarc=none action=reject by=own_domains",
		},
		"own domain, anybody may": {
			sender: "b@partner.example", from: "boss@firma.example", origin: "unconfirmed; domain=firma.example",
			change: func(o *origin.Options) { o.OwnDomains = mailauth.Nothing },
			event:  "spf=pass dkim=none dmarc=none action=none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t, c.change)
			adm, err := s.judge.Admit(t.Context(), envelope(t, c.sender), letter(c.from))
			if events := s.events.Events(); len(events) != 1 || events[0].Authentication.String() != c.event || events[0].Kind != track.Judged {
				t.Errorf("events: %+v", events)
			}
			if c.reply != "" {
				if got := status.For(err).String(); got != c.reply {
					t.Errorf("reply %s", got)
				}
				return
			}
			if err != nil || adm.Hold != c.hold {
				t.Fatalf("%v, hold %q", err, adm.Hold)
			}
			h, whole := read(t, adm.Content)
			if got, _ := h.Get("X-Siegel-Origin"); got != c.origin {
				t.Errorf("X-Siegel-Origin: %s", got)
			}
			if f := h.Fields()[0]; !f.Is("Authentication-Results") || !strings.HasPrefix(f.Value(), "mail.firma.example;") {
				t.Errorf("on top: %s", f.Raw)
			}
			if !strings.HasSuffix(whole, string(letter(c.from))) {
				t.Error("the message itself was changed")
			}
		})
	}
}

// Mail of a domain that the gateway is a backup for is refused where that must be, and else goes on with the results
// alone: its own people judge it. One for both is the company's too.
func TestAdmitForOthers(t *testing.T) {
	s := newSetting(t, nil)
	other, err := mail.ParseAddress("bob@backup.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, reply, hold string
		both              bool
		first, second     string
	}{
		"reject":     {from: "x@bank.example", reply: "550 5.7.20"},
		"quarantine": {from: "x@shop.example", first: "Authentication-Results", second: "Received"},
		"both":       {from: "x@shop.example", both: true, hold: "neither SPF", first: "Authentication-Results", second: "X-Siegel-Origin"},
	} {
		env := envelope(t, "b@partner.example")
		env.Recipients = append(env.Recipients, mail.Recipient{Address: other})
		if !c.both {
			env.Recipients = env.Recipients[1:]
		}
		adm, err := s.judge.Admit(t.Context(), env, letter(c.from))
		if c.reply != "" {
			if got := status.For(err).String(); !strings.HasPrefix(got, c.reply) {
				t.Errorf("%s: %s", name, got)
			}
			continue
		}
		if err != nil || !strings.HasPrefix(adm.Hold, c.hold) || (c.hold == "") != (adm.Hold == "") {
			t.Errorf("%s: %v, hold %q", name, err, adm.Hold)
			continue
		}
		if h, _ := read(t, adm.Content); !h.Fields()[0].Is(c.first) || !h.Fields()[1].Is(c.second) {
			t.Errorf("%s: %s", name, h.Bytes())
		}
	}
}

// The company's own mail, trusted clients and listeners that are switched off are not judged: nothing is asked and
// nothing is written.
func TestAdmitExempt(t *testing.T) {
	trust := func(o *origin.Options) { o.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }
	inside := envelope(t, "x@bank.example")
	inside.Internal = true
	for name, c := range map[string]struct {
		change func(*origin.Options)
		env    mail.Envelope
	}{
		"internal":      {nil, inside},
		"trusted":       {trust, envelope(t, "x@bank.example")},
		"listener":      {func(o *origin.Options) { o.Unjudged = []string{"other", "internet"} }, envelope(t, "x@bank.example")},
		"switched off":  {func(o *origin.Options) { o.Resolver = nil }, envelope(t, "x@bank.example")},
		"no one's name": {trust, envelope(t, "")},
	} {
		s := newSetting(t, c.change)
		adm, err := s.judge.Admit(t.Context(), c.env, letter("x@bank.example"))
		if err != nil || adm.Content != mail.Content(letter("x@bank.example")) || adm.Hold != "" || len(s.events.Events()) > 0 {
			t.Errorf("%s: %+v, %v", name, adm, err)
		}
		if n := s.server.Asked("_dmarc.bank.example.", "TXT"); n > 0 {
			t.Errorf("%s: DNS was asked", name)
		}
	}
}

// dead is DNS that never answers.
type dead struct{ mailauth.Resolver }

func (dead) LookupTXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// DNS that does not answer costs the time that is given, then counts as the policy says: the client is asked to come
// again, or the message is taken. It is never refused for good.
func TestAdmitWithoutDNS(t *testing.T) {
	for _, c := range []struct {
		then  mailauth.Disposition
		reply string
	}{
		{mailauth.Defer, "451 4.4.3 The SPF or DMARC record of bank.example cannot be checked: DNS does not answer for the policy. Where it lasts, its administrator has to mend the record."},
		{mailauth.Nothing, "250 2.0.0 ok"},
	} {
		synctest.Test(t, func(t *testing.T) {
			policy := mailauth.DefaultPolicy()
			policy.DMARCTempError = c.then
			judge, err := origin.New(origin.Options{Resolver: dead{}, Hostname: "mail.firma.example", Policy: policy, Timeout: 7 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			adm, err := judge.Admit(t.Context(), envelope(t, "x@bank.example"), letter("x@bank.example"))
			if took := time.Since(start); took != 7*time.Second {
				t.Errorf("took %s", took)
			}
			if got := status.For(err).String(); got != c.reply {
				t.Errorf("%s: %s", c.then, got)
			}
			if err == nil {
				if h, _ := read(t, adm.Content); !strings.Contains(h.Fields()[0].Value(), "dmarc=temperror") {
					t.Errorf("%s", h.Bytes())
				}
			}
		})
	}
}

// broken is content that cannot be read.
type broken struct{ content }

var errBroken = errors.New("broken")

func (broken) Open() (io.ReadCloser, error) { return nil, errBroken }

// Our own trouble is not the sender's: the client is to try again.
func TestAdmitTrouble(t *testing.T) {
	s := newSetting(t, nil)
	if _, err := s.judge.Admit(t.Context(), envelope(t, "b@partner.example"), broken{}); !errors.Is(err, errBroken) || !status.For(err).Temporary() {
		t.Error(err)
	}
	stopping, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.judge.Admit(stopping, envelope(t, "b@partner.example"), letter("b@partner.example")); !status.For(err).Temporary() {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []origin.Options{
		{Policy: mailauth.Policy{SPFFail: "maybe"}},
		{OwnDomains: mailauth.Defer},
		{OwnDomains: "published"},
	} {
		if _, err := origin.New(o); !errors.Is(err, origin.ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
