package cards

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smartcard"
)

// Status is how the keys of the set in force are, in their order. It asks no card.
func (h *Holder) Status() []smartcard.Status {
	var all []smartcard.Status
	if s := h.current(); s != nil {
		for _, e := range s.entries {
			all = append(all, e.group.device.status(e.Name))
		}
	}
	return all
}

// Look has the cards of the set in force looked at now, and tells of all that cannot be used as of ones that came back: somebody says that
// something was put right.
func (h *Holder) Look() {
	s := h.current()
	if s == nil {
		return
	}
	var anew []string
	for _, e := range s.entries {
		e.group.device.look()
		if !e.group.device.status(e.Name).Condition.Usable() {
			anew = append(anew, e.Name)
		}
	}
	if len(anew) > 0 {
		h.o.Returned(anew...)
	}
}

// Check is why a key cannot be used, or not for long, with what to do; nil where all is well. It asks no card.
func (s *Set) Check(name string) error {
	e := s.find(name)
	if e == nil {
		return nil
	}
	now := e.group.device.status(name)
	if now.Condition == smartcard.Ready || now.Condition == smartcard.Asking {
		return nil
	}
	return errors.New(sentence(now))
}

// Seen is the certificate of a key as it was seen last, without the key; none where it was not seen yet. It asks no card.
func (s *Set) Seen(name string) []tls.Certificate {
	e := s.find(name)
	if e == nil {
		return nil
	}
	c := e.group.device.status(name).Key.Certificate
	if c == nil {
		return nil
	}
	return []tls.Certificate{{Certificate: [][]byte{c.Raw}, Leaf: c}}
}

// sentence is a condition in words, with what to do.
func sentence(now smartcard.Status) string {
	text := string(now.Condition)
	if now.Text != "" {
		text += ": " + safetext.Line(now.Text, 300)
	}
	if a := now.Advice(); a != "" {
		text += ". " + a
	}
	return text
}

// changed is told by a monitor.
func (h *Holder) changed(before, now smartcard.Status) {
	if h.o.Log != nil {
		log := h.o.Log.WithField("smartcard", now.Name).WithField("condition", string(now.Condition))
		if now.Reader != "" && !now.Condition.Away() {
			log = log.WithField("reader", safetext.Line(now.Reader, 128))
		}
		switch {
		case now.Condition == smartcard.Ready:
			log.Info("the smart card can be used")
		case now.Condition.Usable():
			log.Warn("the smart card can be used: " + sentence(now))
		default:
			log.Warn("the smart card cannot be used, and what needs its key waits: " + sentence(now))
		}
	}
	if now.Condition.Usable() && !before.Condition.Usable() {
		h.o.Returned(now.Name)
	}
}

// figures are the metrics of all cards. It is a prometheus.Collector.
//
//	siegel_smartcard_ready{card}                          1 while its key can be used
//	siegel_smartcard_condition{card,condition}            1 for the condition that it is in, 0 for the others
//	siegel_smartcard_waiting{card}                        operations that wait for their turn
//	siegel_smartcard_pin_tries{card}                      tries of the PIN that are left, where the card has said so
//	siegel_smartcard_operations_total{card,operation,outcome} by what for and how they ended
//	siegel_smartcard_operation_seconds{card,operation}    how long they took, with the wait
type figures struct {
	h                               *Holder
	ready, condition, waiting, left *prometheus.Desc
	operations                      *prometheus.CounterVec
	seconds                         *prometheus.HistogramVec
}

func newFigures(h *Holder) *figures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_smartcard_"+name, help, append([]string{"card"}, labels...), nil)
	}
	return &figures{
		h:         h,
		ready:     desc("ready", "1 while the key on the smart card can be used."),
		condition: desc("condition", "1 for the condition that the smart card is in, 0 for the others.", "condition"),
		waiting:   desc("waiting", "Operations that wait for the smart card."),
		left:      desc("pin_tries", "Tries of the PIN that are left, as the smart card said last."),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_smartcard_operations_total", Help: "Uses of keys on smart cards, by what for and how they ended."}, []string{"card", "operation", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siegel_smartcard_operation_seconds", Help: "Duration of uses of keys on smart cards, with the wait for the card.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"card", "operation"}),
	}
}

// Collector is the metrics of all cards.
func (h *Holder) Collector() prometheus.Collector { return h.figures }

// note counts a use of a key.
func (f *figures) note(name, operation string, took time.Duration, err error) {
	outcome := "ok"
	switch {
	case err == nil:
		f.seconds.WithLabelValues(name, operation).Observe(took.Seconds())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		outcome = "late"
	case smartcard.Temporary(err):
		outcome = "away"
	default:
		outcome = "failed"
	}
	f.operations.WithLabelValues(name, operation, outcome).Inc()
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.ready, f.condition, f.waiting, f.left} {
		to <- d
	}
	f.operations.Describe(to)
	f.seconds.Describe(to)
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	one := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	for _, s := range f.h.Status() {
		gauge(f.ready, one(s.Condition.Usable()), s.Name)
		for _, c := range smartcard.Conditions() {
			gauge(f.condition, one(c == s.Condition), s.Name, string(c))
		}
		gauge(f.waiting, float64(s.Waiting), s.Name)
		if s.PIN.Known {
			gauge(f.left, float64(s.PIN.Tries), s.Name)
		}
	}
	f.operations.Collect(to)
	f.seconds.Collect(to)
}
