package gateway

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
)

// Record says how the stored record of what happened to messages is kept.
type Record struct {
	Retention time.Duration // 0: the default of sqltrack
	MaxSize   int64         // 0: the default of sqltrack
	Subjects  bool          // whether the subject that the internet may see is kept
}

// openRecords opens the log of administrative acts and the record of messages. Neither keeps mail where it
// cannot be written: readiness says so, and acts are refused.
func (g *Gateway) openRecords() (err error) {
	g.audit, err = audit.Open(audit.Options{Dir: filepath.Join(g.o.State, "audit"), Key: g.o.Key, Now: g.o.Now, Log: g.o.Log})
	if err != nil || g.o.Record == nil {
		return err
	}
	stored, err := sqltrack.Open(sqltrack.Options{
		Dir: filepath.Join(g.o.State, "track"), Key: g.o.Key, Retention: g.o.Record.Retention, MaxSize: g.o.Record.MaxSize,
		Now: g.o.Now, Log: g.o.Log,
	})
	if err != nil {
		return err
	}
	g.stored.Store(stored)
	for _, c := range stored.Collectors() {
		if err := g.metrics.Registry().Register(c); err != nil {
			return err
		}
	}
	return nil
}

// later is the place of the record among the recorders, which are there before the queue is opened and with it
// all that rests on disk. Empty, it records nothing.
type later struct{ atomic.Pointer[sqltrack.Store] }

// Record implements track.Recorder.
func (l *later) Record(e track.Event) {
	if s := l.Load(); s != nil {
		s.Record(e)
	}
}

func (g *Gateway) closeRecords() (err error) {
	if s := g.stored.Load(); s != nil {
		err = s.Close()
	}
	if g.audit != nil {
		err = errors.Join(err, g.audit.Close())
	}
	return err
}

func (g *Gateway) recordChecks() []admin.Check {
	checks := []admin.Check{{
		Name: "audit", Advice: "Acts of administrators are refused, mail goes on. Look at siegel audit verify and at the disk of the state directory.",
		Run: func(context.Context) error { return g.audit.Check() },
	}}
	if s := g.stored.Load(); s != nil {
		checks = append(checks, admin.Check{
			Name: "record", Advice: "What happens to messages is not recorded, mail goes on. Look into the log; where the record is damaged, move the folder track in the state directory aside.",
			Run: func(context.Context) error { return s.Check() },
		})
	}
	return checks
}

// track is what the control socket searches; nil where no record is kept.
func (g *Gateway) track() admin.Track {
	if s := g.stored.Load(); s != nil {
		return s
	}
	return nil
}
