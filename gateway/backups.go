package gateway

import (
	"context"
	"time"

	"github.com/siegel-mail/siegel/gateway/backup"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Backup is domains of others whose mail external listeners take and keep until the servers of these domains can
// take it themselves.
type Backup struct {
	Name        string
	Domains     mail.Patterns // whole domains, without subdomains
	Quota       int64         // bytes that are kept for each domain
	Keep        time.Duration // after it, a message is returned
	Concurrency int
	SMTP        smtpout.Options // as of a Route
}

// soonest are the waits of a backup: its server is tried often, since a destination that is down costs one attempt
// for all of its messages, and the first that gets through hastens the others.
func soonest() delivery.Retry {
	return delivery.Retry{Steps: []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute}, Jitter: 0.1}
}

// route is the way to the domains.
func (b Backup) route() Route {
	return Route{Name: b.Name, Domains: b.Domains, Concurrency: b.Concurrency, SMTP: b.SMTP, Retry: soonest(), Expire: b.Keep}
}

// quotas are the bytes that may be kept, by domain.
func quotas(all []Backup) map[string]int64 {
	out := map[string]int64{}
	for _, b := range all {
		for _, p := range b.Domains {
			if domain := p.Domain(); domain != "" {
				out[domain] = b.Quota
			}
		}
	}
	return out
}

// usage is the store as backup asks it, which is opened later than backup is made.
type usage struct{ *Gateway }

// Usage implements backup.Queue.
func (u usage) Usage(ctx context.Context, destination string) (queue.Usage, error) {
	return u.store.Usage(ctx, destination)
}

var _ backup.Queue = usage{}

// reserve takes room for what came from outside; mail from inside is no burden that strangers could lay on us.
func (g *Gateway) reserve(ctx context.Context, env mail.Envelope, entries []queue.New) (done func(put bool), err error) {
	if env.Internal || len(entries) == 0 {
		return func(bool) {}, nil
	}
	return g.kept.Reserve(ctx, env.Recipients, entries[0].Content.Size())
}
