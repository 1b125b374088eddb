package smtpin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/roundtrip"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// What Exchange Online writes, and what a stranger's tenant has there.
const (
	ourTenant   = "X-MS-Exchange-CrossTenant-Id: 6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b\r\n"
	otherTenant = "X-MS-Exchange-CrossTenant-Id: 11111111-2222-3333-4444-555555555555\r\n"
	loggedIn    = "X-MS-Exchange-CrossTenant-AuthAs: Internal\r\nX-MS-Exchange-CrossTenant-FromEntityHeader: Hosted\r\n"
	anonymous   = "X-MS-Exchange-CrossTenant-AuthAs: Anonymous\r\nX-MS-Exchange-CrossTenant-FromEntityHeader: Internet\r\n"
)

// tenantListener is a listener of a tenant, in both roles that have one.
func tenantListener(t testing.TB, role smtpin.Role) smtpin.Listener {
	t.Helper()
	id, err := exchange.ParseTenant("6F1A2B3C-0D4E-4F56-8A9B-0C1D2E3F4A5B")
	if err != nil {
		t.Fatal(err)
	}
	l := listener(smtpin.Internal, nil)
	l.Name, l.Role, l.Tenant = string(role), role, id
	return l
}

// submission is one message, and what is to become of it.
type submission struct {
	from, to, header string
	want             string // beginning of the reply
}

