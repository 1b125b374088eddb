package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/certs/ldap"
)

// WatchedDirectory is a directory that metrics tell of.
type WatchedDirectory interface {
	Name() string
	// State tells how it does. It asks nothing.
	State() ldap.State
}

// directoryCollector tells at each scrape how the directories in force do.
type directoryCollector struct {
	g                                *Gateway
	questions, seconds, up, connects *prometheus.Desc
}

// newDirectoryCollector collects
//
//	siegel_directory_questions_total{directory,answer="found|nothing|none"}  siegel_directory_seconds_total{directory}
//	siegel_directory_up{directory}  siegel_directory_connections{directory}
func newDirectoryCollector(g *Gateway) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_directory_"+name, help, append([]string{"directory"}, labels...), nil)
	}
	return &directoryCollector{
		g:         g,
		questions: desc("questions_total", "Questions to a directory: found something, found nothing, or got no answer (none).", "answer"),
		seconds:   desc("seconds_total", "Time that questions to a directory took."),
		up:        desc("up", "1 where the last question to a directory was answered, 0 where it was not."),
		connects:  desc("connections", "Open connections to a directory."),
	}
}

// Describe implements prometheus.Collector.
func (c *directoryCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.questions, c.seconds, c.up, c.connects} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *directoryCollector) Collect(out chan<- prometheus.Metric) {
	for _, d := range *c.g.directories.Load() {
		s, up := d.State(), 1.0
		if s.Err != nil {
			up = 0
		}
		for answer, n := range map[string]uint64{"found": s.Found, "nothing": s.Nothing, "none": s.Failed} {
			out <- prometheus.MustNewConstMetric(c.questions, prometheus.CounterValue, float64(n), d.Name(), answer)
		}
		out <- prometheus.MustNewConstMetric(c.seconds, prometheus.CounterValue, s.Time.Seconds(), d.Name())
		out <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up, d.Name())
		out <- prometheus.MustNewConstMetric(c.connects, prometheus.GaugeValue, float64(s.Connected), d.Name())
	}
}
