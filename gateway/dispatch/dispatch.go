// Package dispatch decides which mail leaves as De-Mail: for whom, from which De-Mail address, with which options. It is pure, as policy is:
// what it does not know it asks interfaces, and it sends nothing.
//
// A recipient's domain alone makes a De-Mail: mail that is meant as one must never leave as ordinary mail (TR-01201 6.1, 10.1.3). What
// may not be sent as De-Mail is refused, with sentences for its sender.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Account is an account at a provider, as far as decisions go.
type Account struct {
	Name string
	// Domains are those whose addresses the account may send from, with everything below them; what the provider reports counts besides.
	Domains []string
	// MaxNet is the largest message in bytes as its sender counts them, see [NetSize]; 0: demail.MaxNet.
	MaxNet int64
	// Entitled are the options that the account may use. A retrieve that it may use comes with private.
	Entitled demail.Options
	// Level is that at which the gateway logs in. Retrieve, authoritative and private need demail.LevelHigh (3.1, 3.3).
	Level demail.Level
}

// Sender is a rule: who sends from which De-Mail address. Of the rules whose conditions are met the first counts, and no other; who meets
// none sends no De-Mail.
type Sender struct {
	Name   string        // empty: "sender N", N counting from 1
	From   mail.Patterns // matched against the single From address
	Groups []string      // one of which that address is in; nil: any
	// Account names the account that sends.
	Account string
	// Table, Lookup and Address say the De-Mail address, in this order: the first that has one. Table is by address of the company,
	// in any case. "{local}" in Address stands for the part of From before the @.
	Table   map[string]demail.Address
	Lookup  Lookup
	Address string
	// May are the options that the sender may ask for. A retrieve that may be asked for comes with private.
	May demail.Options
	// Always are options of every message, whether asked for or not.
	Always demail.Options
	// Daily is how many De-Mails each sender may send a day; 0: as many as the provider takes.
	Daily int
}

// Lookup knows De-Mail addresses of people in the company, as a directory does. It is safe for concurrent use.
type Lookup interface {
	// DeMail returns the De-Mail address of an address; "" where it has none. Any error says that this is not known at present.
	DeMail(ctx context.Context, from mail.Address) (string, error)
}

// Groups knows who is in which group. It is safe for concurrent use.
type Groups interface {
	// In returns those of the named groups that an address is in. Any error says that this is not known at present.
	In(ctx context.Context, from mail.Address, names []string) ([]string, error)
}

// Budget counts what each sender has sent on each day, durably. It is safe for concurrent use.
type Budget interface {
	// Spend counts messages of a sender on a day, which is the midnight that it began with, unless there would then be more than limit of
	// them: then ok is false, and nothing is counted. A limit of 0 is none; they are counted all the same. left is how many are left after it,
	// or without it; it means nothing without a limit. An error says that De-Mail cannot be taken at present.
	Spend(ctx context.Context, sender string, day time.Time, messages, limit int) (left int, ok bool, err error)
	// Spent is how many messages of a sender were counted on a day. It counts nothing.
	Spent(ctx context.Context, sender string, day time.Time) (int, error)
}

// Options are what decisions rest on.
type Options struct {
	Accounts []Account
	Senders  []Sender // in order
	// Domains are De-Mail besides demail.CommonDomain and those of the accounts, with everything below them.
	Domains []string
	Groups  Groups // needed where a sender names any
	// Budget is asked for every message; needed where a sender has a Daily.
	Budget Budget
	Now    func() time.Time // a day is one of its zone; nil: time.Now
}

// Desk decides. It is safe for concurrent use, also as a nil *Desk: that knows the domains that all providers share, and refuses mail to
// them.
type Desk struct {
	accounts map[string]Account
	senders  []Sender
	groups   Groups
	budget   Budget
	now      func() time.Time
	fixed    []string // the domains of the options

	mu       sync.Mutex
	reported map[string][]string            // by account
	domains  atomic.Pointer[demail.Domains] // of both
}

// ErrUnavailable is why it cannot be decided at present. It wraps what lies behind it.
var ErrUnavailable = errors.New("dispatch: it cannot be decided at present whether this may be sent as De-Mail")

// New checks the options and returns the desk they make. The error names everything that is wrong.
func New(o Options) (*Desk, error) {
	d := &Desk{accounts: map[string]Account{}, groups: o.Groups, budget: o.Budget, now: o.Now, fixed: slices.Clone(o.Domains), reported: map[string][]string{}}
	if d.now == nil {
		d.now = time.Now
	}
	var faults []error
	for _, a := range o.Accounts {
		faults = append(faults, d.addAccount(a))
	}
	if _, err := demail.NewDomains(d.fixed...); err != nil {
		return nil, errors.Join(append(faults, fmt.Errorf("dispatch: domains: %w", err))...)
	}
	d.settle()
	names := map[string]bool{}
	for i, s := range o.Senders {
		if s.Name == "" {
			s.Name = fmt.Sprintf("sender %d", i+1)
		}
		if names[s.Name] {
			faults = append(faults, fmt.Errorf("dispatch: sender %q: this name is taken; give each rule a name of its own", s.Name))
		}
		names[s.Name] = true
		faults = append(faults, d.addSender(s))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Desk) addAccount(a Account) error {
	fault := func(text string) error { return fmt.Errorf("dispatch: account %q: %s", a.Name, text) }
	if a.MaxNet == 0 {
		a.MaxNet = demail.MaxNet
	}
	_, taken := d.accounts[a.Name]
	switch {
	case a.Name == "":
		return fault("it needs a name")
	case taken:
		return fault("this name is taken; give each account a name of its own")
	case a.MaxNet < 0:
		return fault("the largest message has a negative size")
	case a.Level != "" && a.Level != demail.LevelNormal && a.Level != demail.LevelHigh:
		return fault(fmt.Sprintf("%q is no level; write %s or %s", a.Level, demail.LevelNormal, demail.LevelHigh))
	}
	if _, err := demail.NewDomains(a.Domains...); err != nil {
		return fault(err.Error())
	}
	a.Domains, a.Entitled = slices.Clone(a.Domains), whole(a.Entitled)
	d.accounts[a.Name] = a
	d.fixed = append(d.fixed, a.Domains...)
	return nil
}
