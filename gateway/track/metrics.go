package track

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Metrics is a Recorder that counts events for Prometheus, in a registry of its own. Every label has a
// fixed set of values: no address, host or rule name becomes one. It may be called at once.
type Metrics struct {
	registry *prometheus.Registry
	messages *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	tls      *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	attempts *prometheus.HistogramVec

	authentication *prometheus.CounterVec
	algorithms     *prometheus.CounterVec
	lowered        *prometheus.CounterVec
	dry            prometheus.Counter
}

// NewMetrics returns Metrics whose registry also holds the figures of the process and the Go runtime.
//
//	siegel_messages_total{kind,direction}             events, one per step of a message
//	siegel_message_bytes_total{kind,direction}        bytes of accepted, queued and delivered messages
//	siegel_tls_connections_total{side,version,verified}  transfers by TLS version: side "in" at acceptance, "out" at attempts
//	siegel_authentication_total{method,result}        incoming messages by the result of spf, dkim and dmarc, and by action
//	siegel_algorithms_total{algorithm}                copies that were signed or encrypted, by each algorithm that was used
//	siegel_policy_lowered_total{key}                  settings that senders lowered, by setting
//	siegel_policy_dry_run_total                       values that rules of a dry run would have changed
//	siegel_delivery_seconds{kind,direction}           duration of an attempt, by how it ended
//	siegel_delivery_attempts{kind,direction}          attempts made when a message was delivered or failed for good
func NewMetrics() *Metrics {
	labels := []string{"kind", "direction"}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_messages_total", Help: "Steps of messages, by kind of step and direction."}, labels),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_message_bytes_total", Help: "Bytes of accepted, queued and delivered messages."}, labels),
		tls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_tls_connections_total", Help: "Transfers by side, TLS version and whether the certificate was verified."},
			[]string{"side", "version", "verified"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siegel_delivery_seconds", Help: "Duration of delivery attempts.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}, labels),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siegel_delivery_attempts", Help: "Attempts made when a message was delivered or failed for good.",
			Buckets: []float64{1, 2, 3, 5, 8, 13, 21, 34, 55}}, labels),
	}
	m.authentication = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "siegel_authentication_total", Help: "Incoming messages by result of SPF, DKIM and DMARC, and by what was done."},
		[]string{"method", "result"})
	m.algorithms = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "siegel_algorithms_total", Help: "Copies that were signed or encrypted, by each algorithm that was used."}, []string{"algorithm"})
	m.lowered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "siegel_policy_lowered_total", Help: "Settings that senders lowered below what the policy has as a default."}, []string{"key"})
	m.dry = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "siegel_policy_dry_run_total", Help: "Values that rules with dry_run would have changed, for each recipient."})
	m.registry.MustRegister(m.messages, m.bytes, m.tls, m.authentication, m.algorithms, m.lowered, m.dry, m.seconds, m.attempts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Registry is where the figures are gathered, and where other parts add theirs.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Record counts e.
func (m *Metrics) Record(e Event) {
	labels := prometheus.Labels{"kind": kindLabel(e.Kind), "direction": directionLabel(e.Direction)}
	m.messages.With(labels).Inc()
	switch e.Kind {
	case Accepted, Queued, Delivered:
		m.bytes.With(labels).Add(float64(max(e.Size, 0)))
	}
	switch e.Kind {
	case Judged:
		m.countAuthentication(e.Authentication)
	case Decided:
		m.countDecision(e)
	case Protected:
		m.countAlgorithms(e.Algorithms)
	case Accepted:
		m.countTLS("in", e.Client.TLS)
	case Delivered, Deferred, Failed:
		m.attempt(e, labels)
	case Held, Quarantined:
		if e.Attempt > 0 {
			m.attempt(e, labels)
		}
	}
}

func (m *Metrics) attempt(e Event, labels prometheus.Labels) {
	if e.Elapsed > 0 {
		m.seconds.With(labels).Observe(e.Elapsed.Seconds())
	}
	if e.Attempt > 0 && e.Kind != Deferred && e.Kind != Held && e.Kind != Quarantined {
		m.attempts.With(labels).Observe(float64(e.Attempt))
	}
	if e.TLS != "" || e.Kind == Delivered { // a failed attempt without TLS may never have connected
		m.countTLS("out", e.TLS)
	}
}

func (m *Metrics) countTLS(side, text string) {
	words := strings.Fields(text)
	version, verified := "none", "no"
	if len(words) > 0 {
		version = "other"
		if slices.Contains([]string{"TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"}, words[0]) {
			version = words[0]
		}
		if words[len(words)-1] == "verified" {
			verified = "yes"
		}
	}
	m.tls.WithLabelValues(side, version, verified).Inc()
}

// countAlgorithms counts the words of Event.Algorithms: content encryption, ways of the content key, signature.
func (m *Metrics) countAlgorithms(text string) {
	if text == "" { // signed by DKIM only
		return
	}
	known := []string{
		"aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm", "rsa", "rsa-oaep", "ecdh", "x25519",
		"signed rsa", "signed rsapss", "signed ecdsa", "signed ed25519",
	}
	for w := range strings.SplitSeq(text, ", ") {
		if !slices.Contains(known, w) {
			w = "other"
		}
		m.algorithms.WithLabelValues(w).Inc()
	}
}

// countDecision counts what a sender lowered, and what would be otherwise.
func (m *Metrics) countDecision(e Event) {
	for _, key := range e.Lowered {
		if !slices.Contains([]string{"sign", "encrypt", "tls"}, key) {
			key = "other"
		}
		m.lowered.WithLabelValues(key).Inc()
	}
	m.dry.Add(float64(len(e.Dry)))
}

func kindLabel(k Kind) string {
	if slices.Contains(Kinds(), k) {
		return string(k)
	}
	return "other"
}

func directionLabel(d mail.Direction) string {
	switch d {
	case mail.Incoming, mail.Outgoing, mail.Internal:
		return string(d)
	}
	return "none"
}
