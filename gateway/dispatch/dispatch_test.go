package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// ledger is a Budget in memory; err in place of it.
type ledger struct {
	days map[string]int // by sender and day
	err  error
}

func (l *ledger) Spend(_ context.Context, sender string, day time.Time, messages, limit int) (int, bool, error) {
	key := sender + " " + day.Format(time.RFC3339)
	if l.err != nil {
		return 0, false, l.err
	}
	if limit > 0 && l.days[key]+messages > limit {
		return limit - l.days[key], false, nil
	}
	l.days[key] += messages
	return limit - l.days[key], true, nil
}

func (l *ledger) Spent(_ context.Context, sender string, day time.Time) (int, error) {
	return l.days[sender+" "+day.Format(time.RFC3339)], l.err
}

// people are a directory: groups and De-Mail addresses by address; err in place of both.
type people struct {
	groups  map[string][]string
	deMails map[string]string
	err     error
	asked   int
}

func (p *people) In(_ context.Context, from mail.Address, names []string) (in []string, err error) {
	p.asked++
	for _, name := range names {
		if slices.Contains(p.groups[from.String()], name) {
			in = append(in, name)
		}
	}
	return in, p.err
}

func (p *people) DeMail(_ context.Context, from mail.Address) (string, error) {
	return p.deMails[from.String()], p.err
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func patterns(t testing.TB, texts ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func deMailAddress(t testing.TB, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var (
	everything = demail.Options{Dispatch: true, Receipt: true, Retrieve: true, Authoritative: true, Private: true}
	receipts   = demail.Options{Dispatch: true, Receipt: true}
)

func mainAccount() Account {
	return Account{Name: "main", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh, Entitled: everything}
}

func newDesk(t testing.TB, o Options) *Desk {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// to is a request that a desk grants, changed.
func to(t testing.TB, from string, change func(*Request)) Request {
	t.Helper()
	r := Request{Authorised: true, Recipients: []mail.Address{address(t, "amt@stadt.de-mail.de")}, Size: 1000, Net: 1000}
	if from != "" {
		r.From = address(t, from)
	}
	if change != nil {
		change(&r)
	}
	return r
}

// The first rule whose conditions are met counts, and no other.
func TestFirstSenderCounts(t *testing.T) {
	p := &people{
		groups:  map[string][]string{"chef@firma.example": {"board"}, "both@firma.example": {"board", "sales"}, "sales@firma.example": {"sales"}},
		deMails: map[string]string{"dir@firma.example": " Dir@Firma.de-mail.de ", "odd@firma.example": "odd", "bot@firma.example": "meldung@firma.de-mail.de", "away@firma.example": "x@other.de-mail.de"},
	}
	d := newDesk(t, Options{
		Accounts: []Account{mainAccount(), {Name: "second", Level: demail.LevelNormal, Entitled: receipts}},
		Groups:   p,
		Senders: []Sender{
			{Name: "table", From: patterns(t, "a@firma.example", "b@firma.example"), Account: "main", Table: map[string]demail.Address{"A@Firma.example": deMailAddress(t, "anna@firma.de-mail.de")}},
			{Name: "board", From: patterns(t, "@firma.example"), Groups: []string{"board"}, Account: "main", Address: "vorstand@firma.de-mail.de"},
			{Name: "sales", From: patterns(t, "@firma.example"), Groups: []string{"sales"}, Account: "second", Address: "vertrieb@anderswo.de-mail.de"},
			{Name: "directory", From: patterns(t, "dir@firma.example", "odd@firma.example", "bot@firma.example", "away@firma.example", "none@firma.example"), Account: "main", Lookup: p},
			{Name: "local", From: patterns(t, "@firma.example"), Account: "main", Address: "{local}@firma.de-mail.de"},
			{Name: "both", From: patterns(t, "@tochter.example"), Account: "main", Address: "{local}.tochter@firma.de-mail.de", Lookup: p, Table: map[string]demail.Address{"t@tochter.example": deMailAddress(t, "tanja@firma.de-mail.de")}},
		},
	})
	for _, c := range []struct{ from, want string }{
		{"a@firma.example", "main anna@firma.de-mail.de table"},
		{"A@FIRMA.example", "main anna@firma.de-mail.de table"},
		{"b@firma.example", "b@firma.example may not send De-Mail, since no De-Mail address is assigned to it. Ask for one. Help: your administrator."},
		{"chef@firma.example", "main vorstand@firma.de-mail.de board"},
		{"both@firma.example", "main vorstand@firma.de-mail.de board"},
		{"sales@firma.example", "second vertrieb@anderswo.de-mail.de sales"},
		{"dir@firma.example", "main dir@firma.de-mail.de directory"},
		{"odd@firma.example", `since "odd" is no De-Mail address`},
		{"bot@firma.example", "is an address of providers"},
		{"away@firma.example", "x@other.de-mail.de is not in a domain of the account main"},
		{"none@firma.example", "no De-Mail address is assigned to it"},
		{"Erika.Muster@firma.example", "main erika.muster@firma.de-mail.de local"},
		{"m\u00fcller@firma.example", `since "m?ller@firma.de-mail.de" is no De-Mail address`},
		{`"a b"@firma.example`, `since "a b@firma.de-mail.de" is no De-Mail address`},
		{`"x@evil.de-mail.de"@firma.example`, "is no De-Mail address"},
		{"Versandbestaetigung@firma.example", "is an address of providers"},
		{"t@tochter.example", "main tanja@firma.de-mail.de both"},
		{"u@tochter.example", "main u.tochter@firma.de-mail.de both"},
		{"x@fremd.example", "x@fremd.example may not send De-Mail. Ask for a De-Mail address. Help: your administrator."},
	} {
		got, err := d.Decide(t.Context(), to(t, c.from, nil))
		text := fmt.Sprint(got.Account, " ", got.Sender, " ", got.Rule)
		if err != nil {
			text = err.Error()
		}
		if err == nil && (text != c.want || got.Author != address(t, c.from)) || err != nil && (!strings.HasPrefix(text, "The message to amt@stadt.de-mail.de was not sent: ") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: %s", c.from, text)
		}
		var refused *Refused
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%s: %T", c.from, err)
		}
	}
	p.asked = 0
	if _, err := d.Decide(t.Context(), to(t, "a@firma.example", nil)); err != nil || p.asked != 0 {
		t.Errorf("asked for groups %d times where none matter, %v", p.asked, err)
	}
	if _, err := d.Decide(t.Context(), to(t, "sales@firma.example", nil)); err != nil || p.asked != 1 {
		t.Errorf("asked for groups %d times, %v", p.asked, err)
	}
	p.err = errors.New("the directory is away")
	for _, from := range []string{"chef@firma.example", "sales@firma.example", "u@tochter.example"} {
		if _, err := d.Decide(t.Context(), to(t, from, nil)); !errors.Is(err, ErrUnavailable) || !errors.Is(err, p.err) {
			t.Errorf("%s without the directory: %v", from, err)
		}
	}
}

func TestOptionsOfSenders(t *testing.T) {
	normal := Account{Name: "normal", Level: demail.LevelNormal, Entitled: everything}
	poor := mainAccount()
	poor.Name, poor.Entitled = "poor", demail.Options{Dispatch: true, Retrieve: true}
	d := newDesk(t, Options{Accounts: []Account{mainAccount(), normal, poor}, Senders: []Sender{
		{Name: "all", From: patterns(t, "all@firma.example"), Account: "main", Address: "x@firma.de-mail.de", May: everything},
		{Name: "some", From: patterns(t, "some@firma.example"), Account: "main", Address: "x@firma.de-mail.de", May: demail.Options{Receipt: true, Retrieve: true}, Always: demail.Options{Dispatch: true}},
		{Name: "none", From: patterns(t, "none@firma.example"), Account: "main", Address: "x@firma.de-mail.de"},
		{Name: "normal", From: patterns(t, "normal@firma.example"), Account: "normal", Address: "x@firma.de-mail.de", May: everything},
		{Name: "pseudonym", From: patterns(t, "pn@firma.example"), Account: "main", Address: "pn_x@firma.de-mail.de", May: everything},
		{Name: "poor", From: patterns(t, "poor@firma.example"), Account: "poor", Address: "x@firma.de-mail.de", May: demail.Options{Retrieve: true}},
	}})
	for _, c := range []struct {
		from, asked, want string
	}{
		{"all", "", ""},
		{"all", "dispatch receipt authoritative", "dispatch receipt authoritative"},
		{"all", "retrieve", "retrieve private"},
		{"some", "", "dispatch"},
		{"some", "dispatch", "dispatch"},
		{"some", "receipt", "dispatch receipt"},
		{"some", "retrieve", "dispatch retrieve private"},
		{"some", "private", "dispatch private"}, // comes with retrieve, and is less
		{"some", "authoritative", "!some@firma.example may not ask for authoritative. Leave that out"},
		{"none", "", ""},
		{"none", "dispatch receipt", "!none@firma.example may not ask for dispatch, receipt. Leave that out"},
		{"normal", "dispatch receipt", "dispatch receipt"},
		{"normal", "private", `!are for senders that have logged in at level "high"`},
		{"normal", "retrieve", `!are for senders that have logged in at level "high"`},
		{"pn", "private", "private"},
		{"pn", "authoritative", "!nothing is sent as authoritative from a pseudonym"},
		{"poor", "retrieve", "retrieve private"},
		{"poor", "dispatch", "!may not ask for dispatch"},
	} {
		r := to(t, c.from+"@firma.example", nil)
		for _, word := range strings.Fields(c.asked) {
			o, _ := demail.ParseOption(word)
			r.Asked = r.Asked.Or(o)
		}
		got, err := d.Decide(t.Context(), r)
		text := strings.Join(got.Options.Names(), " ")
		if err != nil {
			text = err.Error()
		}
		if why, refused := strings.CutPrefix(c.want, "!"); refused != (err != nil) || refused && !strings.Contains(text, why) || !refused && text != c.want {
			t.Errorf("%s asks for %q: %s", c.from, c.asked, text)
		}
	}
}

func TestWhatIsNoDeMail(t *testing.T) {
	d := newDesk(t, Options{
		Accounts: []Account{mainAccount(), {Name: "small", Level: demail.LevelNormal, MaxNet: 1 << 20}},
		Senders: []Sender{
			{From: patterns(t, "small@firma.example"), Account: "small", Address: "x@firma.de-mail.de"},
			{From: patterns(t, "*"), Account: "main", Address: "x@firma.de-mail.de"},
		},
	})
	many := func(n int) func(*Request) {
		return func(r *Request) { r.Recipients = slices.Repeat(r.Recipients, n) }
	}
	for _, c := range []struct {
		name, from string
		change     func(*Request)
		want       string
	}{
		{"one", "a@firma.example", nil, ""},
		{"a report", "a@firma.example", func(r *Request) { r.Report = true }, "what else no person sent (Auto-Submitted)"},
		{"automatic", "a@firma.example", func(r *Request) { r.Automatic = true }, "(Auto-Submitted)"},
		{"no From", "", nil, "exactly one sender (From)"},
		{"another's name", "a@firma.example", func(r *Request) { r.Authorised = false }, "may not send as a@firma.example"},
		{"an odd word", "a@firma.example", func(r *Request) { r.Unknown = "Ein\"schreiben\u00df\r\n" }, `"Ein"schreiben???" is no option`},
		{"an odd recipient", "a@firma.example", func(r *Request) {
			r.Recipients = append(r.Recipients, mail.Address{Local: "m\u00fcller", Domain: "stadt.de-mail.de"})
		}, "m?ller@stadt.de-mail.de cannot be a De-Mail address"},
		{"a quoted recipient", "a@firma.example", func(r *Request) { r.Recipients = []mail.Address{{Local: "a b", Domain: "stadt.de-mail.de"}} }, `"a b"@stadt.de-mail.de cannot be`},
		{"as large as may be", "a@firma.example", func(r *Request) { r.Net, r.Size = demail.MaxNet, demail.MaxGross }, ""},
		{"too large", "a@firma.example", func(r *Request) { r.Net = demail.MaxNet + 1 }, "it is 20.0 MB large, and a De-Mail may be 20.0 MB."},
		{"too large with encodings", "a@firma.example", func(r *Request) { r.Size = demail.MaxGross + 1 }, "45.0 MB large with its encodings"},
		{"too large for this account", "small@firma.example", func(r *Request) { r.Net = 3 << 19 }, "it is 1.5 MB large, and a De-Mail may be 1.0 MB."},
		{"many", "a@firma.example", many(demail.MaxRecipients), ""},
		{"too many", "a@firma.example", many(demail.MaxRecipients + 1), "it is for 1001 De-Mail addresses, and at most 1000"},
		{"many at level normal", "small@firma.example", many(300), ""},
		{"too many at level normal", "small@firma.example", many(301), "at most 300"},
		{"a long address", strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".example", func(r *Request) {
			r.Authorised, r.Recipients = false, []mail.Address{{Local: strings.Repeat("c", 60), Domain: strings.Repeat("d", 60) + ".de-mail.de"}}
		}, "may not send as aaaa"},
	} {
		_, err := d.Decide(t.Context(), to(t, c.from, c.change))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && (len(err.Error()) > texts.MaxSMTP || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' })) {
			t.Errorf("%s: %q", c.name, err)
		}
	}
	for _, none := range []*Desk{nil, newDesk(t, Options{}), newDesk(t, Options{Domains: []string{"stadt.example"}})} {
		if _, err := none.Decide(t.Context(), to(t, "a@firma.example", many(3))); err == nil || err.Error() != "The message to amt@stadt.de-mail.de and 2 more was not sent: it is for a De-Mail address, "+
			"which this gateway has no way to, and such mail never leaves as ordinary mail. Use another address, or ask for a De-Mail account. Help: your administrator." {
			t.Errorf("without an account: %v", err)
		}
		if err := none.Spend(t.Context(), Decision{}, Request{}); err != nil {
			t.Error(err)
		}
		if err := none.CheckSize("main", Request{}); err == nil {
			t.Error("no account has no limit")
		}
	}
}

// Days are those of the clock's zone; a message takes what becomes of it, or nothing.
func TestBudgetOfADay(t *testing.T) {
	l := &ledger{days: map[string]int{}}
	berlin := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 26, 23, 59, 0, 0, berlin)
	d := newDesk(t, Options{
		Accounts: []Account{mainAccount()}, Budget: l, Now: func() time.Time { return now },
		Senders: []Sender{
			{Name: "few", From: patterns(t, "@firma.example"), Account: "main", Address: "x@firma.de-mail.de", Daily: 5},
			{Name: "many", From: patterns(t, "*"), Account: "main", Address: "x@firma.de-mail.de"},
		},
	})
	spend := func(from string, recipients, hidden int) error {
		r := to(t, from, func(r *Request) { r.Recipients, r.Hidden = slices.Repeat(r.Recipients, recipients), hidden })
		decision, err := d.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		before := maps.Clone(l.days)
		looked := d.Affords(t.Context(), decision, r)
		if !maps.Equal(l.days, before) {
			t.Error("to look is counted")
		}
		spent := d.Spend(t.Context(), decision, r)
		if fmt.Sprint(looked) != fmt.Sprint(spent) {
			t.Errorf("it was said: %v; and then: %v", looked, spent)
		}
		return spent
	}
	for i, c := range []struct {
		from               string
		recipients, hidden int
		want               string
	}{
		{"a@firma.example", 3, 0, ""},                                         // one
		{"A@Firma.example", 3, 2, ""},                                         // one, and two copies
		{"a@firma.example", 2, 2, "and has 1 left today, while this takes 2"}, // copies alone
		{"a@firma.example", 1, 1, ""},
		{"a@firma.example", 1, 0, "a@firma.example may send 5 De-Mails a day, and has 0 left today, while this takes 1. Send it tomorrow"},
		{"b@firma.example", 1, 0, ""},
		{"x@anderswo.example", 9, 9, ""},
	} {
		if err := spend(c.from, c.recipients, c.hidden); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v", i, err)
		}
	}
	now = now.Add(time.Minute)
	if err := spend("a@firma.example", 1, 0); err != nil {
		t.Errorf("on the next day: %v", err)
	}
	want := map[string]int{
		"a@firma.example 2026-11-26T00:00:00+01:00": 5, "b@firma.example 2026-11-26T00:00:00+01:00": 1,
		"x@anderswo.example 2026-11-26T00:00:00+01:00": 9, "a@firma.example 2026-11-27T00:00:00+01:00": 1,
	}
	for key, n := range want {
		if l.days[key] != n {
			t.Errorf("%s: %d", key, l.days[key])
		}
	}
	if len(l.days) != len(want) {
		t.Errorf("%v", l.days)
	}
	l.err = errors.New("the record is damaged")
	for _, from := range []string{"a@firma.example", "x@anderswo.example"} { // who has no limit is counted, or does not send
		if err := spend(from, 1, 0); !errors.Is(err, ErrUnavailable) || !errors.Is(err, l.err) {
			t.Errorf("%s with a damaged record: %v", from, err)
		}
	}
}
