package gateway

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/throttle"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// watch is what the throttle needs of the settings in force.
type watch struct {
	local  mail.Patterns
	mailTo []mail.Address
}

// setThrottle puts the throttle of settings into force; what was counted stays.
func (g *Gateway) setThrottle(s Settings) {
	g.throttle.Set(s.Throttle)
	g.watch.Store(&watch{s.Local, s.MailTo})
}

// newThrottled counts the senders that were throttled.
func newThrottled() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "siegel_senders_throttled_total", Help: "Senders inside whose mail was held since they sent too much, each once a day.",
	})
}

// commit puts an admitted message into the queue; of a sender who sends too much it is held there.
func (g *Gateway) commit(ctx context.Context, env mail.Envelope, entries []queue.New) error {
	m, now := g.toOutside(env), g.o.Now()
	reason, tell := g.throttle.Admit(m, now) // before the commit: others may be sending at this moment
	if reason != "" {
		for i := range entries {
			if entries[i].Hold == "" && !isCopy(entries[i]) && len(g.toOutside(entries[i].Envelope).To) > 0 {
				entries[i].Hold = reason
			}
		}
	}
	if err := g.store.Put(ctx, entries); err != nil {
		g.throttle.Withdraw(m, tell, now)
		return err
	}
	if tell {
		g.tellThrottled(ctx, m, reason)
	}
	return nil
}

// toOutside is what the throttle looks at of a message: of mail from inside, the recipients that are not.
func (g *Gateway) toOutside(env mail.Envelope) throttle.Message {
	m := throttle.Message{From: env.From, Client: env.Client}
	if !env.Internal {
		return m
	}
	local := g.watch.Load().local
	for _, r := range env.Recipients {
		if !local.Match(r.Address) {
			m.To = append(m.To, r.Address)
		}
	}
	return m
}

// tellThrottled tells the administrators of a sender whose mail is held: in the log, by a metric, and by mail.
func (g *Gateway) tellThrottled(ctx context.Context, m throttle.Message, reason string) {
	g.throttled.Inc()
	const most = 300
	line, by := safetext.Line(reason, most), "a file"
	if m.Client.Addr.IsValid() {
		by = m.Client.Addr.String()
	}
	g.o.Log.WithField("client", by).Warnf(
		"%s. Its mail to the outside is held until less comes. Look at it with: siegel queue list --state held", line)
	g.tellAdministrators(ctx, texts.AlarmThrottled, texts.Values{Lines: []string{line}, Address: by, Host: m.Client.Listener})
}

// putNotice queues a message of the gateway's own.
func (g *Gateway) putNotice(ctx context.Context, env mail.Envelope, content mail.Content) error {
	entry := queue.New{Envelope: env, Content: content, Origin: env.ID, Note: "notice to administrators", Due: env.Received, Expires: env.Received.Add(g.o.Settings.Expire)}
	for _, r := range env.Recipients {
		destination, err := g.routes.Destination(r.Address)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Address, err)
		}
		entry.Destinations = append(entry.Destinations, destination)
	}
	if signed, err := g.signReport(content); err == nil {
		entry.Content = signed
	}
	if err := g.store.Put(ctx, []queue.New{entry}); err != nil {
		return err
	}
	g.recordQueued(entry)
	g.scheduler.Wake(entry.Destinations...)
	return nil
}
