package protect

import (
	"context"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// deMailByPolicy says which sender of De-Mail the policy wants, and which options. It is decided before anything can be held: where a directory that decides is away, the error wraps
// dispatch.ErrUnavailable, and the message stays with its sender.
func (p *Protector) deMailByPolicy(ctx context.Context, d *draft, r *dispatch.Request) error {
	if !p.o.Policy.WantsDeMail() {
		return nil
	}
	in := policy.Input{Internal: true, From: d.author, MayUse: d.mayUse, Flags: d.flags, Kind: d.kind}
	d.facts.tell(&in)
	for _, to := range r.Recipients {
		in.Recipients = append(in.Recipients, policy.Recipient{Address: to, DeMail: true})
	}
	if names := p.o.Policy.Asks(in); len(names) > 0 {
		var err error
		if in.Groups, err = p.o.Groups.In(ctx, d.author, names); err != nil {
			return fmt.Errorf("%w: in which groups the sender is is not known: %w", dispatch.ErrUnavailable, err)
		}
	}
	for i, dec := range p.o.Policy.Decide(in) {
		if i > 0 && dec.Settings.DeMail != r.Sender {
			r.Contrary = true
		}
		r.Sender, r.Always = dec.Settings.DeMail, r.Always.Or(dec.Settings.DeMailOptions)
	}
	return nil
}
