package addin

import (
	"context"
	"net/http"
	"net/netip"
)

// MaxBody is the largest body of a request.
const MaxBody = maxBody

// Direct answers requests that come by no connection.
func (s *Server) Direct() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.current.Load().handler.ServeHTTP(w, r) })
}

// Busy takes the turn of an address until the end of what it returns.
func (s *Server) Busy(ctx context.Context, address netip.Addr) (done func(), err error) {
	return s.o.turns.take(ctx, network(address))
}

// TurnsAtOnce is how many tokens are worked on at one time.
func TurnsAtOnce() int { return halfOfAll() }
