package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
)

const (
	// archiveLook is how often it is looked at what waits for the archives.
	archiveLook = time.Minute
	// archiveRemind is how often the administrators are told of one archive.
	archiveRemind = 24 * time.Hour
	// archiveNearly is the part of a limit, in percent, from which on the administrators are told, before mail is put off.
	archiveNearly = 60
)

// archiveTrouble is what is wrong with what waits for an archive.
type archiveTrouble struct {
	old  bool // a copy waits longer than it may
	full bool // the limit is nearly reached
	what string
}

// troubleOf looks at what waits for an archive.
func (g *Gateway) troubleOf(ctx context.Context, a Archive) (t archiveTrouble, err error) {
	u, err := g.store.Usage(ctx, queue.ArchivePrefix+a.Name)
	if err != nil || u.Messages == 0 {
		return t, err
	}
	oldest, err := g.oldestCopy(ctx, a.Name)
	if err != nil {
		return t, err
	}
	t.old = a.WarnAfter > 0 && g.o.Now().Sub(oldest) > a.WarnAfter
	t.full = a.Limit > 0 && u.Bytes > a.Limit/100*archiveNearly
	t.what = waitingCopies(u, oldest)
	return t, nil
}

// watchArchives tells the administrators of archives that do not take their copies, until ctx ends.
func (g *Gateway) watchArchives(ctx context.Context) error {
	told := map[string]time.Time{}
	ticker := time.NewTicker(archiveLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			g.lookAtArchives(ctx, told)
		}
	}
}

// lookAtArchives tells of each archive in trouble, once in a while; told has when it did. What was mended is told of anew when it comes again.
func (g *Gateway) lookAtArchives(ctx context.Context, told map[string]time.Time) {
	for _, a := range *g.archives.Load() {
		t, err := g.troubleOf(ctx, a)
		if err != nil {
			if ctx.Err() == nil {
				g.o.Log.WithField("archive", a.Name).WithError(err).Warn("It is not known what waits for the archive.")
			}
			continue
		}
		for key, is := range map[string]bool{a.Name + " old": t.old, a.Name + " full": t.full} {
			if !is {
				delete(told, key)
				continue
			}
			if last, before := told[key]; before && g.o.Now().Sub(last) < archiveRemind {
				continue
			}
			told[key] = g.o.Now()
			g.alarmOfArchive(ctx, a, t)
		}
	}
}

// alarmOfArchive tells the administrators of an archive in trouble.
func (g *Gateway) alarmOfArchive(ctx context.Context, a Archive, t archiveTrouble) {
	id := texts.AlarmArchive
	if a.Continue {
		id = texts.AlarmArchiveOpen
	}
	g.alarm(ctx, id, texts.Values{Account: a.Name, Lines: []string{t.what}, Limit: a.Limit})
}

// archiveCheck warns of archives that do not take their copies.
func (g *Gateway) archiveCheck() admin.Check {
	return admin.Check{
		Name: "archives", Warning: true,
		Advice: "Look at: siegel queue list --destination archive:NAME. It says what the archive, or the disk of its folder, answered; the copies are tried until they are taken.",
		Run: func(ctx context.Context) (err error) {
			for _, a := range *g.archives.Load() {
				t, lookErr := g.troubleOf(ctx, a)
				err = errors.Join(err, lookErr)
				if t.old || t.full {
					err = errors.Join(err, fmt.Errorf("archive %s: %s", a.Name, t.what))
				}
			}
			return err
		},
	}
}

// archiveCollector gives the figures of what waits for archives.
type archiveCollector struct {
	g                       *Gateway
	copies, bytes, limit, s *prometheus.Desc
}

// newArchiveCollector returns a collector of
//
//	siegel_archive_waiting{archive}         copies that wait for the archive
//	siegel_archive_waiting_bytes{archive}   and how large they are
//	siegel_archive_limit_bytes{archive}     how many may wait
//	siegel_archive_oldest_seconds{archive}  since when the oldest waits; 0 where none does
func newArchiveCollector(g *Gateway) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("siegel_archive_"+name, help, []string{"archive"}, nil)
	}
	return &archiveCollector{
		g: g, copies: desc("waiting", "Copies that wait for the archive."), bytes: desc("waiting_bytes", "Bytes of copies that wait for the archive."),
		limit: desc("limit_bytes", "Bytes of copies that may wait for the archive."), s: desc("oldest_seconds", "Since when the oldest copy waits for the archive."),
	}
}

// Describe implements prometheus.Collector.
func (c *archiveCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.copies, c.bytes, c.limit, c.s} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Of a queue that does not answer there are no figures.
func (c *archiveCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, a := range *c.g.archives.Load() {
		u, err := c.g.store.Usage(ctx, queue.ArchivePrefix+a.Name)
		if err != nil {
			return
		}
		age := 0.0
		if oldest, err := c.g.oldestCopy(ctx, a.Name); err == nil && !oldest.IsZero() {
			age = max(c.g.o.Now().Sub(oldest).Seconds(), 0)
		}
		for desc, value := range map[*prometheus.Desc]float64{c.copies: float64(u.Messages), c.bytes: float64(u.Bytes), c.limit: float64(a.Limit), c.s: age} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, a.Name)
		}
	}
}
