package protect

import (
	"context"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Groups knows who is in which group. It is safe for concurrent use.
type Groups interface {
	// In returns those of the named groups that an address is in. An error that wraps certs.ErrUnavailable says that this is not known at present.
	In(ctx context.Context, from mail.Address, names []string) ([]string, error)
}

func groupStep(from mail.Address) step {
	return step{"groups:" + from.Domain, from.String(), texts.ReasonGroupsAway, texts.ReasonGroupsSlow}
}

// lookUpGroups asks in which groups the sender is, and recipients who are the company's own, where a decision hangs on it. Where that is not known the message waits: it is
// not judged as if they were in none.
func (p *Protector) lookUpGroups(ctx context.Context, d *draft) error {
	in := p.input(d)
	sender, recipients := p.o.Policy.Asks(in), p.o.Policy.AsksTo(in)
	if err := p.inGroups(ctx, d, d.author, sender, &d.groups); err != nil {
		return err
	}
	for i, names := range recipients {
		if err := p.inGroups(ctx, d, in.Recipients[i].Address, names, &d.known[i].groups); err != nil {
			return err
		}
	}
	d.groupsAway = nil
	p.lookUpDryGroups(ctx, d, in, sender, recipients)
	return nil
}

// inGroups asks in which of the named groups an address is.
func (p *Protector) inGroups(ctx context.Context, d *draft, a mail.Address, names []string, in *[]string) error {
	if len(names) == 0 {
		return nil
	}
	d.step = groupStep(a)
	found, err := p.o.Groups.In(ctx, a, names)
	if err != nil {
		if away := d.awayOf(ctx, err); away != nil {
			d.groupsAway = away
		}
		return err
	}
	*in = found
	return nil
}

// lookUpDryGroups asks for what only rules hang on that change nothing. Where it is not known they tell what they would do for who is in none: nothing waits
// for them.
func (p *Protector) lookUpDryGroups(ctx context.Context, d *draft, in policy.Input, asked []string, askedOf [][]string) {
	sender, recipients := p.o.Policy.AsksDry(in)
	add := func(a mail.Address, names, known []string, to *[]string) {
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(known, name) })
		if len(names) == 0 {
			return
		}
		if found, err := p.o.Groups.In(ctx, a, names); err == nil {
			*to = slices.Concat(*to, found)
		}
	}
	add(d.author, sender, asked, &d.groups)
	for i, names := range recipients {
		var known []string
		if askedOf != nil {
			known = askedOf[i]
		}
		add(in.Recipients[i].Address, names, known, &d.known[i].groups)
	}
}

// hangsOnGroups reports whether a decision does.
func (p *Protector) hangsOnGroups(in policy.Input) bool {
	return len(p.o.Policy.Asks(in)) > 0 || p.o.Policy.AsksTo(in) != nil
}

// groupNames are the groups of a sender, for a record.
func groupNames(names []string) string {
	const most = 500
	return safetext.Line(strings.Join(names, "; "), most)
}
