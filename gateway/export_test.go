package gateway

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/harvest"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
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

// Queue is the queue of a running gateway.
func (g *Gateway) Queue() queue.Store { return g.store }

// FoundUnknown is told of an issuer that nobody knows.
func (g *Gateway) FoundUnknown(ctx context.Context, address mail.Address, top *x509.Certificate) {
	g.foundUnknown(ctx, address, top)
}

// Tally counts what a store keeps of signatures.
func Tally(ctx context.Context, s *store.Store, since time.Time) (harvest.Tally, error) {
	return keeper{s}.Tally(ctx, since)
}

// TLSOutcomes is where outcomes of sessions are noted.
func (g *Gateway) TLSOutcomes() tlsrpt.Noter { return g.tlsReports.Collector() }

// TurnTLSReports writes what was counted and sends what is due, as the gateway does now and then.
func (g *Gateway) TurnTLSReports(ctx context.Context) {
	g.tlsReports.Flush(ctx)
	g.tlsReports.Send(ctx)
}

// PutTLSReport queues a report about TLS.
func (g *Gateway) PutTLSReport(ctx context.Context, env mail.Envelope, content mail.Content) error {
	return g.putTLSReport(ctx, env, content)
}

// Resolved is told that a person decided on a De-Mail.
func (g *Gateway) Resolved(ctx context.Context, r proof.Record) { g.resolved(ctx, r) }

// LookAtArchives tells of archives in trouble, as the gateway does now and then; told has when it did.
func (g *Gateway) LookAtArchives(ctx context.Context, told map[string]time.Time) {
	g.lookAtArchives(ctx, told)
}

// ArchiveCheck is what readiness says of the archives.
func (g *Gateway) ArchiveCheck(ctx context.Context) error { return g.archiveCheck().Run(ctx) }

// Registry is where the figures are gathered.
func (g *Gateway) Registry() *prometheus.Registry { return g.metrics.Registry() }

// Reconcile asks the provider of an account for what is in doubt.
func (g *Gateway) Reconcile(ctx context.Context, account string) error {
	return g.reconcile(ctx, account)
}

// LookAtQuarantine is what the gateway does every minute, for tests.
func (g *Gateway) LookAtQuarantine(ctx context.Context) error { return g.lookAtQuarantine(ctx) }