// submit sends each message over a connection of its own.
func submit(t *testing.T, s *smtpin.Server, name string, cases map[string]submission) {
	t.Helper()
	for what, c := range cases {
		p := dial(t, s, name)
		p.say("", "220 ", "EHLO mail.protection.example", "250 ", "MAIL FROM:<"+c.from+">", "250 ")
		for to := range strings.FieldsSeq(c.to) {
			p.say("RCPT TO:<"+to+">", "250 ")
		}
		p.say("DATA", "354 ")
		p.send(c.header + "Message-ID: <1@firma.example>\r\nSubject: x\r\n\r\nbody " + what + "\r\n.\r\n")
		if got := p.reply(); !strings.HasPrefix(got, c.want) || len(got) > 512 {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// Neither the address nor the certificate of Exchange Online is proof: without our tenant nobody relays.
func TestTenant(t *testing.T) {
	h := new(sink)
	s := serve(t, options(t, h, tenantListener(t, smtpin.Internal)))
	const alice, bob, from = "alice@firma.example", "bob@partner.example", "From: Alice <alice@firma.example>\r\n"
	submit(t, s, "internal", map[string]submission{
		"ours":                {alice, bob, ourTenant + loggedIn + from, "250 "},
		"upper case":          {alice, bob, strings.ToUpper(ourTenant) + loggedIn + from, "250 "},
		"null sender":         {"", bob, ourTenant + loggedIn + from, "250 "},
		"another Sender":      {alice, bob, ourTenant + loggedIn + from + "Sender: eve@x.example\r\n", "250 "},
		"nobody logged in":    {alice, bob, ourTenant + anonymous + from, "250 "},
		"no tenant":           {alice, bob, from, "550 5.7.1 This listener takes the mail of one Exchange Online tenant"},
		"another tenant":      {alice, bob, otherTenant + loggedIn + from, "550 5.7.1 This listener takes the mail of another"},
		"two fields":          {alice, bob, otherTenant + ourTenant + from, "550 5.7.1 The message must have exactly one field"},
		"two of ours":         {alice, bob, ourTenant + ourTenant + from, "550 5.7.1 "},
		"folded":              {alice, bob, strings.Replace(ourTenant, ": ", ":\r\n ", 1) + from, "550 5.7.1 "},
		"with a comment":      {alice, bob, strings.Replace(ourTenant, "\r\n", " (x)\r\n", 1) + from, "550 5.7.1 "},
		"in the body":         {alice, bob, from + "\r\n" + ourTenant, "550 5.7.1 "},
		"after no field":      {alice, bob, from + "not a field\r\n" + ourTenant, "550 5.7.1 "},
		"in a part":           {alice, bob, from + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + ourTenant + "\r\n", "550 5.7.1 "},
		"a stranger's From":   {alice, bob, ourTenant + loggedIn + "From: eve@x.example\r\n", "550 5.7.1 From is no address that this listener takes"},
		"null, stranger":      {"", bob, ourTenant + loggedIn + "From: eve@x.example\r\n", "550 5.7.1 From is no address"},
		"only Sender ours":    {alice, bob, ourTenant + loggedIn + "From: eve@x.example\r\nSender: alice@firma.example\r\nResent-From: alice@firma.example\r\n", "550 5.7.1 "},
		"no From":             {alice, bob, ourTenant + loggedIn, "550 5.7.1 The message must have one From"},
		"two From fields":     {alice, bob, ourTenant + loggedIn + from + from, "550 5.7.1 The message must have one From"},
		"two authors":         {alice, bob, ourTenant + loggedIn + "From: alice@firma.example, eve@x.example\r\n", "550 5.7.1 The message must have one From"},
		"a group":             {alice, bob, ourTenant + loggedIn + "From: us: alice@firma.example;\r\n", "550 5.7.1 The message must have one From"},
		"two authors, folded": {alice, bob, ourTenant + loggedIn + "From: alice@firma.example,\r\n eve@x.example\r\n", "550 5.7.1 "},
	})
	if got := len(h.messages()); got != 5 {
		t.Errorf("%d messages were taken", got)
	}
	for _, m := range h.messages() {
		if mayUse := m.env.MayUse.Match(mail.Address{Local: "alice", Domain: "firma.example"}); mayUse == strings.Contains(m.content, "Anonymous") {
			t.Errorf("may be signed: %t\n%s", mayUse, m.content)
		}
		if !m.env.Internal {
			t.Errorf("not from inside:\n%s", m.content)
		}
	}
	p := dial(t, s, "internal")
	p.say("", "220 ", "EHLO x.example", "250 ", "MAIL FROM:<eve@x.example>", "550 5.7.1 ")
}

// The direction of a message on a round trip is what Exchange Online says, never what From says.
func TestRoundTrip(t *testing.T) {
	h := new(sink)
	o := options(t, h, tenantListener(t, smtpin.RoundTrip))
	marks := roundtrip.New(atrest.NewKey())
	o.Marks = marks
	s := serve(t, o)
	const alice, bob = "alice@firma.example", "bob@partner.example"
	const ours, theirs = "From: alice@firma.example\r\n", "From: bob@partner.example\r\n"
	mark := func(d mail.Direction, m roundtrip.Marker, from string) string {
		head, _, err := entity.Read(strings.NewReader(from+"Message-ID: <1@firma.example>\r\n\r\n"), 0)
		if err != nil {
			t.Fatal(err)
		}
		return roundtrip.Field + ": " + m.Mark(head, d, time.Now()) + "\r\n"
	}
	stranger := roundtrip.New(atrest.NewKey())
	submit(t, s, "roundtrip", map[string]submission{
		"out":                          {alice, bob, ourTenant + loggedIn + ours, "250 "},
		"out, null sender":             {"", bob, ourTenant + loggedIn + ours, "250 "},
		"out and inside":               {alice, bob + " anna@firma.example", ourTenant + loggedIn + ours, "250 "},
		"in":                           {bob, alice, ourTenant + anonymous + theirs, "250 "},
		"in, a report":                 {"", alice, ourTenant + anonymous + theirs, "250 "},
		"in, says it is from us":       {alice, alice, ourTenant + anonymous + ours, "250 "},
		"in, nothing is said":          {alice, alice, ourTenant + ours, "250 "},
		"in, said twice":               {alice, alice, ourTenant + loggedIn + anonymous + ours, "250 "},
		"in, two authors":              {bob, alice, ourTenant + anonymous + "From: a@x.example, b@y.example\r\n", "250 "},
		"in, forged mark":              {bob, alice, mark(mail.Incoming, stranger, theirs) + ourTenant + anonymous + theirs, "250 "},
		"in, mark of the other way":    {bob, alice, mark(mail.Outgoing, marks, theirs) + ourTenant + anonymous + theirs, "250 "},
		"out, mark of another message": {alice, bob, mark(mail.Outgoing, marks, theirs) + ourTenant + loggedIn + ours, "250 "},

		"again, out":             {alice, bob, mark(mail.Outgoing, marks, ours) + ourTenant + loggedIn + ours, "554 5.4.6 This gateway has handled"},
		"again, in":              {bob, alice, mark(mail.Incoming, marks, theirs) + ourTenant + anonymous + theirs, "554 5.4.6 "},
		"relay":                  {bob, bob, ourTenant + anonymous + theirs, "550 5.7.1 Relaying denied"},
		"relay, says from us":    {alice, bob, ourTenant + anonymous + ours, "550 5.7.1 Relaying denied"},
		"relay beside a user":    {bob, alice + " carol@partner.example", ourTenant + anonymous + theirs, "550 5.7.1 Relaying denied"},
		"relay by a route":       {bob, "carol%partner.example@firma.example", ourTenant + anonymous + theirs, "550 5.7.1 Relaying denied"},
		"forwarded":              {alice, bob, ourTenant + loggedIn + theirs, "550 5.7.1 From is no address"},
		"out, foreign MAIL FROM": {bob, bob, ourTenant + loggedIn + ours, "550 5.7.1 You may not send from"},
		"another tenant":         {bob, alice, otherTenant + anonymous + theirs, "550 5.7.1 "},
		"another tenant, out":    {alice, bob, otherTenant + loggedIn + ours, "550 5.7.1 "},
		"no tenant":              {bob, alice, loggedIn + theirs, "550 5.7.1 "},
	})
	if got := len(h.messages()); got != 12 {
		t.Errorf("%d messages were taken", got)
	}
	for _, m := range h.messages() {
		out := strings.Contains(m.content, "\r\nbody out")
		if m.env.Internal != out || (len(m.env.MayUse) > 0) != out {
			t.Errorf("from inside %t, may use %v:\n%s", m.env.Internal, m.env.MayUse, m.content)
		}
		if strings.Contains(m.content, roundtrip.Field) {
			t.Errorf("a mark stays:\n%s", m.content)
		}
	}
}

// What comes in on a round trip has no say: its requests and results go as they do at an external listener.
func TestRoundTripFirewall(t *testing.T) {
	h := new(sink)
	o := options(t, h, tenantListener(t, smtpin.RoundTrip))
	o.Marks = roundtrip.New(atrest.NewKey())
	s := serve(t, o)
	const fields = "X-Siegel-Encrypt: yes\r\nX-Siegel-TLS: verified\r\nX-Siegel-DeMail: dispatch\r\nX-Siegel-Verdict: valid\r\nX-de-mail-auth: high\r\n"
	submit(t, s, "roundtrip", map[string]submission{
		"in":  {"bob@partner.example", "alice@firma.example", ourTenant + anonymous + fields + "From: bob@partner.example\r\n", "250 "},
		"out": {"alice@firma.example", "bob@partner.example", ourTenant + loggedIn + fields + "From: alice@firma.example\r\n", "250 "},
	})
	for _, m := range h.messages() {
		if strings.Contains(m.content, "X-Siegel-Verdict") || strings.Contains(m.content, "X-Siegel-Encrypt") != m.env.Internal || strings.Contains(m.content, "X-Siegel-TLS") != m.env.Internal ||
			strings.Contains(m.content, "X-Siegel-DeMail") != m.env.Internal || strings.Contains(m.content, "X-de-mail") {
			t.Errorf("from inside %t:\n%s", m.env.Internal, m.content)
		}
	}
}

func TestTenantSettings(t *testing.T) {
	good := tenantListener(t, smtpin.RoundTrip)
	for what, change := range map[string]func(o *smtpin.Options, l *smtpin.Listener){
		"no tenant":          func(_ *smtpin.Options, l *smtpin.Listener) { l.Tenant = exchange.Tenant{} },
		"no networks":        func(_ *smtpin.Options, l *smtpin.Listener) { l.Networks = nil },
		"no senders":         func(_ *smtpin.Options, l *smtpin.Listener) { l.Senders = nil },
		"no marks":           func(o *smtpin.Options, _ *smtpin.Listener) { o.Marks = nil },
		"an external tenant": func(_ *smtpin.Options, l *smtpin.Listener) { l.Role = smtpin.External },
	} {
		o, l := options(t, new(sink)), good
		o.Marks = roundtrip.New(atrest.NewKey())
		change(&o, &l)
		o.Listeners = []smtpin.Listener{l}
		if _, err := smtpin.New(o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// The addresses of Exchange Online are those of all its tenants: what others are refused does not shut us out.
func TestErrorsOfOtherTenants(t *testing.T) {
	o := options(t, new(sink), tenantListener(t, smtpin.Internal))
	o.Limits.ErrorsPerHour = 2
	s := serve(t, o)
	const alice, bob, from = "alice@firma.example", "bob@partner.example", "From: Alice <alice@firma.example>\r\n"
	for range 3 {
		submit(t, s, "internal", map[string]submission{"another tenant": {alice, bob, otherTenant + loggedIn + from, "550 "}})
	}
	submit(t, s, "internal", map[string]submission{"ours": {alice, bob, ourTenant + loggedIn + from, "250 "}})
}
