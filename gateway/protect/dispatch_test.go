package protect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// purse counts what is spent; err in place of it.
type purse struct {
	spent map[string]int
	err   error
}

func (p *purse) Spend(_ context.Context, sender string, _ time.Time, messages, limit int) (int, bool, error) {
	if p.err != nil {
		return 0, false, p.err
	}
	if n := p.spent[sender] + messages; limit > 0 && n > limit {
		return limit - p.spent[sender], false, nil
	}
	p.spent[sender] += messages
	return limit - p.spent[sender], true, nil
}

func (p *purse) Spent(_ context.Context, sender string, _ time.Time) (int, error) {
	return p.spent[sender], p.err
}

const (
	amt     = "amt@stadt.de-mail.de"
	kontakt = "kontakt@firma.de-mail.de"
)

// deskOf has one account from which everybody inside may send, with every option.
func deskOf(t testing.TB, budget dispatch.Budget, change func(*dispatch.Options)) *dispatch.Desk {
	t.Helper()
	all := demail.Options{Dispatch: true, Receipt: true, Retrieve: true, Authoritative: true, Private: true}
	o := dispatch.Options{
		Accounts: []dispatch.Account{{Name: "main", Domains: []string{"firma.de-mail.de"}, Entitled: all, Level: demail.LevelHigh, MaxNet: 5000}},
		Senders:  []dispatch.Sender{{Name: "all", From: patterns(t, "@firma.example"), Account: "main", Address: kontakt, May: all, Daily: 5}},
		Budget:   budget,
	}
	if change != nil {
		change(&o)
	}
	desk, err := dispatch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

func deMailBench(t testing.TB, change func(*Options), rules ...policy.Rule) (*bench, *purse) {
	t.Helper()
	p := &purse{spent: map[string]int{}}
	return newBench(t, func(o *Options) {
		o.Desk = deskOf(t, p, nil)
		o.Vocabulary.DeMail = policy.DefaultDeMail()
		o.DeMailLifetime = func(account string) time.Duration { return time.Duration(len(account)) * time.Minute }
		if change != nil {
			change(o)
		}
	}, rules...), p
}

// one message, for everybody: to the office as De-Mail, to others as ever.
func TestMixedRecipients(t *testing.T) {
	keys := newKeyring(t, "ed.firma.example")
	var b *bench
	b, purse := deMailBench(t, func(o *Options) { o.DKIM = keys.all }, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	env := envelope(t, amt, "eve@firma.example", "bob@partner.example", "dora@other.example", "geheim@land.de-mail.de")
	m := letter("From: =?iso-8859-1?q?M=FCller=2C?= Alice <alice@firma.example>\r\nSender: desk@firma.example\r\nReply-To: alice@firma.example\r\nTo: " + amt +
		", bob@partner.example\r\nCc: dora@other.example, eve@firma.example\r\nSubject: [Versandbest\u00e4tigung, Pers\u00f6nlich] Antrag\r\nX-Siegel-DeMail: receipt\r\n" +
		"Resent-From: alice@firma.example\r\nDKIM-Signature: v=1; a=rsa-sha256; d=firma.example; s=x; h=From; bh=x; b=x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHiermit.\r\n")
	adm := b.admit(t, env, m)
	got := map[string]queue.New{}
	for _, e := range adm.Entries {
		got[strings.Join(e.Destinations, " ")+" "+inFull(e)] = e
	}
	keysOf := slices.Sorted(maps.Keys(got))
	want := []string{"demail:main demail:main amt@stadt.de-mail.de geheim@land.de-mail.de", "out bob@partner.example", "out dora@other.example", "out eve@firma.example"}
	if !slices.Equal(keysOf, want) || adm.Entries[0].Envelope.ID != env.ID {
		t.Fatalf("%q", keysOf)
	}
	ids := map[mail.ID]bool{}
	for _, e := range adm.Entries {
		ids[e.Envelope.ID] = true
		if e.Origin != env.ID || (e.Envelope.DeMail != nil) != strings.HasPrefix(e.Destinations[0], "demail:") || e.Pending != nil {
			t.Errorf("%+v", e.Envelope)
		}
	}
	if len(ids) != len(adm.Entries) {
		t.Error("two entries bear one id")
	}
	de := got[want[0]]
	if d := *de.Envelope.DeMail; d.Account != "main" || d.Sender.String() != kontakt || d.Author.String() != "alice@firma.example" ||
		d.Options != (demail.Options{Dispatch: true, Receipt: true, Private: true}) {
		t.Errorf("%+v", d)
	}
	if de.Expires.Sub(de.Due) != 4*time.Minute || de.Note != "De-Mail by account main as kontakt@firma.de-mail.de, with dispatch, receipt, private; unchanged" || de.Envelope.From != env.From {
		t.Errorf("expires after %v, note %q", de.Expires.Sub(de.Due), de.Note)
	}
	const head = "From: =?utf-8?B?TcO8bGxlciwgQWxpY2U=?= <kontakt@firma.de-mail.de>\r\nTo: amt@stadt.de-mail.de, bob@partner.example\r\n" +
		"Cc: dora@other.example, eve@firma.example\r\nSubject: Antrag\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nMessage-ID: <"
	if text := string(read(t, de.Content)); !strings.HasPrefix(text, head+string(env.ID)+"@firma.de-mail.de>\r\nDate: ") || !strings.HasSuffix(text, "\r\n\r\nHiermit.\r\n") {
		t.Errorf("%s", text)
	}
	dora := string(read(t, got[want[2]].Content))
	if !strings.Contains(dora, "Alice <alice@firma.example>\r\nSender: desk@firma.example\r\nReply-To: alice@firma.example\r\n") ||
		!strings.Contains(dora, "Subject: Antrag\r\n") || strings.Contains(dora, "X-Siegel") || keys.results(t, got[want[2]].Content) != "ed.firma.example=pass" {
		t.Errorf("%s", dora)
	}
	if n := purse.spent["alice@firma.example"]; n != 2 { // one for who is named, one for who is hidden
		t.Errorf("%d are counted", n)
	}
	rules := b.rules()
	if !strings.HasSuffix(rules[amt], ", De-Mail by account main as kontakt@firma.de-mail.de, with dispatch, receipt, private, by sender all") || strings.Contains(rules["dora@other.example"], "De-Mail") {
		t.Errorf("%q", rules)
	}
}

// inFull are the recipients of an entry.
func inFull(e queue.New) string {
	var out []string
	for _, r := range e.Envelope.Recipients {
		out = append(out, r.Address.String())
	}
	return strings.Join(out, " ")
}

// rules are how it was decided for each recipient, as the record has it.
func (b *bench) rules() map[string]string {
	rules := map[string]string{}
	for _, e := range b.events.Events() {
		if e.Kind == track.Decided {
			rules[e.To[0]] = e.Rule
			if e.Reply != "" {
				rules[e.To[0]] = "refused: " + e.Reply
			}
		}
	}
	return rules
}

// What cannot be a De-Mail is refused as a whole, with a sentence; nothing is counted.
func TestDeMailRefused(t *testing.T) {
	const from = "From: alice@firma.example\r\n"
	for name, c := range map[string]struct {
		change func(*mail.Envelope)
		desk   func(testing.TB, *Options)
		head   string
		want   string
	}{
		"no account":     {desk: func(_ testing.TB, o *Options) { o.Desk = nil }, head: from, want: "it is for a De-Mail address, which this gateway has no way to"},
		"a report":       {change: func(e *mail.Envelope) { e.From = mail.Address{} }, head: from, want: "what else no person sent"},
		"automatic":      {head: from + "Auto-Submitted: auto-replied (vacation)\r\n", want: "Auto-Submitted"},
		"automatic, too": {head: from + "Auto-Submitted: no\r\nAuto-Submitted: auto-generated\r\n", want: "Auto-Submitted"},
		"two authors":    {head: "From: alice@firma.example, eve@firma.example\r\n", want: "exactly one sender (From)"},
		"two fields":     {head: from + from, want: "exactly one sender (From)"},
		"no author":      {want: "exactly one sender (From)"},
		"a stranger":     {head: "From: dora@other.example\r\n", want: "may not send as dora@other.example"},
		"an odd word":    {head: from + "X-Siegel-DeMail: dispatch, registered\r\n", want: `"registered" is no option of De-Mail`},
		"an odd tag":     {head: from + "Subject: [Personal, registered] x\r\n", want: `"registered" is no option of De-Mail`},
		"too large":      {head: from + "X-Filler: " + strings.Repeat("x ", 300) + "\r\n" + strings.Repeat("X-More: "+strings.Repeat("y", 500)+"\r\n", 10), want: "kB large"},
		"nobody's rule": {desk: func(t testing.TB, o *Options) {
			o.Desk = deskOf(t, nil, func(d *dispatch.Options) { d.Senders[0].From, d.Senders[0].Daily = patterns(t, "eve@firma.example"), 0 })
		}, head: from, want: "alice@firma.example may not send De-Mail"},
		"an option of others": {desk: func(t testing.TB, o *Options) {
			o.Desk = deskOf(t, nil, func(d *dispatch.Options) { d.Senders[0].May, d.Senders[0].Daily = demail.Options{}, 0 })
		}, head: from + "X-Siegel-DeMail: dispatch\r\n", want: "may not ask for dispatch"},
		"spent": {desk: func(t testing.TB, o *Options) {
			o.Desk = deskOf(t, &purse{spent: map[string]int{"alice@firma.example": 5}}, nil)
		}, head: from, want: "may send 5 De-Mails a day, and has 0 left today"},
	} {
		b, purse := deMailBench(t, func(o *Options) {
			if c.desk != nil {
				c.desk(t, o)
			}
		})
		env := envelope(t, "bob@partner.example", amt)
		if c.change != nil {
			c.change(&env)
		}
		adm, err := b.Admit(t.Context(), env, letter(c.head+"To: "+amt+"\r\n\r\nx\r\n"))
		var refused *Refused
		if !errors.As(err, &refused) || !errors.Is(err, ErrDeMail) || len(refused.Reasons) != 1 || !strings.HasPrefix(refused.Error(), "The message to amt@stadt.de-mail.de was not sent: ") ||
			!strings.Contains(refused.Error(), c.want) || len(refused.Error()) > 440 {
			t.Errorf("%s: %v, %v", name, adm, err)
			continue
		}
		if b.rules()[amt] != "refused: "+refused.Error() || len(purse.spent) != 0 {
			t.Errorf("%s: the record says %q; counted are %v", name, b.rules(), purse.spent)
		}
	}
}

// What is meant as De-Mail does not leave as anything else; a word that looks like a tag is a word where there is no De-Mail.
func TestMeantAsDeMail(t *testing.T) {
	b, _ := deMailBench(t, nil)
	env := envelope(t, "bob@partner.example")
	_, err := b.Admit(t.Context(), env, message("X-Siegel-DeMail: dispatch"))
	var refused *Refused
	if !errors.As(err, &refused) || !errors.Is(err, ErrDeMail) || !strings.Contains(err.Error(), "none of its recipients has a De-Mail address") {
		t.Errorf("%v", err)
	}
	for _, fields := range [][]string{{"X-Siegel-DeMail: no"}, {"Subject: [Personal] your pay"}, {"X-Siegel-DeMail: dispatch=no", "Subject: [Personal] your pay"}} {
		adm := b.admit(t, env, message(fields...))
		text := string(read(t, adm.Entries[0].Content))
		if strings.Contains(text, "X-Siegel") || strings.Contains(strings.Join(fields, ""), "Subject") != strings.Contains(text, "Subject: [Personal] your pay\r\n") {
			t.Errorf("%q: %s", fields, text)
		}
	}
}

// What cannot be told now is temporary, and nothing is taken meanwhile: De-Mail is never held for a decision.
func TestDeMailLater(t *testing.T) {
	away := &certs.UnavailableError{Source: "directory", Err: errors.New("planted")}
	for name, change := range map[string]func(*testing.T, *Options){
		"the groups": func(t *testing.T, o *Options) {
			o.Desk = deskOf(t, nil, func(d *dispatch.Options) {
				d.Groups, d.Senders[0].Groups, d.Senders[0].Daily = &directory{err: away}, []string{"x"}, 0
			})
		},
		"the address": func(t *testing.T, o *Options) {
			o.Desk = deskOf(t, nil, func(d *dispatch.Options) { d.Senders[0].Lookup, d.Senders[0].Daily = noEntry{away}, 0 })
		},
		"the budget": func(t *testing.T, o *Options) { o.Desk = deskOf(t, &purse{err: away}, nil) },
	} {
		b, _ := deMailBench(t, func(o *Options) { change(t, o) })
		adm, err := b.Admit(t.Context(), envelope(t, amt, "bob@partner.example"), message())
		if !errors.Is(err, dispatch.ErrUnavailable) || adm != nil {
			t.Errorf("%s: %v, %v", name, adm, err)
		}
	}
}

// noEntry is a directory that cannot be asked.
type noEntry struct{ err error }

func (n noEntry) DeMail(context.Context, mail.Address) (string, error) { return "", n.err }

// A message that waits for a key keeps what was decided, and is counted once, whatever the configuration says when it goes on.
func TestDeMailHeld(t *testing.T) {
	a := absent{away: map[string]bool{"bob@partner.example": true}}
	partner := policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}}
	b, purse := deMailBench(t, func(o *Options) {
		a.finder = o.Certs.(finder)
		o.Certs = a
	}, partner)
	env := envelope(t, "eve@firma.example", amt, "bob@partner.example")
	adm := b.admit(t, env, message("Subject: [Versandbest\u00e4tigung] Antrag"))
	held := adm.Entries[0]
	if len(adm.Entries) != 1 || held.Pending == nil || held.Envelope.DeMail != nil || !slices.Equal(held.Destinations, []string{"protect:vault", "protect:vault", "protect:vault"}) || purse.spent["alice@firma.example"] != 1 {
		t.Fatalf("%d entries, the first for %q; counted %v", len(adm.Entries), held.Destinations, purse.spent)
	}
	a.away["bob@partner.example"] = false
	// Whoever may not any more, and a domain that stopped to be one of De-Mail: accepted is accepted.
	again, changed := deMailBench(t, func(o *Options) {
		o.Desk = deskOf(t, nil, func(d *dispatch.Options) { d.Senders = nil })
		o.Certs = a
	}, partner)
	for _, due := range [][]int{{0, 1, 2}, {1}, {0}} {
		adm, err := again.Resume(t.Context(), memory{entry: held}, claim(held, due...))
		if err != nil {
			t.Fatal(err)
		}
		var deMails int
		for _, e := range adm.Entries {
			text := string(read(t, e.Content))
			if d := e.Envelope.DeMail; d != nil {
				deMails++
				if d.Sender.String() != kontakt || d.Options != (demail.Options{Dispatch: true}) || inFull(e) != amt || e.Destinations[0] != "demail:main" || !strings.Contains(text, kontakt) {
					t.Errorf("%+v\n%s", d, text)
				}
			}
			if e.Envelope.ID == env.ID || e.Origin != env.ID || strings.Contains(text, "[Versand") {
				t.Errorf("%s of %s:\n%s", e.Envelope.ID, e.Origin, text)
			}
		}
		if want := slices.Contains(due, 1); want != (deMails == 1) || len(adm.Entries) != len(due) || len(changed.spent) != 0 {
			t.Errorf("%v: %d entries, %d of them De-Mail; counted %v", due, len(adm.Entries), deMails, changed.spent)
		}
		adm.Release()
	}
	none, _ := deMailBench(t, func(o *Options) { o.Desk, o.Certs = nil, a }, partner)
	if _, err := none.Resume(t.Context(), memory{entry: held}, claim(held, 0, 1, 2)); !errors.Is(err, ErrDeMail) || !strings.Contains(err.Error(), "does not exist any more") {
		t.Errorf("without the account: %v", err)
	}
}

