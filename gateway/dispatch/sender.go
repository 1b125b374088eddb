package dispatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// localPart stands in Sender.Address for the part of From before the @.
const localPart = "{local}"

// addSender checks a rule and takes it over.
func (d *Desk) addSender(s Sender) error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("dispatch: sender %q: %s", s.Name, fmt.Sprintf(format, args...))
	}
	a, ok := d.accounts[s.Account]
	switch {
	case !ok:
		return fault("there is no account %q", s.Account)
	case s.Table == nil && s.Lookup == nil && s.Address == "":
		return fault("it needs a De-Mail address, a table of them or a directory that has them")
	case s.Groups != nil && d.groups == nil:
		return fault("it is for a group, and no directory knows who is in it")
	case s.Daily < 0:
		return fault("%d messages a day are none", s.Daily)
	case s.Daily > 0 && d.budget == nil:
		return fault("nobody counts what is sent in a day")
	}
	s.May, s.Always = whole(s.May), whole(s.Always)
	if more := s.May.Or(s.Always).Without(a.Entitled); more != (demail.Options{}) {
		return fault("the account %s is not entitled to %s; take that from the rule, or add it to the account's options if the provider grants it", a.Name, words(more))
	}
	if err := d.checkAddresses(s, a); err != nil {
		return fault("%s", err)
	}
	s.From, s.Groups = slices.Clone(s.From), slices.Clone(s.Groups)
	table := make(map[string]demail.Address, len(s.Table))
	for from, to := range s.Table {
		key, err := mail.ParseAddress(from)
		if err != nil {
			return fault("the table has %q in place of an address: %v", from, err)
		}
		if _, twice := table[key.Key()]; twice {
			return fault("the table has %s twice", key.Key())
		}
		table[key.Key()] = to
	}
	s.Table = table
	d.senders = append(d.senders, s)
	return nil
}

// checkAddresses finds addresses from which nothing could ever be sent.
func (d *Desk) checkAddresses(s Sender, a Account) error {
	fixed := slices.Collect(maps.Values(s.Table))
	if local, domain, _ := strings.Cut(s.Address, "@"); strings.Contains(domain, localPart) || strings.Count(local, localPart) > 1 {
		return fmt.Errorf("%s may stand once in an address, before the @", localPart)
	}
	if s.Address != "" {
		sample, err := demail.ParseAddress(strings.Replace(s.Address, localPart, "local", 1))
		if err != nil {
			return err
		}
		fixed = append(fixed, sample)
	}
	for _, address := range fixed {
		switch {
		case address.IsZero():
			return errors.New("the table has an entry without a De-Mail address")
		case !d.IsDeMail(address.Domain()):
			return fmt.Errorf("%s is not in a domain of De-Mail; if it is one, add it to the domains of De-Mail or of the account", address)
		case address.Form() == demail.FormSystem:
			return fmt.Errorf("%s is an address from which providers write themselves", address)
		}
		if err := s.Always.Check(address, a.Level); err != nil {
			return fmt.Errorf("what is always asked for cannot be sent from %s at the level of the account: %w", address, err)
		}
	}
	return nil
}

// rule finds the rule that policy names, else the first one whose conditions a sender meets; nil where none is. Directories are asked for groups at most once.
func (d *Desk) rule(ctx context.Context, r Request) (*Sender, error) {
	if r.Sender != "" {
		if i := slices.IndexFunc(d.senders, func(s Sender) bool { return s.Name == r.Sender }); i >= 0 {
			return &d.senders[i], nil
		}
		return nil, nil
	}
	return d.ruleFor(ctx, r.From)
}

func (d *Desk) ruleFor(ctx context.Context, from mail.Address) (*Sender, error) {
	var names []string
	var matching []*Sender
	for i := range d.senders {
		s := &d.senders[i]
		if !s.From.Match(from) {
			continue
		}
		matching = append(matching, s)
		if s.Groups == nil {
			break // what stands below does not count
		}
		names = append(names, s.Groups...)
	}
	var in []string
	if len(names) > 0 {
		var err error
		if in, err = d.groups.In(ctx, from, names); err != nil {
			return nil, unavailable("in which groups the sender is", err)
		}
	}
	for _, s := range matching {
		if s.Groups == nil || slices.ContainsFunc(s.Groups, func(name string) bool { return slices.Contains(in, name) }) {
			return s, nil
		}
	}
	return nil, nil
}

func unavailable(what string, err error) error {
	return fmt.Errorf("%w: %s is not known: %w", ErrUnavailable, what, err)
}

// errNoAddress is why a sender has no De-Mail address.
var errNoAddress = errors.New("no De-Mail address is assigned to it")

// address is the De-Mail address that a rule gives a sender. An error that is not ErrUnavailable is for good, and for the sender.
func (s *Sender) address(ctx context.Context, from mail.Address) (demail.Address, error) {
	if to, ok := s.Table[from.Key()]; ok {
		return to, nil
	}
	if s.Lookup != nil {
		text, err := s.Lookup.DeMail(ctx, from)
		if err != nil {
			return demail.Address{}, unavailable("the De-Mail address of the sender", err)
		}
		if text = strings.TrimSpace(text); text != "" {
			return usable(text, "the directory's entry")
		}
	}
	if s.Address == "" {
		return demail.Address{}, errNoAddress
	}
	return usable(strings.Replace(s.Address, localPart, from.Local, 1), "its name")
}

// unusable is the error for an address that nobody may send from.
type unusable struct {
	text, origin string   // as it is written, and what it came from
	reason       texts.ID // what is wrong with it
}

// Error says where the address is from.
func (u *unusable) Error() string { return "dispatch: " + u.origin + ": " + string(u.reason) }

// usable reads an address that somebody may send from. The error is an *unusable.
func usable(text, origin string) (demail.Address, error) {
	a, err := demail.ParseAddress(text)
	if err != nil {
		return a, &unusable{text, origin, texts.DeMailUnusable}
	}
	if a.Form() == demail.FormSystem {
		return a, &unusable{text, origin, texts.DeMailProviders}
	}
	return a, nil
}

// unaddressed says why somebody has no De-Mail address.
func unaddressed(err error) texts.Values {
	var u *unusable
	if errors.As(err, &u) {
		return texts.Values{Reason: u.reason, Detail: u.text}
	}
	return because(texts.DeMailUnassigned)
}

// whole are options with what they bring along: a confirmation of retrieve goes with private only (3.1, 3.3).
func whole(o demail.Options) demail.Options {
	o.Private = o.Private || o.Retrieve
	return o
}

// words are options as they stand in a sentence.
func words(o demail.Options) string { return strings.Join(o.Names(), ", ") }
