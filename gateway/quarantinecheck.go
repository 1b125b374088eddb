package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// quarantineCheck warns before the quarantine is full. Mail is taken meanwhile.
func (g *Gateway) quarantineCheck() admin.Check {
	return admin.Check{
		Name: "quarantine", Warning: true,
		Advice: "Decide on what waits: siegel quarantine list, then release, return or delete; or give it more room: quarantine.max_messages, quarantine.max_size.",
		Run: func(ctx context.Context) error {
			used, err := g.store.Usage(ctx, queue.Quarantine)
			if q := g.quarantine.Load(); err == nil && q.filling(used) {
				err = fmt.Errorf("the quarantine has %s", q.taken(used))
			}
			return err
		},
	}
}

// quarantineCollector asks for the figures of the quarantine at each scrape:
//
//	siegel_quarantine_messages  siegel_quarantine_bytes            what waits for a person
//	siegel_quarantine_messages_limit  siegel_quarantine_bytes_limit
type quarantineCollector struct {
	g                                       *Gateway
	messages, bytes, mostMessages, mostByte *prometheus.Desc
}

func newQuarantineCollector(g *Gateway) quarantineCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_quarantine_"+name, help, nil, nil)
	}
	return quarantineCollector{
		g: g, messages: desc("messages", "Messages that wait until a person has decided."), bytes: desc("bytes", "Bytes of their content."),
		mostMessages: desc("messages_limit", "Messages that the quarantine takes."), mostByte: desc("bytes_limit", "Bytes that the quarantine takes."),
	}
}

// Describe implements prometheus.Collector.
func (c quarantineCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.messages, c.bytes, c.mostMessages, c.mostByte} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c quarantineCollector) Collect(out chan<- prometheus.Metric) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	used, err := c.g.store.Usage(ctx, queue.Quarantine)
	if err != nil {
		return
	}
	q := c.g.quarantine.Load()
	for d, v := range map[*prometheus.Desc]int64{c.messages: used.Messages, c.bytes: used.Bytes, c.mostMessages: q.MaxMessages, c.mostByte: q.MaxBytes} {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
}
