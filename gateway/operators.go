package gateway

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// setAdmin makes the parts that operators talk to.
func (g *Gateway) setAdmin() (err error) {
	for _, c := range append([]prometheus.Collector{admin.NewQueueCollector(g.store), g.throttled, g.endings, g.accounts.submissions, newQuarantineCollector(g), g.keeper.aside, g.keeper.ended, newDirectoryCollector(g), newRevocationCollector(g.revocation), newInboxCollector(g), newArchiveCollector(g)}, append(g.tlsReports.Collectors(), g.o.Collectors...)...) {
		err = errors.Join(err, g.metrics.Registry().Register(c))
	}
	if err != nil {
		return err
	}
	checks := []admin.Check{{
		Name: "queue", Advice: "Look into the log for the storage error; check the disk of the state directory.",
		Run: func(ctx context.Context) error { _, err := g.store.Stats(ctx); return err },
	}, g.damagedCheck(), g.knownCheck(), g.pendingCheck(), g.quarantineCheck(), g.unknownCheck(), g.issueCheck(), g.endingCheck(), g.revocationCheck(), g.tlsReportsCheck()}
	checks = append(checks, g.archiveCheck())
	checks = append(checks, g.recordChecks()...)
	checks = append(checks, g.proofChecks()...)
	if err := g.openPages(checks); err != nil {
		return err
	}
	if g.o.Socket == "" {
		return nil
	}
	g.control, err = admin.NewControl(admin.ControlOptions{
		Path: g.o.Socket, Smartcards: g.o.Smartcards, DeMail: g.demailCommands(), Store: g.store, Wake: g.tryAgain, Ways: g, Quarantine: decisions{g}, Reload: g.ReloadFromSource, Checks: checks, More: g.companionChecks,
		Recorder: g.recorder, Audit: g.audit, Track: g.track(), Certs: g.certsCommands(), Explain: g.Explain, Log: g.o.Log, Version: g.o.Version, Now: g.o.Now,
	})
	return err
}
