package gateway

import (
	"context"
	"errors"
	"strings"
)

// TryAgain makes what waits for some destinations due now, and forgets what is remembered of trouble there: something that they need has come
// back. One that ends in a colon stands for all that begin with it.
func (g *Gateway) TryAgain(ctx context.Context, destinations ...string) {
	waiting, err := g.store.Destinations(ctx)
	for _, d := range waiting {
		if !stands(destinations, d.Destination) {
			continue
		}
		now := g.o.Now()
		n, hastenErr := g.store.Hasten(ctx, d.Destination, now, now, hastenedMost)
		if err = errors.Join(err, hastenErr); n > 0 {
			g.scheduler.TryAgain(d.Destination)
		}
	}
	if err != nil {
		g.o.Log.WithError(err).Warn("What waits for something that has come back is tried when its time comes, not now.")
	}
}

func stands(destinations []string, name string) bool {
	for _, d := range destinations {
		if d == name || strings.HasSuffix(d, ":") && strings.HasPrefix(name, d) {
			return true
		}
	}
	return false
}