// What was accepted as other mail and has become De-Mail meanwhile is decided on then: it does not leave as it would have.
func TestBecomesDeMail(t *testing.T) {
	a := absent{away: map[string]bool{"bob@partner.example": true}}
	b := newBench(t, func(o *Options) {
		a.finder = o.Certs.(finder)
		o.Certs = a
	}, policy.Rule{Name: "partner", To: patterns(t, "bob@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}})
	held := b.admit(t, envelope(t, "bob@partner.example", "dora@other.example"), message()).Entries[0]
	a.away["bob@partner.example"] = false
	now, purse := deMailBench(t, func(o *Options) { o.Certs = a })
	now.o.Desk.Report("main", []string{"other.example", "firma.de-mail.de"})
	adm, err := now.Resume(t.Context(), memory{entry: held}, claim(held, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	if e := adm.Entries[1]; len(adm.Entries) != 2 || e.Destinations[0] != "demail:main" || inFull(e) != "dora@other.example" || purse.spent["alice@firma.example"] != 1 {
		t.Errorf("%d entries, the second for %q; counted %v", len(adm.Entries), e.Destinations, purse.spent)
	}
}

func TestDeMailMoment(t *testing.T) {
	for _, text := range []string{
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"","sender":"kontakt@firma.de-mail.de","options":{},"author":"a@b.example","rule":""}}`,
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"","options":{},"author":"a@b.example","rule":""}}`,
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"x","options":{},"author":"a@b.example","rule":""}}`,
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"kontakt@firma.de-mail.de","options":{},"author":"","rule":""}}`,
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"kontakt@firma.de-mail.de","options":{},"author":"a@b.example","rule":"","for":[1]}}`,
		`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"kontakt@firma.de-mail.de","options":{},"author":"a@b.example","rule":"","for":[-1]}}`,
	} {
		b, _ := deMailBench(t, nil)
		e := queue.New{Envelope: envelope(t, amt), Content: message(), Pending: []byte(text), Destinations: []string{"protect:x"}}
		if _, err := b.Resume(t.Context(), memory{entry: e}, claim(e, 0)); !IsMomentLost(err) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The De-Mail address signs for itself, and what is encrypted is measured as it leaves.
func TestSMIMEInDeMail(t *testing.T) {
	c, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	ids := maps.Clone(c.ids)
	for _, who := range []string{kontakt, amt} {
		if ids[who], err = c.ca.Issue(who, democa.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	rule := policy.Rule{Name: "city", To: patterns(t, "@stadt.de-mail.de"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.IfPossible}}
	b, purse := deMailBench(t, func(o *Options) { o.Certs = finder{ids: ids} }, rule)
	b.finder.ids = ids
	adm := b.admit(t, envelope(t, amt), message("To: "+amt, "Subject: x"))
	e := adm.Entries[0]
	opened := b.open(t, e, amt)
	from, _ := opened.Header().Get("From")
	if opened.Verdict != smime.Valid || from != `"Alice" <`+kontakt+`>` || !strings.HasSuffix(e.Note, "; signed and encrypted") || !strings.HasPrefix(e.Note, "De-Mail by ") {
		t.Errorf("%s, %s, %s", opened.Verdict, from, e.Note)
	}
	// With no key of the De-Mail address, that of its author is not taken instead.
	delete(ids, kontakt)
	if _, err := b.Admit(t.Context(), envelope(t, amt), message()); err == nil || !strings.Contains(err.Error(), kontakt) {
		t.Errorf("without a key: %v", err)
	}
	// 3 KB of text are within the 5,000 bytes of the account, and not once there is a signature of that size around it.
	ids[kontakt] = c.ids["alice@firma.example"]
	large := message("X-A: "+strings.Repeat("a", 900), "X-B: "+strings.Repeat("b", 900), "X-C: "+strings.Repeat("c", 900), "X-D: "+strings.Repeat("d", 900))
	if _, err := b.Admit(t.Context(), envelope(t, amt), large); !errors.Is(err, ErrDeMail) || !strings.Contains(err.Error(), "kB large") {
		t.Errorf("a large one: %v", err)
	}
	if n := purse.spent["alice@firma.example"]; n != 1 { // the first alone left
		t.Errorf("%d are counted", n)
	}
	made := 0
	for _, e := range b.events.Events() {
		if e.Kind == track.Protected {
			made++
		}
	}
	if made != 1 {
		t.Errorf("the record has %d that were protected", made)
	}
}

// What a sender's own program signed leaves as it is, but for who it is from.
func TestSignedByItsAuthor(t *testing.T) {
	b, _ := deMailBench(t, nil, policy.Rule{Name: "city", To: patterns(t, "@stadt.de-mail.de"), Settings: policy.Settings{Sign: policy.Require}})
	signed := b.from(t, "alice@firma.example", false)
	adm := b.admit(t, envelope(t, amt), letter(signed))
	text := string(read(t, adm.Entries[0].Content))
	_, before, _ := strings.Cut(signed, "\r\n\r\n")
	head, after, _ := strings.Cut(text, "\r\n\r\n")
	if before != after || !strings.Contains(head, "From: "+kontakt+"\r\n") {
		t.Errorf("%s", text)
	}
}

// Reports and answers go to De-Mail addresses or to the sender.
func TestDeMailHeader(t *testing.T) {
	b, _ := deMailBench(t, nil)
	d := &draft{env: envelope(t, amt), origin: "id", deMail: &dispatched{}}
	d.deMail.Sender, _ = demail.ParseAddress(kontakt)
	for _, c := range []struct{ in, want string }{
		{"From: a@firma.example\r\n", "From: kontakt@firma.de-mail.de\r\n"},
		{"From: a@firma.example (Alice (inside) M)\r\n", "From: \"Alice (inside) M\" <kontakt@firma.de-mail.de>\r\n"},
		{"From: \"M\u00fcller, \\\"A\\\"\" <a@firma.example>\r\n", "From: =?utf-8?B?TcO8bGxlciwgIkEi?= <kontakt@firma.de-mail.de>\r\n"},
		{"From: \"=?utf-8?q?quoted_word?=\" <a@firma.example>\r\n", "From: \"quoted word\" <kontakt@firma.de-mail.de>\r\n"},
		{"From: \"a\\\" <b>\" <a@firma.example>\r\n", "From: \"a\\\" <b>\" <kontakt@firma.de-mail.de>\r\n"},
		{"From: =?utf-8?q?a=0D=0ABcc:_x?= <a@firma.example>\r\n", "From: \"a Bcc: x\" <kontakt@firma.de-mail.de>\r\n"},
		{"From: a@firma.example\r\nReply-To: x@stadt.de-mail.de, \"Y\" <y@land.de-mail.de>\r\n", "From: kontakt@firma.de-mail.de\r\nReply-To: x@stadt.de-mail.de, \"Y\" <y@land.de-mail.de>\r\n"},
		{"From: a@firma.example\r\nReply-To: x@stadt.de-mail.de, a@firma.example\r\n", "From: kontakt@firma.de-mail.de\r\n"},
		{"From: a@firma.example\r\nReply-To: group: x@stadt.de-mail.de;\r\nDisposition-Notification-To: a@firma.example\r\nErrors-To: rubbish\r\n", "From: kontakt@firma.de-mail.de\r\n"},
		{"Sender: b@firma.example\r\nFrom: a@firma.example\r\nreturn-path: <>\r\nResent-To: x@y.example\r\nX-de-mail-private-id: 1\r\nEnvelope-to: x\r\nSubject: s\r\n", "From: kontakt@firma.de-mail.de\r\nSubject: s\r\n"},
		{"From: a@firma.example\r\nMessage-ID: <x@y>\r\nDate: then\r\n", "From: kontakt@firma.de-mail.de\r\nMessage-ID: <x@y>\r\nDate: then\r\n"},
	} {
		h, _, err := entity.Read(strings.NewReader(c.in+"\r\n"), 0)
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.asDeMail(h, d)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if !strings.Contains(c.in, "Date") {
			if date, _ := out.Get("Date"); date != d.env.Received.Format(time.RFC1123Z) {
				t.Errorf("%q: %s", c.in, date)
			}
			if id, _ := out.Get("Message-ID"); id != "<id@firma.de-mail.de>" {
				t.Errorf("%q: %s", c.in, id)
			}
			out.Del("Date")
			out.Del("Message-ID")
		}
		if got := string(out.Bytes()); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
}

// De-Mail is not taken from the internet, not even for a domain that mail is kept for.
func TestNoDeMailFromOutside(t *testing.T) {
	b, _ := deMailBench(t, nil)
	env := envelope(t, amt)
	env.Internal = false
	if _, err := b.Admit(t.Context(), env, message()); !errors.Is(err, ErrNoRoute) || !strings.Contains(err.Error(), "De-Mail is not taken from the internet") {
		t.Errorf("%v", err)
	}
}

// De-Mail does not wait for somebody who was asked for a certificate, and whoever was gets what the others got.
func TestDeMailAndAsked(t *testing.T) {
	b, purse := deMailBench(t, func(o *Options) { o.Ask = Ask{May: func(mail.Address) bool { return true }, Within: time.Hour} },
		policy.Rule{Name: "ask", To: patterns(t, "@other.example"), Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}})
	env := envelope(t, "dora@other.example", amt)
	adm := b.admit(t, env, message("Subject: [Versandbest\u00e4tigung] Antrag", "X-Siegel-DeMail: yes"))
	if len(adm.Entries) != 2 {
		t.Fatalf("%d entries", len(adm.Entries))
	}
	waits, de := adm.Entries[0], adm.Entries[1]
	if !IsAsked(waits.Destinations[0]) || inFull(waits) != "dora@other.example" || de.Destinations[0] != "demail:main" || inFull(de) != amt || waits.Envelope.ID != env.ID || de.Envelope.ID == env.ID || purse.spent["alice@firma.example"] != 1 {
		t.Fatalf("%q for %s, %q for %s; counted %v", waits.Destinations, inFull(waits), de.Destinations, inFull(de), purse.spent)
	}
	b.finder.ids = maps.Clone(b.finder.ids) // others use the same
	b.o.Certs = b.finder
	b.lend("dora@other.example", "bob@partner.example")
	again, err := b.Resume(t.Context(), memory{entry: waits}, claim(waits, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	opened := b.open(t, again.Entries[0], "dora@other.example")
	if subject, _ := opened.Header().Get("Subject"); subject != "Antrag" || len(again.Entries) != 1 || purse.spent["alice@firma.example"] != 1 {
		t.Errorf("%d entries, subject %q; counted %v", len(again.Entries), subject, purse.spent)
	}
	// Who could be asked by mail is not, at a De-Mail address.
	must, _ := deMailBench(t, func(o *Options) { o.Ask = Ask{May: func(mail.Address) bool { return true }, Within: time.Hour} },
		policy.Rule{Name: "city", To: patterns(t, "@stadt.de-mail.de"), Settings: policy.Settings{Encrypt: policy.Require, Terms: policy.Terms{Missing: policy.Ask}}})
	if adm, err := must.Admit(t.Context(), envelope(t, amt), message()); err == nil || !strings.Contains(err.Error(), "no certificate of this recipient is known") {
		t.Errorf("%v, %v", adm, err)
	}
}

// Whatever stands in From, what leaves is from the De-Mail address alone.
func FuzzDeMailFrom(f *testing.F) {
	f.Add("Alice <alice@firma.example>")
	f.Add("\"a\\\" <b>\" <alice@firma.example>")
	f.Add("alice@firma.example (Alice (inside))")
	f.Add("=?utf-8?q?x=0D=0ABcc:_y?= <alice@firma.example>")
	f.Add("=?iso-8859-1?b?/ywi?= \"<x@y>,\" <alice@firma.example>")
	b, _ := deMailBench(f, nil)
	d := &draft{env: envelope(f, amt), origin: "id", deMail: &dispatched{}}
	d.deMail.Sender, _ = demail.ParseAddress(kontakt)
	f.Fuzz(func(t *testing.T, from string) {
		h, _, err := entity.Read(strings.NewReader("From: "+strings.NewReplacer("\r", "", "\n", "").Replace(from)+"\r\nSubject: s\r\n\r\n"), 0)
		if err != nil || singleFrom(h).IsNull() {
			return
		}
		out, err := b.asDeMail(h, d)
		if err != nil {
			return // it stays with its sender
		}
		again, _, err := entity.Read(strings.NewReader(string(out.Bytes())+"\r\n"), 0)
		if err != nil || again.Len() != 4 || singleFrom(again).String() != kontakt {
			t.Errorf("%q: %q, %v", from, out.Bytes(), err)
		}
	})
}

// A message that is as large as may be, and is larger with the fields that a De-Mail must have, is refused while its sender waits: the provider would
// never take it.
func TestDeMailLargerByItsHeader(t *testing.T) {
	b, purse := deMailBench(t, nil)
	head := "From: alice@firma.example\r\nTo: " + amt + "\r\nSubject: Antrag\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nX-Filler: \r\n\r\n"
	lines := (demail.MaxGross - len(head)) / len("=\r\n")
	rest := demail.MaxGross - len(head) - lines*len("=\r\n")
	m := letter(strings.Replace(head, "X-Filler: ", "X-Filler: "+strings.Repeat("x", rest), 1) + strings.Repeat("=\r\n", lines))
	if m.Size() != demail.MaxGross {
		t.Fatal(m.Size())
	}
	if _, err := b.Admit(t.Context(), envelope(t, amt), m); !errors.Is(err, ErrDeMail) || !strings.Contains(err.Error(), "with its encodings") {
		t.Errorf("%v", err)
	}
	if len(purse.spent) != 0 {
		t.Errorf("spent %v", purse.spent)
	}
}
