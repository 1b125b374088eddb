package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Ask is how recipients are asked for a signed message where mail to them must be encrypted, no certificate of them is known,
// and the rules say so. The message waits meanwhile.
type Ask struct {
	From   mail.Address  // in whose name, and who gets the answers; zero: nobody is asked, and such mail is refused
	Within time.Duration // how long a message waits; 0: 5 days
	Period time.Duration // a recipient is asked once in it; 0: 7 days
	// PerDay and PerDomain are how many requests are sent in a day, all together and to one domain; 0: any number. Messages wait
	// beyond that, and their recipients are asked when it is their turn.
	PerDay, PerDomain int
	Except            mail.Patterns // who is never asked
}

const (
	// askedPause is how long a message whose recipients were asked is not looked at, unless a certificate arrives. What is found
	// otherwise, in a directory, is found by then.
	askedPause = time.Hour
	// askedMost is how many messages wait for the one that asks their recipients.
	askedMost = 1000
	// askTimeout bounds the asking of the recipients of one message.
	askTimeout = time.Minute
)

// question is the recipients of one message who are to be asked.
type question struct {
	origin mail.ID
	sender mail.Address
	to     []mail.Address
}

// May is what protect.Ask has, for settings with these domains.
func (a Ask) May(local mail.Patterns, isDeMail func(domain string) bool) func(mail.Address) bool {
	return a.mayAsk(local, isDeMail)
}

// mayAsk tells who may be asked: people outside, who read their mail themselves.
func (a Ask) mayAsk(local mail.Patterns, isDeMail func(domain string) bool) func(mail.Address) bool {
	if a.From.IsNull() {
		return nil
	}
	return func(to mail.Address) bool {
		return !local.Match(to) && !a.Except.Match(to) && !isDeMail(to.Domain) && !isList(to.Local)
	}
}

// isList tells the addresses of lists and of machines by their names (RFC 2142, 6).
func isList(local string) bool {
	local = strings.ToLower(local)
	switch local {
	case "mailer-daemon", "postmaster", "listserv", "majordomo", "mailman", "noreply", "no-reply", "donotreply", "do-not-reply", "bounce", "bounces":
		return true
	}
	for _, tail := range []string{"-request", "-owner", "-bounces", "-bounce", "-join", "-leave", "-subscribe", "-unsubscribe", "-list", "-noreply", "-no-reply"} {
		if strings.HasSuffix(local, tail) {
			return true
		}
	}
	return strings.HasPrefix(local, "owner-") || strings.HasPrefix(local, "noreply-") || strings.HasPrefix(local, "bounces+")
}

// withNotices adds to entries that are to be committed what their sender is told of those that wait for a certificate, so
// that it is told once.
func (g *Gateway) withNotices(entries []queue.New) []queue.New {
	out := entries
	for _, e := range entries {
		if len(askedOf(e)) == 0 {
			continue
		}
		if n, ok := g.waitNotice(e); ok {
			out = append(slices.Clip(out), n)
		}
	}
	return out
}

// askedOf are the recipients of an entry who are asked for a certificate.
func askedOf(e queue.New) (to []mail.Address) {
	if e.Pending == nil || e.Hold != "" {
		return nil
	}
	for i, r := range e.Envelope.Recipients {
		if protect.IsAsked(e.Destinations[i]) {
			to = append(to, r.Address)
		}
	}
	return to
}

// waitNote is the note of what tells a sender that a message waits.
const waitNote = "report: delayed, waiting for a certificate"

// waitNotice tells the sender of a message that it waits, for whom and until when; false where that is not wanted or cannot
// be said, which is no reason not to take the message.
func (g *Gateway) waitNotice(e queue.New) (queue.New, bool) {
	var told []report.Recipient
	for _, r := range e.Envelope.Recipients {
		if report.Wanted(e.Envelope.From, r, report.Delayed) {
			told = append(told, report.Recipient{Recipient: r, Action: report.Delayed, Status: "4.7.5", RetryUntil: e.Expires, Said: []texts.Said{{ID: texts.WhyAwaiting}}})
		}
	}
	if len(told) == 0 {
		return queue.New{}, false
	}
	destination, err := g.routes.Destination(e.Envelope.From)
	if err != nil {
		g.o.Log.WithField("id", e.Envelope.ID).WithError(err).Warn("The sender cannot be told that the message waits for a certificate.")
		return queue.New{}, false
	}
	env, content := report.New(g.texts.Load(), g.o.Now(), g.o.Hostname, report.Original{Envelope: e.Envelope, Header: identifying(e.Content)}, told)
	n := queue.New{
		Envelope: env, Destinations: []string{destination}, Content: content, Origin: e.Origin, Note: waitNote,
		Due: env.Received, Expires: env.Received.Add(g.o.Settings.Expire),
	}
	if signed, err := g.signReport(content); err == nil {
		n.Content = signed
	}
	return n, true
}

// identifying is what a report may return of the header of a message that is not protected.
func identifying(content mail.Content) []byte {
	r, err := content.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	header, err := report.ReadHeader(r)
	if err != nil {
		return nil
	}
	return report.Identify(header)
}

