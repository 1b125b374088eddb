package gateway

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/demailadmin"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
)

// pruneEvery is how often what is too old is removed from the record of De-Mail.
const pruneEvery = time.Hour

// openProof opens the record of De-Mail. Where it cannot be used the gateway starts all the same: De-Mail waits, other mail goes on.
func (g *Gateway) openProof() (err error) {
	g.proof, err = proof.Open(context.Background(), proof.Options{
		Dir: filepath.Join(g.o.State, "demail"), Key: g.o.Key, Terms: g.o.Settings.DeMailRecord, Now: g.o.Now, Log: g.o.Log,
	})
	if err != nil {
		return fmt.Errorf("opening the De-Mail record: %w", err)
	}
	g.setProof(g.o.Settings)
	return g.metrics.Registry().Register(newProofCollector(g.proof))
}

// DeMailRecord is the record of De-Mail. It ends with the gateway.
func (g *Gateway) DeMailRecord() *proof.Store { return g.proof }

// setProof puts settings into force.
func (g *Gateway) setProof(s Settings) {
	g.proof.SetTerms(s.DeMailRecord)
	g.stamp.Store(&s.DeMailStamp)
}

// demailCommands are those of operators on the record of De-Mail.
func (g *Gateway) demailCommands() admin.DeMail {
	return demailadmin.Admin(demailadmin.Options{Store: g.proof, Stamp: func() bundle.Stamp { return *g.stamp.Load() }, Resolved: g.resolved})
}

// resolved has the queue go on with a De-Mail of which a person said whether the provider has it: it is delivered then, or reported.
func (g *Gateway) resolved(ctx context.Context, r proof.Record) {
	if err := g.noLongerInDoubt(ctx, r.ID); err != nil {
		g.o.Log.WithError(err).WithField("id", r.ID).Error("proof: a De-Mail that a person decided about stays held; release it: siegel queue release")
	}
}

func (g *Gateway) closeProof() error {
	if g.proof == nil {
		return nil
	}
	return g.proof.Close()
}

// keepProof removes what is too old from the record of De-Mail, until ctx ends.
func (g *Gateway) keepProof(ctx context.Context) error {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		removed, err := g.proof.Prune(ctx)
		if removed > 0 {
			g.o.Log.WithField("records", removed).Info("proof: De-Mails as old as demail.evidence.keep left the record")
		}
		if err != nil && ctx.Err() == nil {
			g.o.Log.WithError(err).Error("proof: what is too old could not be removed from the De-Mail record")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// proofChecks say that no De-Mail is accepted while its record cannot be used, and whether a person has to look at some.
func (g *Gateway) proofChecks() []admin.Check {
	return []admin.Check{{
		Name: "De-Mail record",
		Advice: "De-Mail is neither accepted, sent nor fetched; other mail goes on. The folder demail of the state directory cannot be read: look at the log and the disk, or put " +
			"the folder back from a backup. It holds the evidence of what was sent: it is never begun anew unless you move it aside.",
		Run: func(context.Context) error { return g.proof.Check() },
	}, {
		Name: "De-Mail in doubt", Warning: true,
		Advice: "Ask the provider whether it has them, and say so: siegel demail list --state doubtful, then siegel demail resolve ID --taken or --not-taken.",
		Run: func(ctx context.Context) error {
			f, err := g.proof.Figures(ctx)
			if err != nil || f.Doubtful == 0 {
				return nil // what the record errs with stands above
			}
			return fmt.Errorf("of %d De-Mails nobody knows whether the provider has taken them; they are not sent again by themselves", f.Doubtful)
		},
	}}
}

// proofCollector gives the figures of the record of De-Mail.
type proofCollector struct {
	store                   *proof.Store
	records, doubtful, late *prometheus.Desc
}

// newProofCollector returns a collector of
//
//	siegel_demail_records    De-Mails in the record
//	siegel_demail_doubtful   of which nobody knows whether the provider has taken them
//	siegel_demail_late       of which a confirmation is overdue
func newProofCollector(s *proof.Store) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_demail_"+name, help, nil, nil)
	}
	return &proofCollector{
		store:    s,
		records:  desc("records", "De-Mails in the record of what was sent."),
		doubtful: desc("doubtful", "De-Mails of which nobody knows whether the provider has taken them."),
		late:     desc("late", "De-Mails of which a confirmation that was asked for is overdue."),
	}
}

// Describe implements prometheus.Collector.
func (c *proofCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.records, c.doubtful, c.late} {
		to <- d
	}
}

// Collect implements prometheus.Collector. While the record cannot be used there are no figures.
func (c *proofCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	f, err := c.store.Figures(ctx)
	if err != nil {
		return
	}
	for desc, n := range map[*prometheus.Desc]int{c.records: f.Records, c.doubtful: f.Doubtful, c.late: f.Late} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n))
	}
}
