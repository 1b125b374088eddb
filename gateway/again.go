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
		err = errors.Join(err, g.hasten(ctx, d.Destination))
	}
	if err != nil {
		g.o.Log.WithError(err).Warn("What waits for something that has come back is tried when its time comes, not now.")
	}
}

// hasten makes what waits for a destination due now. What is being tried, and cannot be made due, may have begun before the news: it is told first.
func (g *Gateway) hasten(ctx context.Context, destination string) error {
	g.scheduler.TryAgain(destination)
	now := g.o.Now()
	n, err := g.store.Hasten(ctx, destination, now, now, hastenedMost)
	if n > 0 {
		g.scheduler.Wake(destination)
	}
	return err
}

func stands(destinations []string, name string) bool {
	for _, d := range destinations {
		if d == name || strings.HasSuffix(d, ":") && strings.HasPrefix(name, d) {
			return true
		}
	}
	return false
}
