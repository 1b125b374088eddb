package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// NewRecoveries is newRecoveries, for tests.
func NewRecoveries(registry prometheus.Registerer) (func(sqlqueue.Recovery), error) {
	r, err := newRecoveries(registry)
	if err != nil {
		return nil, err
	}
	return r.count, nil
}

// Known is the certificate store of a running gateway.
func (g *Gateway) Known() *store.Store { return g.known }
