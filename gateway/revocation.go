package gateway

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/gateway/admin"
)

// openRevocation makes what tells which certificates are revoked. It lives as long as the gateway, so that a reload forgets nothing, and
// keeps what it learned in the store.
func (g *Gateway) openRevocation() {
	g.revocation = revocation.New(revocation.Options{Settings: g.o.Settings.Revocation, Cache: g.known.Answers(), Log: g.o.Log, Now: g.o.Now})
}

// closeKnown ends what uses the store of certificates, and closes it and the record of De-Mail.
func (g *Gateway) closeKnown() error {
	err := g.closeProof()
	if g.revocation != nil {
		err = errors.Join(err, g.revocation.Close())
	}
	return errors.Join(err, g.known.Close())
}

// revocationCheck tells whom nobody can ask which certificates are revoked. Mail goes on, as the settings say.
func (g *Gateway) revocationCheck() admin.Check {
	return admin.Check{
		Name: "revocation", Warning: true,
		Advice: "Of some certificates it cannot be told whether they are revoked, since who should tell does not answer: the log says who. See that the gateway reaches " +
			"them by HTTP or LDAP, or list them in certificates.revocation.allowed where they stand inside.",
		Run: func(context.Context) error { return g.revocation.Check() },
	}
}

// revocationCollector gives the figures of a checker.
type revocationCollector struct {
	checker                                  *revocation.Checker
	verdicts, answers, sources, kept, memory *prometheus.Desc
}

// newRevocationCollector returns a collector of
//
//	siegel_revocation_verdicts_total{verdict}   certificates that were judged: good, revoked, unknown, unaskable
//	siegel_revocation_answers_total{outcome}    cached, fetched, failed; late: a message did not wait for it
//	siegel_revocation_failing_sources           that failed the last time they were asked
//	siegel_revocation_answers                   answers and lists in memory
//	siegel_revocation_bytes                     of memory that these take
func newRevocationCollector(c *revocation.Checker) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_revocation_"+name, help, labels, nil)
	}
	return &revocationCollector{
		checker:  c,
		verdicts: desc("verdicts_total", "Certificates whose revocation was looked at, by what was found.", "verdict"),
		answers:  desc("answers_total", "Answers about revocation that were needed or fetched, by how that went.", "outcome"),
		sources:  desc("failing_sources", "Responders and places of lists that failed the last time they were asked."),
		kept:     desc("answers", "Answers and lists in memory."),
		memory:   desc("bytes", "Bytes of answers and lists in memory."),
	}
}

// Describe implements prometheus.Collector.
func (c *revocationCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.verdicts, c.answers, c.sources, c.kept, c.memory} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *revocationCollector) Collect(out chan<- prometheus.Metric) {
	s := c.checker.Stats()
	count := func(d *prometheus.Desc, n int64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), label)
	}
	count(c.verdicts, s.Good, "good")
	count(c.verdicts, s.Revoked, "revoked")
	count(c.verdicts, s.Unknown, "unknown")
	count(c.verdicts, s.Nowhere, "unaskable")
	count(c.answers, s.Cached, "cached")
	count(c.answers, s.Fetched, "fetched")
	count(c.answers, s.Failed, "failed")
	count(c.answers, s.Late, "late")
	for d, n := range map[*prometheus.Desc]float64{c.sources: float64(s.Failing), c.kept: float64(s.Kept), c.memory: float64(s.Bytes)} {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n)
	}
}
