package dispatch

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// Every fault is told at once, by the name of what has it.
func TestNewRefuses(t *testing.T) {
	good := Sender{Name: "s", Account: "main", Address: "x@firma.de-mail.de"}
	with := func(change func(*Sender)) Options {
		s := good
		change(&s)
		return Options{Accounts: []Account{mainAccount()}, Senders: []Sender{s}}
	}
	account := func(change func(*Account)) Options {
		a := mainAccount()
		change(&a)
		return Options{Accounts: []Account{a}}
	}
	for want, o := range map[string]Options{
		`account "": it needs a name`:                        account(func(a *Account) { a.Name = "" }),
		`account "main": this name is taken`:                 {Accounts: []Account{mainAccount(), mainAccount()}},
		`account "main": the largest message has a negative`: account(func(a *Account) { a.MaxNet = -1 }),
		`account "main": "higher" is no level; write normal`: account(func(a *Account) { a.Level = "higher" }),
		`account "main": demail: not a De-Mail address`:      account(func(a *Account) { a.Domains = []string{"de"} }),
		`domains: demail: not a De-Mail address`:             {Domains: []string{"a..b"}},
		`sender "s": this name is taken`:                     {Accounts: []Account{mainAccount()}, Senders: []Sender{good, good}},
		`sender "sender 1": there is no account "other"`:     with(func(s *Sender) { s.Name, s.Account = "", "other" }),
		`sender "s": it needs a De-Mail address, a table`:    with(func(s *Sender) { s.Address = "" }),
		`sender "s": it is for a group, and no directory`:    with(func(s *Sender) { s.Groups = []string{"x"} }),
		`sender "s": -1 messages a day`:                      with(func(s *Sender) { s.Daily = -1 }),
		`sender "s": nobody counts`:                          with(func(s *Sender) { s.Daily = 1 }),
		`sender "s": {local} may stand once`:                 with(func(s *Sender) { s.Address = "x@{local}.de-mail.de" }),
		`{local} may stand once in an address, before`:       with(func(s *Sender) { s.Address = "{local}{local}@firma.de-mail.de" }),
		`sender "s": demail: not a De-Mail address`:          with(func(s *Sender) { s.Address = "{lokal}" }),
		`x@firma.example is not in a domain of De-Mail`:      with(func(s *Sender) { s.Address = "x@firma.example" }),
		`meldung@firma.de-mail.de is an address from which`:  with(func(s *Sender) { s.Address = "Meldung@firma.de-mail.de" }),
		`the table has an entry without a De-Mail address`:   with(func(s *Sender) { s.Table = map[string]demail.Address{"a@firma.example": {}} }),
		`the table has "a" in place of an address`:           with(func(s *Sender) { s.Table = map[string]demail.Address{"a": deMailAddress(t, "x@firma.de-mail.de")} }),
		`y@firma.example is not in a domain of De-Mail`: with(func(s *Sender) {
			s.Table = map[string]demail.Address{"a@firma.example": deMailAddress(t, "y@firma.example")}
		}),
		`what is always asked for cannot be sent from pn_x@f`: with(func(s *Sender) { s.Address, s.Always = "pn_x@firma.de-mail.de", demail.Options{Authoritative: true} }),
		`the table has a@firma.example twice`: with(func(s *Sender) {
			s.Table = map[string]demail.Address{"a@firma.example": deMailAddress(t, "x@firma.de-mail.de"), "A@firma.example": deMailAddress(t, "y@firma.de-mail.de")}
		}),
		`the account main is not entitled to authoritative; take`: func() Options {
			o := account(func(a *Account) { a.Entitled = demail.Options{Retrieve: true} })
			o.Senders = []Sender{{Name: "s", Account: "main", Address: "x@firma.de-mail.de", May: demail.Options{Authoritative: true, Private: true}}}
			return o
		}(),
		`are for senders that have logged in at level "high"`: func() Options {
			o := account(func(a *Account) { a.Level = demail.LevelNormal })
			o.Senders = []Sender{{Name: "s", Account: "main", Address: "x@firma.de-mail.de", Always: demail.Options{Private: true}}}
			return o
		}(),
	} {
		if d, err := New(o); err == nil || d != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, err := New(Options{Accounts: []Account{{}}, Senders: []Sender{{Name: "a"}, {Name: "b"}}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("all at once: %v", err)
	}
}

func TestIsDeMail(t *testing.T) {
	d := newDesk(t, Options{Accounts: []Account{mainAccount()}, Domains: []string{"Stadt.example"}})
	d.Report("main", []string{"neu.example", "rubbish", ""})
	d.Report("other", []string{"fremd.example"})
	for domain, want := range map[string]bool{
		"de-mail.de": true, "x.de-mail.de": true, "DE-MAIL.DE": true, "a.b.De-Mail.de.": true, "\uff44\uff45-mail.de": true, "x.de\u2010mail.de": false,
		"stadt.example": true, "amt.stadt.example": true, "neu.example": true, "x.neu.example": true, "fremd.example": false,
		"xde-mail.de": false, "de-mail.de.example": false, "stadt.example.org": false, "": false, "de": false, "[127.0.0.1]": false,
	} {
		if got := d.IsDeMail(domain); got != want {
			t.Errorf("%q: %v", domain, got)
		}
		if got := (*Desk)(nil).IsDeMail(domain); got != (want && strings.Contains(strings.ToLower(domain), "-mail")) {
			t.Errorf("%q without a desk: %v", domain, got)
		}
	}
	d.Report("main", []string{"anders.example"})
	if d.IsDeMail("neu.example") || !d.IsDeMail("anders.example") || !d.IsDeMail("firma.de-mail.de") {
		t.Error("the newest report counts")
	}
}

// What was reported outlives the reading of a new configuration, for accounts that are still there.
func TestInherit(t *testing.T) {
	old := newDesk(t, Options{Accounts: []Account{mainAccount(), {Name: "gone"}}})
	old.Report("main", []string{"neu.example"})
	old.Report("gone", []string{"weg.example"})
	d := newDesk(t, Options{Accounts: []Account{mainAccount()}})
	d.Inherit(old)
	d.Inherit(nil)
	(*Desk)(nil).Inherit(old)
	if !d.IsDeMail("neu.example") || d.IsDeMail("weg.example") {
		t.Error("what was reported is lost, or too much is kept")
	}
}

// An account whose domains are known sends from those; of another one the provider judges.
func TestDomainsOfAccounts(t *testing.T) {
	d := newDesk(t, Options{
		Accounts: []Account{mainAccount(), {Name: "open"}}, Domains: []string{"stadt.example"},
		Senders: []Sender{
			{From: patterns(t, "a@firma.example"), Account: "main", Address: "x@stadt.example"},
			{From: patterns(t, "b@firma.example"), Account: "main", Address: "x@sub.firma.de-mail.de"},
			{From: patterns(t, "c@firma.example"), Account: "open", Address: "x@stadt.example"},
			{From: patterns(t, "d@firma.example"), Account: "main", Address: "x@xfirma.de-mail.de"},
		},
	})
	may := func() (may string) {
		for _, from := range []string{"a", "b", "c", "d"} {
			if _, err := d.Decide(t.Context(), to(t, from+"@firma.example", nil)); err == nil {
				may += from
			}
		}
		return may
	}
	if got := may(); got != "bc" {
		t.Errorf("at first %s may", got)
	}
	d.Report("main", []string{"stadt.example"})
	d.Report("open", []string{"anders.de-mail.de"})
	if got := may(); got != "ab" {
		t.Errorf("after the report %s may", got)
	}
}

// Reports come in while decisions are made.
func TestReportAtOnce(t *testing.T) {
	d := newDesk(t, Options{Accounts: []Account{mainAccount()}, Senders: []Sender{{From: patterns(t, "*"), Account: "main", Address: "x@firma.de-mail.de"}}})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 200 {
				if i%2 == 0 {
					d.Report("main", []string{fmt.Sprintf("d%d.example", j)})
				} else if _, err := d.Decide(t.Context(), to(t, "a@firma.example", nil)); err != nil || !d.IsDeMail("x.de-mail.de") {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
