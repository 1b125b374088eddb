package admin

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// queueCollector asks the queue for its figures at each scrape.
type queueCollector struct {
	store                                              queue.Store
	messages, recipients, held, pending, bytes, oldest *prometheus.Desc
}

// NewQueueCollector returns a collector of
//
//	siegel_queue_messages  siegel_queue_recipients  siegel_queue_held_recipients  siegel_queue_bytes
//	siegel_queue_pending_messages             messages that wait for their protection
//	siegel_queue_oldest_timestamp_seconds     arrival of the oldest message; absent where there is none
//
// While the queue cannot be asked the figures are absent, and /readyz says why.
func NewQueueCollector(store queue.Store) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_queue_"+name, help, nil, nil)
	}
	return &queueCollector{
		store:      store,
		messages:   desc("messages", "Messages in the queue."),
		recipients: desc("recipients", "Recipients that wait or are held."),
		held:       desc("held_recipients", "Recipients that are held."),
		pending:    desc("pending_messages", "Messages that wait for their protection, since a key or certificate is away."),
		bytes:      desc("bytes", "Bytes of content in the queue."),
		oldest:     desc("oldest_timestamp_seconds", "Arrival of the oldest message."),
	}
}

// Describe implements prometheus.Collector.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.messages, c.recipients, c.held, c.pending, c.bytes, c.oldest} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	s, err := c.store.Stats(ctx)
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(c.messages, float64(s.Messages))
	gauge(c.recipients, float64(s.Recipients))
	gauge(c.held, float64(s.Held))
	gauge(c.pending, float64(s.Pending))
	gauge(c.bytes, float64(s.Bytes))
	if !s.Oldest.IsZero() {
		gauge(c.oldest, float64(s.Oldest.UnixMilli())/1000)
	}
}
