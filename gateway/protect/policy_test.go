package protect

import (
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
)

// withPolicy is a bench with levels.
func withPolicy(t *testing.T, c policy.Config, change func(*Options)) *bench {
	t.Helper()
	p, err := policy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, func(o *Options) {
		o.Policy = p
		if change != nil {
			change(o)
		}
	})
}

// done says what becomes of a message: "encrypted", "signed", "plain", with what is demanded of TLS; or "refused".
func (b *bench) done(t *testing.T, env mail.Envelope, m letter) string {
	t.Helper()
	adm, err := b.Admit(t.Context(), env, m)
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return "refused"
	case err != nil:
		t.Fatal(err)
	}
	defer adm.Release()
	if len(adm.Entries) != 1 || adm.Entries[0].Pending != nil {
		t.Fatalf("%+v", adm.Entries)
	}
	form, err := smime.FormOf(adm.Entries[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	word := "plain"
	switch {
	case form.Encrypted:
		word = "encrypted"
	case strings.Contains(string(read(t, adm.Entries[0].Content)), "multipart/signed"):
		word = "signed"
	}
	return strings.TrimSpace(word + " " + string(adm.Entries[0].Envelope.TLS))
}

// recorded is what the record says was decided last.
func (b *bench) recorded() (rule string) {
	for _, e := range b.events.Events() {
		if e.Kind == track.Decided {
			rule = e.Rule
		}
	}
	return rule
}

// What is not encrypted for want of a certificate goes under TLS, or plain, as on_missing says, and the record tells; not where its sender asked for encryption.
func TestAdmitWithoutCertificate(t *testing.T) {
	const dora = "dora@other.example" // of whom there is no certificate
	for _, c := range []struct {
		missing policy.Missing
		m       letter
		want    string
		record  string
	}{
		{policy.SendTLS, message(), "plain required", "on_missing=tls by default"},
		{policy.SendPlain, message(), "plain", "on_missing=plain by default"},
		{policy.SendTLS, message("Subject: [encrypt] hello"), "refused", ""},
		{policy.SendPlain, message("X-Siegel-Encrypt: yes"), "refused", ""},
	} {
		b := withPolicy(t, policy.Config{Company: policy.Settings{Sign: policy.Never, Encrypt: policy.Require, Terms: policy.Terms{Missing: c.missing}}}, nil)
		if got := b.done(t, envelope(t, dora), c.m); got != c.want || !strings.Contains(b.recorded(), c.record) {
			t.Errorf("%s: %s, recorded %q", c.missing, got, b.recorded())
		}
		if got := b.done(t, envelope(t, "bob@partner.example"), c.m); got != "encrypted" {
			t.Errorf("%s, with a certificate: %s", c.missing, got)
		}
	}
}

// A default is lowered by who may write under the From address, and the record says so.
func TestAdmitLowered(t *testing.T) {
	b := withPolicy(t, policy.Config{
		Company:    policy.Settings{Sign: policy.Require, Encrypt: policy.Require},
		Recipients: []policy.Entry{{For: patterns(t, "carol@partner.example"), Settings: policy.Settings{Encrypt: policy.Require, Enforce: []policy.Key{policy.KeyEncrypt}}}},
	}, nil)
	plain := message("Subject: [plain] hello")
	if got := b.done(t, envelope(t, "bob@partner.example"), plain); got != "plain" || !strings.Contains(b.recorded(), "sign lowered by the sender, encrypt lowered by the sender") {
		t.Errorf("%s, recorded %q", got, b.recorded())
	}
	if got := b.done(t, envelope(t, "carol@partner.example"), plain); got != "encrypted" {
		t.Errorf("what is enforced: %s", got)
	}
	env := envelope(t, "bob@partner.example")
	env.MayUse = patterns(t, "other@firma.example")
	if got := b.done(t, env, plain); got != "refused" { // it cannot be signed in her name, and must be
		t.Errorf("in somebody else's name: %s", got)
	}
}

// Rules see what the listener took: its name, the size, the subject without tags, decoded, fields of the header and the parts.
func TestAdmitConditions(t *testing.T) {
	never := policy.Settings{Sign: policy.Never, Encrypt: policy.Never}
	must := policy.Settings{Encrypt: policy.Require}
	parts := letter("From: alice@firma.example\r\nTo: bob@partner.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: IMAGE/PNG\r\n\r\nx\r\n--b--\r\n")
	for name, c := range map[string]struct {
		rule     policy.Rule
		yes, not letter
	}{
		"subjects":  {policy.Rule{Subject: policy.Field{Matches: "^Invoice$", Contains: "voice"}}, message("Subject: Hello\r\nSubject: [tls] Invoice"), message("Subject: Hello\r\nSubject: no Invoice")},
		"subject":   {policy.Rule{Subject: policy.Field{Matches: "^Grüße$"}}, message("Subject: [tls] =?utf-8?q?Gr=C3=BC=C3=9Fe?="), message("Subject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=")},
		"size":      {policy.Rule{SizeOver: 1000}, message("X-A: " + strings.Repeat("a", 900)), message()},
		"header":    {policy.Rule{Headers: []policy.Field{{Name: "X-Project", Contains: "apollo"}}}, message("x-project: =?utf-8?q?the_Apollo?="), message("X-Projects: apollo")},
		"parts":     {policy.Rule{ContentTypes: []string{"image/*"}}, parts, message()},
		"recipient": {policy.Rule{To: patterns(t, "@partner.example"), Flags: []string{"tls"}}, message("Subject: [tls] x"), message()},
	} {
		c.rule.Name, c.rule.Settings = "it", must
		b := withPolicy(t, policy.Config{Rules: []policy.Rule{c.rule}, Company: never}, nil)
		if got := b.done(t, envelope(t, "bob@partner.example"), c.yes); !strings.HasPrefix(got, "encrypted") {
			t.Errorf("%s: %s", name, got)
		}
		if got := b.done(t, envelope(t, "bob@partner.example"), c.not); !strings.HasPrefix(got, "plain") {
			t.Errorf("%s, another: %s", name, got)
		}
	}
	b := withPolicy(t, policy.Config{Rules: []policy.Rule{{Listeners: []string{"scanner"}, Settings: must}}, Company: never}, nil)
	for listener, want := range map[string]string{"scanner": "encrypted", "exchange": "plain"} {
		env := envelope(t, "bob@partner.example")
		env.Client.Listener = listener
		if got := b.done(t, env, message()); got != want {
			t.Errorf("by %s: %s", listener, got)
		}
	}
}

// A message in more parts than can be looked at is refused where a rule looks at them, and nowhere else.
func TestAdmitTooManyParts(t *testing.T) {
	m := letter("From: alice@firma.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 1100) + "--b--\r\n")
	rule := policy.Rule{ContentTypes: []string{"image/*"}, Settings: policy.Settings{Encrypt: policy.Require}}
	b := withPolicy(t, policy.Config{Rules: []policy.Rule{rule}, Company: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, nil)
	if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), m); !errors.Is(err, ErrMessage) {
		t.Error(err)
	}
	b = withPolicy(t, policy.Config{Company: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, nil)
	if got := b.done(t, envelope(t, "bob@partner.example"), m); got != "plain" {
		t.Error(got)
	}
}

// The size is judged for each recipient, inwards and outwards; what is for nobody here is not.
func TestAdmitMaxSize(t *testing.T) {
	b := withPolicy(t, policy.Config{Recipients: []policy.Entry{
		{For: patterns(t, "bob@partner.example", "alice@firma.example"), Settings: policy.Settings{MaxSize: 50}},
	}}, nil)
	for to, want := range map[string]string{"bob@partner.example": "refused", "carol@partner.example": "encrypted"} {
		if got := b.done(t, envelope(t, to), message()); got != want {
			t.Errorf("to %s: %s", to, got)
		}
	}
	for to, want := range map[string]bool{"alice@firma.example": true, "eve@firma.example": false, "x@kept.example": false} {
		env := envelope(t, to)
		env.Internal = false
		_, err := b.Admit(t.Context(), env, message())
		var refused *Refused
		if errors.As(err, &refused) != want || err != nil && !strings.Contains(err.Error(), "larg") {
			t.Errorf("from outside to %s: %v", to, err)
		}
	}
}

// Groups of recipients decide on mail that comes in and that stays inside. A directory that does not answer is never an answer: what comes in stays with its sender, what
// stays inside waits with what holds in any case.
func TestAdmitGroupsOfRecipients(t *testing.T) {
	rules := []policy.Rule{
		{Name: "board in", Direction: mail.Incoming, ToGroups: []string{"Board"}, Settings: policy.Settings{MaxSize: 10}},
		{Name: "board inside", Direction: mail.Internal, ToGroups: []string{"Board"}, Settings: policy.Settings{MaxSize: 10}},
	}
	d := &directory{of: map[string][]string{"eve@firma.example": {"Board"}}}
	b := withPolicy(t, policy.Config{Rules: rules}, func(o *Options) { o.Groups = d })
	var refused *Refused
	for _, internal := range []bool{false, true} {
		for to, want := range map[string]bool{"eve@firma.example": true, "frank@firma.example": false} {
			env := envelope(t, to)
			env.Internal = internal
			if _, err := b.Admit(t.Context(), env, message()); errors.As(err, &refused) != want || !want && err != nil {
				t.Errorf("internal %v, to %s: %v", internal, to, err)
			}
		}
	}
	d.err = groupsAway
	env := envelope(t, "eve@firma.example")
	env.Internal = false
	if _, err := b.Admit(t.Context(), env, message()); !errors.Is(err, certs.ErrUnavailable) || errors.As(err, &refused) {
		t.Errorf("from outside, the directory is away: %v", err)
	}
	adm, err := b.Admit(t.Context(), envelope(t, "eve@firma.example"), message())
	if err != nil || len(adm.Entries) != 1 || adm.Entries[0].Pending == nil {
		t.Errorf("inside, the directory is away: %+v, %v", adm, err)
	}
}

// Nothing waits for what only rules want to know that change nothing.
func TestAdmitDryGroups(t *testing.T) {
	rule := policy.Rule{Name: "try", Groups: []string{"Legal"}, DryRun: true, Settings: policy.Settings{Encrypt: policy.Require}}
	d := &directory{err: groupsAway}
	b := withPolicy(t, policy.Config{Rules: []policy.Rule{rule}, Company: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}, func(o *Options) { o.Groups = d })
	if got := b.done(t, envelope(t, "bob@partner.example"), message()); got != "plain" || d.asked != 1 {
		t.Errorf("%s, asked %d times", got, d.asked)
	}
}

// De-Mail is sent by the sender that policy names, with the options that it wants; recipients who want different ones are told.
func TestAdmitDeMailByPolicy(t *testing.T) {
	const office = "amtlich@firma.de-mail.de"
	c := policy.Config{Recipients: []policy.Entry{
		{For: patterns(t, "@stadt.de-mail.de"), Settings: policy.Settings{DeMail: "second", DeMailOptions: demail.Options{Dispatch: true}}},
	}}
	p := &purse{spent: map[string]int{}}
	b := withPolicy(t, c, func(o *Options) {
		o.Desk = deskOf(t, p, func(o *dispatch.Options) {
			second := o.Senders[len(o.Senders)-1]
			second.Name, second.From, second.Groups, second.Table, second.Lookup, second.Address = "second", patterns(t, "nobody@firma.example"), nil, nil, nil, office
			o.Senders = append(o.Senders, second)
		})
		o.Vocabulary.DeMail = policy.DefaultDeMail()
	})
	adm, err := b.Admit(t.Context(), envelope(t, amt), message())
	if err != nil {
		t.Fatal(err)
	}
	if got := adm.Entries[0].Envelope.DeMail; got == nil || got.Sender.String() != office || !got.Options.Dispatch {
		t.Errorf("%+v", got)
	}
	var refused *Refused
	if _, err := b.Admit(t.Context(), envelope(t, amt, "geheim@land.de-mail.de"), message()); !errors.As(err, &refused) || !strings.Contains(err.Error(), "one by one") {
		t.Errorf("to two who want different ones: %v", err)
	}
}