// entered is told each entry once it is in the queue: it is recorded, and whoever is to be asked is.
func (g *Gateway) entered(e queue.New) {
	if e.Note == waitNote {
		g.recorder.Record(track.Event{
			Time: g.o.Now(), Kind: track.Reported, ID: e.Envelope.ID, Origin: e.Origin, To: []string{e.Envelope.Recipients[0].Address.String()},
			Direction: e.Envelope.Direction(), Size: e.Content.Size(), Destination: e.Destinations[0],
		})
		return
	}
	g.recordQueued(e)
	g.ask(question{e.Origin, e.Envelope.From, askedOf(e)})
}

// ask has recipients asked, without waiting for it. Where there is too much to do they are asked when their message is looked
// at again.
func (g *Gateway) ask(q question) {
	if len(q.to) == 0 {
		return
	}
	select {
	case g.questions <- q:
	default:
	}
}

// askAll asks until ctx ends.
func (g *Gateway) askAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-g.questions:
			for _, to := range q.to {
				one, cancel := context.WithTimeout(ctx, askTimeout)
				err := g.askOne(one, q, to)
				cancel()
				if err != nil && ctx.Err() == nil {
					g.o.Log.WithField("id", q.origin).WithError(err).Warn("A recipient could not be asked for a signed message; it is tried again within an hour.")
				}
			}
		}
	}
}

// askOne asks a recipient for a signed message, once in a period, however many messages wait for it.
func (g *Gateway) askOne(ctx context.Context, q question, to mail.Address) error {
	a := g.asks.Load()
	if may := a.mayAsk(g.watch.Load().local, g.routes.isDeMail); may == nil || !may(to) { // the settings have changed
		return nil
	}
	now := g.o.Now()
	env, content := report.Request(g.texts.Load(), now, g.o.Hostname, a.From, to, q.sender)
	about := store.Question{Subject: to.String(), ID: string(env.ID), Period: a.Period, PerDay: a.PerDay, PerDomain: a.PerDomain}
	id, err := g.known.Ask(ctx, about)
	if errors.Is(err, store.ErrAskedEnough) {
		g.o.Log.WithField("id", q.origin).Warn("A recipient is not asked for a signed message yet: as many were asked today as may be (certificates.find.ask).")
		return nil
	}
	if err != nil || id == "" {
		return err
	}
	env.ID = mail.ID(id)
	destination, err := g.routes.Destination(to)
	if err != nil {
		return err
	}
	entry := queue.New{
		Envelope: env, Destinations: []string{destination}, Content: content, Origin: q.origin, Note: "request for a certificate",
		Due: now, Expires: now.Add(min(a.Within, g.o.Settings.Expire)),
	}
	if signed, err := g.signReport(content); err == nil {
		entry.Content = signed
	}
	if err := g.store.Put(ctx, []queue.New{entry}); err != nil && !errors.Is(err, queue.ErrExists) {
		return err
	}
	g.recorder.Record(track.Event{
		Time: now, Kind: track.Asked, ID: env.ID, Origin: q.origin, To: []string{to.String()}, Direction: mail.Outgoing,
		Size: entry.Content.Size(), Destination: destination,
	})
	g.scheduler.Wake(destination)
	return g.known.AskSent(ctx, about)
}

// setAsk puts the settings of asking into force.
func (g *Gateway) setAsk(s Settings) {
	a := s.Ask
	if a.Within <= 0 {
		a.Within = 5 * 24 * time.Hour
	}
	if a.Period <= 0 {
		a.Period = 7 * 24 * time.Hour
	}
	g.asks.Store(&a)
}

// tryAgain is told the destinations of what an operator made due. Directories are asked again for who was asked, too: what they said of
// those a while ago is forgotten.
func (g *Gateway) tryAgain(destinations ...string) {
	if f := g.finder.Load(); f != nil {
		for _, d := range destinations {
			if domain, ok := protect.AskedDomain(d); ok {
				f.Forget(domain)
			}
		}
	}
	g.scheduler.TryAgain(destinations...)
}

// hastenedMost is how many messages that wait for one domain are made due at once.
const hastenedMost = 10_000

// Arrived tells that there may be certificates of addresses that there were none of before: what waits for them is tried
// now. Without addresses that is all that waits for a certificate.
func (g *Gateway) Arrived(ctx context.Context, addresses ...mail.Address) {
	destinations := map[string]bool{}
	for _, a := range addresses {
		destinations[protect.AskedAt(a)] = true
	}
	waiting, err := g.store.Destinations(ctx)
	for _, d := range waiting {
		if !protect.IsAsked(d.Destination) || len(addresses) > 0 && !destinations[d.Destination] {
			continue
		}
		err = errors.Join(err, g.hasten(ctx, d.Destination))
	}
	if err != nil {
		g.o.Log.WithError(err).Warn("What waits for a certificate that has arrived is looked at within an hour, not now.")
	}
}
