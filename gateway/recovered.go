package gateway

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// recoveries counts what became of damaged databases of the queue.
type recoveries struct {
	total    prometheus.Counter
	messages *prometheus.CounterVec
}

// newRecoveries makes the counters
//
//	siegel_queue_recoveries_total                    databases of the queue that were damaged and set aside
//	siegel_queue_recovered_messages_total{outcome}   their messages: carried, held, empty (without content), lost
func newRecoveries(registry prometheus.Registerer) (*recoveries, error) {
	r := &recoveries{
		total: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "siegel_queue_recoveries_total", Help: "Databases of the queue that were damaged and set aside."}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_queue_recovered_messages_total", Help: "Messages of damaged databases, by what became of them."}, []string{"outcome"}),
	}
	for _, outcome := range []string{"carried", "held", "empty", "lost"} {
		r.messages.WithLabelValues(outcome)
	}
	for _, c := range []prometheus.Collector{r.total, r.messages} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// count is told of each.
func (r *recoveries) count(c sqlqueue.Recovery) {
	r.total.Inc()
	for outcome, n := range map[string]int{"carried": c.Messages, "held": c.Held, "empty": c.Empty, "lost": c.Lost} {
		r.messages.WithLabelValues(outcome).Add(float64(n))
	}
}

// recovered is told by the queue, which takes nothing meanwhile.
func (g *Gateway) recovered(r *recoveries) func(sqlqueue.Recovery) {
	return func(c sqlqueue.Recovery) {
		r.count(c)
		select {
		case g.setAside <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// damagedCheck warns while a damaged database of the queue is kept: somebody has to look.
func (g *Gateway) damagedCheck() admin.Check {
	return admin.Check{
		Name: "queue-damaged", Warning: true,
		Advice: "The queue's database was damaged, and what was readable was carried over. Read report.txt in the folder damaged-* of the queue, " +
			"look at siegel queue list --state held, check the disk, and move the folder away when you have done so.",
		Run: func(context.Context) error {
			list, err := sqlqueue.Aside(g.queueDir())
			if err == nil && len(list) > 0 {
				err = fmt.Errorf("%d damaged databases are kept, the last one in %s", len(list), list[len(list)-1])
			}
			return err
		},
	}
}

func (g *Gateway) queueDir() string { return filepath.Join(g.o.State, "queue") }
