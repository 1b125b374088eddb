package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Why a recipient is not delivered by the route that an operator chose.
var (
	errDeMail   = errors.New("a De-Mail address is never served by SMTP to the internet (TR-01201, 6.1)")
	errOutward  = errors.New("mail from outside, which is decrypted on its way, and mail for the company's own addresses go by routes to the company's mail servers only")
	errInward   = errors.New("mail for others does not go by a route to the company's mail servers")
	errWeaker   = errors.New("the route that the configuration names for this recipient protects the connection better")
	errUnready  = errors.New("the message waits for its protection; reroute what becomes of it then")
	errRound    = errors.New("a route of round trips is for the mail that the routing sends there alone")
	errDoubt    = errors.New("the De-Mail provider may have it, and its sender would be told that it was not delivered; say first whether it has: siegel demail resolve")
	errTaken    = errors.New("the De-Mail provider has it, and its sender would be told that it was not delivered; siegel queue release settles it")
	errNoChoice = errors.New("there is no such route")
	errArchived = errors.New("the copy for an archive goes there alone; configure another address or folder for the archive, then siegel reload")
	errAccount  = errors.New("De-Mail goes by the account it was accepted for, and other mail by none; what must not go is held, returned or dropped")
)

// ways are the routes of a configuration, as what an operator may choose from. They are not changed once made.
type ways struct {
	local    mail.Patterns
	isDeMail func(domain string) bool
	list     []Route
	kept     []Route // of backups, which come first and cannot be chosen
}

func newWays(s Settings) *ways {
	w := &ways{local: s.Local, isDeMail: s.isDeMail, list: s.Routes}
	for _, b := range s.Backup {
		w.kept = append(w.kept, b.route())
	}
	return w
}

// permit returns nil where a recipient of a message may be delivered by the route called name against the
// routing, else why not. The queue holds outgoing mail as the internet may see it; what is decided here is
// what else must not leave: mail from outside, which delivery decrypts (invariant 2), De-Mail (invariant 3).
func (w *ways) permit(name string, env mail.Envelope, to mail.Address) error {
	if env.DeMail != nil || strings.HasPrefix(name, queue.DeMailPrefix) {
		return errAccount
	}
	i := slices.IndexFunc(w.list, func(r Route) bool { return r.Name == name })
	if i < 0 {
		return fmt.Errorf("%w: %q; the routes are %s", errNoChoice, name, w.names())
	}
	chosen, home := w.list[i], w.local.Match(to)
	switch {
	case w.isDeMail(to.Domain):
		return errDeMail
	case chosen.RoundTrip:
		return errRound
	case (home || !env.Internal) && !w.leadsHome(chosen):
		return errOutward
	case !home && env.Internal && !w.leadsOut(chosen):
		return errInward
	}
	all := slices.Concat(w.kept, w.list)
	own := slices.IndexFunc(all, func(r Route) bool { return r.Domains.Match(to) })
	if own < 0 {
		return nil
	}
	has, had := chosen.level(to), all[own].level(to)
	if has.Strength() < had.Strength() {
		return fmt.Errorf("%w: %s has tls %s, %s has %s", errWeaker, all[own].Name, had, name, has)
	}
	return nil
}

func (w *ways) names() string {
	var names []string
	for _, r := range w.list {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// leadsHome reports whether mail for one of the company's domains goes by r, or would if it stood first.
func (w *ways) leadsHome(r Route) bool {
	for _, p := range w.local {
		sample := mail.Address{Local: "postmaster", Domain: p.Domain()}
		first := slices.IndexFunc(w.list, func(r Route) bool { return r.Domains.Match(sample) })
		if p.Domain() != "" && first >= 0 && w.list[first].Name == r.Name {
			return true
		}
	}
	return slices.ContainsFunc(r.Domains, w.isHome)
}

// leadsOut reports whether r takes mail for others than the company.
func (w *ways) leadsOut(r Route) bool {
	return slices.ContainsFunc(r.Domains, func(p mail.Pattern) bool { return !w.isHome(p) })
}

// isHome reports whether p stands for addresses of the company alone.
func (w *ways) isHome(p mail.Pattern) bool {
	if slices.Contains(w.local, p) && p != (mail.Pattern{}) {
		return true
	}
	return p.Domain() != "" && w.local.Match(mail.Address{Local: "postmaster", Domain: p.Domain()})
}

// level is how well a route protects the connection to an address.
func (r Route) level(to mail.Address) smtpout.Level { return r.SMTP.LevelFor(to.Domain) }

// chosen gives the route that an operator chose for a recipient, at the moment of an attempt.
func (g *Gateway) chosen(name string, env mail.Envelope, to mail.Address) (delivery.Route, error) {
	if err := g.ways.Load().permit(name, env, to); err != nil {
		return delivery.Route{}, fmt.Errorf("rerouted to %s by an operator: %w; reroute it again", name, err)
	}
	return g.routes.named(name)
}

// MayReroute implements admin.Ways.
func (g *Gateway) MayReroute(m queue.Message, i int, destination string) error {
	if m.IsPending() {
		return errUnready
	}
	if m.IsArchive() {
		return errArchived
	}
	return g.ways.Load().permit(destination, m.Envelope, m.Recipients[i].Address)
}

// MayReturn implements admin.Ways.
func (g *Gateway) MayReturn(m queue.Message, i int) error {
	if m.Envelope.DeMail != nil {
		if err := g.isNotSent(m.Envelope.ID, m.Recipients[i].Address); err != nil {
			return err
		}
	}
	return g.scheduler.MayReturn(m, i)
}

// isNotSent returns nil where the record of De-Mail says that the provider does not have a message of the queue for a recipient, else why its
// sender is not told so.
func (g *Gateway) isNotSent(id mail.ID, to mail.Address) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	doubt, err := g.isInDoubt(ctx, id)
	if err != nil {
		return fmt.Errorf("%w (%w)", errDoubt, err)
	}
	if doubt {
		return errDoubt
	}
	taken, err := g.isTaken(ctx, id, to)
	if err != nil {
		return fmt.Errorf("%w (%w)", errDoubt, err)
	}
	if taken {
		return errTaken
	}
	return nil
}

// Returned implements admin.Ways. It asks MayReturn once more: an attempt may have come between.
func (g *Gateway) Returned(ctx context.Context, m queue.Message, recipients []int) (queue.New, error) {
	for _, i := range recipients {
		if err := g.MayReturn(m, i); err != nil {
			return queue.New{}, err
		}
	}
	return g.scheduler.Returned(ctx, m, recipients)
}
