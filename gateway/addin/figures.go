package addin

import "github.com/prometheus/client_golang/prometheus"

// figures count for Prometheus. Every label has a fixed set of values.
type figures struct {
	answered, forbidden, failed prometheus.Counter
	refusals, limits            *prometheus.CounterVec
}

// newFigures returns
//
//	siegel_outlook_answers_total            questions that were answered
//	siegel_outlook_forbidden_total          questions about a From address that is not the user's
//	siegel_outlook_failures_total           questions that could not be answered by a fault of ours
//	siegel_outlook_refused_total{why}       requests of nobody who is known: unknown, keys, directory, nobody
//	siegel_outlook_limited_total{limit}     questions beyond a limit: questions, recipients, strangers, at-once
func newFigures() *figures {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "siegel_outlook_" + name, Help: help})
	}
	vec := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "siegel_outlook_" + name, Help: help}, []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		return v
	}
	return &figures{
		answered:  counter("answers_total", "Questions of the Outlook add-in that were answered."),
		forbidden: counter("forbidden_total", "Questions of the Outlook add-in about a From address that is not the user's."),
		failed:    counter("failures_total", "Questions of the Outlook add-in that could not be answered by a fault of ours."),
		refusals:  vec("refused_total", "Requests of the Outlook add-in of nobody who is known, by what is not.", "why", "unknown", "keys", "directory", "nobody"),
		limits:    vec("limited_total", "Questions of the Outlook add-in beyond a limit.", "limit", "questions", "recipients", "strangers", "at-once"),
	}
}

func (f *figures) refused(why string)   { f.refusals.WithLabelValues(why).Inc() }
func (f *figures) limited(limit string) { f.limits.WithLabelValues(limit).Inc() }

// collectors are all of them.
func (f *figures) collectors() []prometheus.Collector {
	return []prometheus.Collector{f.answered, f.forbidden, f.failed, f.refusals, f.limits}
}
