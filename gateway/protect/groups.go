package protect

import (
	"context"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Groups knows who is in which group. It is safe for concurrent use.
type Groups interface {
	// In returns those of the named groups that an address is in. An error that wraps certs.ErrUnavailable says that this is not known at present.
	In(ctx context.Context, from mail.Address, names []string) ([]string, error)
}

func groupStep(from mail.Address) step {
	return step{"groups:" + from.Domain, "the directory that knows the groups of " + from.String()}
}

// lookUpGroups asks in which groups the sender is, where a decision hangs on it. Where that is not known the message waits: it is not judged
// as if its sender were in none.
func (p *Protector) lookUpGroups(ctx context.Context, d *draft) error {
	names := p.o.Policy.Asks(p.input(d))
	if len(names) == 0 {
		d.groupsAway = nil
		return nil
	}
	d.step = groupStep(d.author)
	in, err := p.o.Groups.In(ctx, d.author, names)
	if err != nil {
		if away := d.awayOf(ctx, err); away != nil {
			d.groupsAway = away
		}
		return err
	}
	d.groups, d.groupsAway = in, nil
	return nil
}

// groupNames are the groups of a sender, for a record.
func groupNames(names []string) string {
	const most = 500
	return safetext.Line(strings.Join(names, "; "), most)
}
