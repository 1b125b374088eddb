package gateway

import (
	"context"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// maxAhead is how far ahead it may be asked what ends.
const maxAhead = 100 * 366 * 24 * time.Hour

// expiring is the command "expiring". It finds what is warned of, by the same means, as it is at present.
func (g *Gateway) expiring(ctx context.Context, q certadmin.Expiring, _ admin.Record) (certadmin.Listed, error) {
	now := g.o.Now()
	switch {
	case q.Limit < 1 || q.Limit > certadmin.MaxList || q.Skip < 0:
		return certadmin.Listed{}, admin.Refuse("limit is a number from 1 to %d, skip one from 0", certadmin.MaxList)
	case q.Ends.Before(now.Add(-endedFor)) || q.Ends.After(now.Add(maxAhead)):
		return certadmin.Listed{}, admin.Refuse("ends is a time from %d days ago to a hundred years ahead", endedFor/(24*time.Hour))
	}
	found, err := g.findEndings(ctx, g.watched.Load(), q.Ends, q.All)
	if err != nil {
		return certadmin.Listed{}, err
	}
	out, skip := certadmin.Listed{Certificates: []certadmin.Certificate{}, More: len(found) == maxEndings}, q.Skip
	for _, e := range found {
		switch {
		case e.kind == endsPartner && !q.All:
		case skip > 0:
			skip--
		case len(out.Certificates) == q.Limit:
			out.More = true
			return out, nil
		default:
			out.Certificates = append(out.Certificates, certadmin.View(e.record))
		}
	}
	return out, nil
}
