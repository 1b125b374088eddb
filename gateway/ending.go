package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// kindOfEnding says whose certificate ends.
type kindOfEnding string

const (
	endsOwn       kindOfEnding = "own"       // of the company, with its key
	endsAuthority kindOfEnding = "authority" // of an authority, not trusted by itself
	endsAnchor    kindOfEnding = "anchor"    // of an authority that is trusted
	endsListener  kindOfEnding = "listener"  // of TLS, of a listener
	endsPartner   kindOfEnding = "partner"   // of a partner: seen lately, or in the folder
)

func kindsOfEnding() []kindOfEnding {
	return []kindOfEnding{endsOwn, endsAuthority, endsAnchor, endsListener, endsPartner}
}

// ending is a certificate that ends soon, or has a short while ago, and that no other follows.
type ending struct {
	kind   kindOfEnding
	id     string // fingerprint
	name   string // for an administrator
	at     time.Time
	record store.Record // as administrators see it; of what is not in the store, Source says where it lies
}

const (
	maxEndings  = 10_000
	endedFor    = 30 * 24 * time.Hour // how long what has ended is still told of
	usedLately  = 90 * 24 * time.Hour // a partner seen since then is one who is used
	lastWeek    = 7 * 24 * time.Hour
	shownInLog  = 20
	shownInMail = 200
)

// endings are the certificates that end soon, as they were found last.
type endings struct {
	last atomic.Pointer[[]ending]
	soon *prometheus.Desc
	next *prometheus.Desc
}

// newEndings returns a collector of
//
//	siegel_certificates_ending{kind}                            certificates that end soon, or have a short while ago, without a successor
//	siegel_certificates_ending_first_timestamp_seconds{kind}    when the first of them ends; absent where there is none
func newEndings() *endings {
	return &endings{
		soon: prometheus.NewDesc("siegel_certificates_ending", "Certificates that end soon, or have lately, without a successor.", []string{"kind"}, nil),
		next: prometheus.NewDesc("siegel_certificates_ending_first_timestamp_seconds", "When the first of them ends.", []string{"kind"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (e *endings) Describe(out chan<- *prometheus.Desc) { out <- e.soon; out <- e.next }

// Collect implements prometheus.Collector.
func (e *endings) Collect(out chan<- prometheus.Metric) {
	all := e.last.Load()
	if all == nil {
		return
	}
	for _, kind := range kindsOfEnding() {
		count, first := 0, time.Time{}
		for _, one := range *all {
			if one.kind != kind {
				continue
			}
			if count++; first.IsZero() || one.at.Before(first) {
				first = one.at
			}
		}
		out <- prometheus.MustNewConstMetric(e.soon, prometheus.GaugeValue, float64(count), string(kind))
		if count > 0 {
			out <- prometheus.MustNewConstMetric(e.next, prometheus.GaugeValue, float64(first.Unix()), string(kind))
		}
	}
}

// warnOfEnds tells of what ends soon: by metric and health at once, in the log once a day, by mail once for each certificate
// when it begins to be told of, in its last week, and when it has ended.
func (g *Gateway) warnOfEnds(ctx context.Context) error {
	w := g.watched.Load()
	if w.before <= 0 {
		g.endings.last.Store(&[]ending{})
		return nil
	}
	all, err := g.findEndings(ctx, w, g.o.Now().Add(w.before), false)
	if err != nil {
		return err
	}
	g.endings.last.Store(&all)
	if len(all) == 0 {
		return nil
	}
	return errors.Join(g.logEnds(ctx, all), g.mailEnds(ctx, all))
}

func (g *Gateway) logEnds(ctx context.Context, all []ending) error {
	today := "log " + g.o.Now().UTC().Format(time.DateOnly)
	told, err := g.known.Told(ctx, []string{today})
	if err != nil || told[today] {
		return err
	}
	for i, e := range all {
		if i == shownInLog {
			g.o.Log.Warnf("%d more certificates end soon: siegel certs expiring", len(all)-i)
			break
		}
		g.o.Log.WithField("kind", string(e.kind)).WithField("until", e.at.UTC().Format(time.RFC3339)).Warn(e.sentence(g.o.Now()))
	}
	return g.known.Tell(ctx, []string{today})
}

// sentence says what ends, and when.
func (e ending) sentence(now time.Time) string {
	verb := "ends"
	if e.at.Before(now) {
		verb = "has ended"
	}
	return safetext.Line(fmt.Sprintf("%s %s on %s", e.name, verb, e.at.UTC().Format(time.DateOnly)), 300)
}

// stage is how pressing it is; each is told by mail once.
func (e ending) stage(now time.Time) string {
	switch {
	case e.at.Before(now):
		return "over"
	case e.at.Sub(now) < lastWeek:
		return "week"
	}
	return "soon"
}

// mailEnds writes one mail to the administrators about all they were not told of. Certificates of partners are their own
// affair, and stand in the log.
func (g *Gateway) mailEnds(ctx context.Context, all []ending) error {
	to := g.watch.Load().mailTo
	if len(to) == 0 {
		return nil
	}
	now := g.o.Now()
	keys := make([]string, len(all))
	for i, e := range all {
		keys[i] = "mail " + e.id + " " + e.stage(now)
	}
	told, err := g.known.Told(ctx, keys)
	if err != nil {
		return err
	}
	var fresh []string
	var lines []string
	for i, e := range all {
		if told[keys[i]] || e.kind == endsPartner {
			continue
		}
		if fresh = append(fresh, keys[i]); len(fresh) <= shownInMail {
			lines = append(lines, e.sentence(now))
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if more := len(fresh) - shownInMail; more > 0 {
		lines = append(lines, fmt.Sprintf("+ %d", more))
	}
	env, content := g.notice(texts.AlarmCertificates, texts.Values{Lines: lines}, to)
	if err := g.putNotice(ctx, env, content); err != nil {
		return fmt.Errorf("the administrators cannot be told by mail, see admin.mail_to: %w", err)
	}
	return g.known.Tell(ctx, fresh)
}

// endingCheck warns while something of the company's own ends soon.
func (g *Gateway) endingCheck() admin.Check {
	return admin.Check{
		Name: "ending", Warning: true,
		Advice: "Certificates end soon: siegel certs expiring lists them. Get others from their issuer and import them before that day.",
		Run: func(context.Context) error {
			all := g.endings.last.Load()
			if all == nil {
				return nil
			}
			var names []string
			for _, e := range *all {
				if e.kind != endsPartner && len(names) < 3 {
					names = append(names, e.sentence(g.o.Now()))
				}
			}
			if len(names) == 0 {
				return nil
			}
			return errors.New(strings.Join(names, "; "))
		},
	}
}
