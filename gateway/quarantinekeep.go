package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

const (
	// quarantineEvery is how often it is looked for people who are to be told, and for room.
	quarantineEvery = time.Minute
	// sweepEvery is how often it is looked for what nobody decided on: so often at most somebody is told that something was removed.
	sweepEvery = time.Hour
	// fillingEvery is how often the administrators are told that the quarantine fills.
	fillingEvery = 24 * time.Hour
	// quarantinePage is how many messages are read at once.
	quarantinePage = 500
)

// keepQuarantine looks after the quarantine until ctx ends. It returns nil.
func (g *Gateway) keepQuarantine(ctx context.Context) error {
	timer := time.NewTimer(quarantineEvery)
	defer timer.Stop()
	for {
		if err := g.lookAtQuarantine(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.WithError(err).Warn("The quarantine cannot be looked after now; it is tried again in a minute.")
		}
		timer.Reset(quarantineEvery)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// lookAtQuarantine gives up what nobody decided on, tells who is to be told, and whether there is room.
func (g *Gateway) lookAtQuarantine(ctx context.Context) error {
	g.keeper.look.Lock()
	defer g.keeper.look.Unlock()
	used, err := g.store.Usage(ctx, queue.Quarantine)
	if err != nil || used.Messages == 0 {
		return err
	}
	now, q := g.o.Now(), g.quarantine.Load()
	err = g.tellFilling(ctx, q, used, now)
	if now.Sub(g.keeper.swept) >= sweepEvery {
		g.keeper.swept = now
		err = errors.Join(err, g.giveUp(ctx, q, now))
	}
	return errors.Join(err, g.tellWaiting(ctx, q, now))
}

// eachInQuarantine calls visit with every message that has a copy in quarantine, and the places of its recipients.
func (g *Gateway) eachInQuarantine(ctx context.Context, visit func(m queue.Message, rows []int) error) error {
	filter := queue.Filter{Destination: queue.Quarantine, State: queue.Held, Limit: quarantinePage}
	for {
		page, err := g.store.List(ctx, filter)
		if err != nil {
			return err
		}
		for _, m := range page {
			var rows []int
			for i, r := range m.Recipients {
				if r.InQuarantine() {
					rows = append(rows, i)
				}
			}
			if err := visit(m, rows); err != nil {
				return err
			}
			filter.After = m.Envelope.ID
		}
		if len(page) < quarantinePage {
			return nil
		}
	}
}

// tellWaiting tells those whom the policy names of what waits, each once in a period.
func (g *Gateway) tellWaiting(ctx context.Context, q *quarantineTerms, now time.Time) error {
	var all quarantine.Notices
	err := g.eachInQuarantine(ctx, func(m queue.Message, rows []int) error {
		for _, i := range rows {
			if d, err := quarantine.Decode(m.Recipients[i].Quarantine); err == nil {
				all.Add(m, i, d, q.told(m, i, d))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.keeper.told.Forget(now.Add(-q.Keep - q.Every - 2*sweepEvery))
	for _, n := range all.All() {
		if !g.keeper.told.Due(n.To, n.Newest, now, q.Every) {
			continue
		}
		if err := g.keeper.told.Begin(n.To, now); err != nil {
			return err
		}
		if err := g.tellOf(ctx, q, texts.QuarantineWaiting, n); err != nil {
			return err
		}
		if err := g.keeper.told.Done(n.To, n.Newest); err != nil {
			return err
		}
	}
	return nil
}

// tellOf puts one notice into the queue.
func (g *Gateway) tellOf(ctx context.Context, q *quarantineTerms, id texts.ID, n quarantine.Notice) error {
	return g.say(ctx, q, id, texts.Values{Count: n.Count, Lines: n.Lines, Host: g.o.Hostname}, []mail.Address{n.To})
}

func (g *Gateway) say(ctx context.Context, q *quarantineTerms, id texts.ID, v texts.Values, to []mail.Address) error {
	subject, body := q.texts.Notice(id, v)
	env, content := report.Notice(g.o.Now(), g.o.Hostname, to, subject, body)
	return g.putNotice(ctx, env, content)
}

// tellFilling tells the administrators that little room is left, before there is none.
func (g *Gateway) tellFilling(ctx context.Context, q *quarantineTerms, used queue.Usage, now time.Time) error {
	if !q.filling(used) || now.Sub(g.keeper.filling) < fillingEvery {
		return nil
	}
	g.keeper.filling = now
	g.o.Log.Warnf("The quarantine has %s. Release or delete some of it: siegel quarantine list", q.taken(used))
	if len(q.mailTo) == 0 {
		return nil
	}
	return g.say(ctx, q, texts.QuarantineFilling, texts.Values{Host: g.o.Hostname, Detail: q.taken(used)}, q.mailTo)
}

// filling reports whether four fifths of the room are taken.
func (q *quarantineTerms) filling(used queue.Usage) bool {
	return used.Messages >= q.MaxMessages-q.MaxMessages/5 || used.Bytes >= q.MaxBytes-q.MaxBytes/5
}

// taken is how much of the room is.
func (q *quarantineTerms) taken(used queue.Usage) string {
	const mega = 1e6
	return fmt.Sprintf("%d of %d messages, %.1f of %.1f MB", used.Messages, q.MaxMessages, float64(used.Bytes)/mega, float64(q.MaxBytes)/mega)
}

// overdue is what nobody decided on in time.
type overdue struct {
	m    queue.Message
	back []int // goes back to its sender
	gone []int // is removed
}

// giveUp returns, or removes, what nobody decided on in time. Those who are told of what is removed are told first: what is not said is not done.
func (g *Gateway) giveUp(ctx context.Context, q *quarantineTerms, now time.Time) error {
	var all []overdue
	var notices quarantine.Notices
	err := g.eachInQuarantine(ctx, func(m queue.Message, rows []int) error {
		one := overdue{m: m}
		for _, i := range rows {
			d, err := quarantine.Decode(m.Recipients[i].Quarantine)
			if err != nil || now.Before(d.Since.Add(q.Keep)) {
				continue
			}
			if g.mayGoBack(m, i) {
				one.back = append(one.back, i)
				continue
			}
			one.gone = append(one.gone, i)
			to := q.told(m, i, d)
			if len(to) == 0 {
				to = q.mailTo
			}
			notices.Add(m, i, d, to)
		}
		if len(one.back)+len(one.gone) > 0 {
			all = append(all, one)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	if err := g.auditExpired(ctx, q, all); err != nil {
		return err
	}
	for _, n := range notices.All() {
		if err := g.tellOf(ctx, q, texts.QuarantineEnded, n); err != nil {
			return err
		}
	}
	for _, one := range all {
		err = errors.Join(err, g.giveBack(ctx, one), g.remove(ctx, one))
	}
	return err
}

// mayGoBack reports whether a copy can be returned, and a way leads to its sender. Without one it would stay for ever.
func (g *Gateway) mayGoBack(m queue.Message, i int) bool {
	_, err := g.routes.Destination(m.Envelope.From)
	return err == nil && decisions{g}.MayReturn(m, i) == nil
}

// auditExpired writes down what is going to be given up.
func (g *Gateway) auditExpired(ctx context.Context, q *quarantineTerms, all []overdue) error {
	for len(all) > 0 {
		part := all[:min(len(all), admin.MaxOrder)]
		all = all[len(part):]
		act := admin.Act{Time: g.o.Now(), Who: runsAs(), What: "quarantine-expire", Detail: "nobody decided within " + q.Keep.String()}
		for _, one := range part {
			act.Subject = append(act.Subject, string(one.m.Envelope.ID))
		}
		if err := g.audit.Record(ctx, act); err != nil {
			return fmt.Errorf("what nobody decided on cannot be written down, so it stays in quarantine: %w", err)
		}
	}
	return nil
}

// giveBack returns copies to their sender inside, with the report in the same commit.
func (g *Gateway) giveBack(ctx context.Context, one overdue) error {
	if len(one.back) == 0 {
		return nil
	}
	note, err := g.scheduler.ReturnedFor(ctx, one.m, one.back, texts.Said{ID: texts.QuarantineReturned})
	if err != nil {
		return err
	}
	done, err := g.expire(ctx, one.m, queue.Order{
		Only: one.back, State: queue.Failed, Reply: "returned to the sender: nobody decided in time", Reports: []queue.New{note},
	}, track.Returned)
	if err == nil && done > 0 {
		g.keeper.ended.WithLabelValues("returned").Add(float64(done))
		g.recordQueued(note)
		g.scheduler.Wake(note.Destinations...)
	}
	return err
}

// remove drops copies. Nobody outside is told.
func (g *Gateway) remove(ctx context.Context, one overdue) error {
	if len(one.gone) == 0 {
		return nil
	}
	done, err := g.expire(ctx, one.m, queue.Order{Only: one.gone, State: queue.Dropped, Reply: "removed: nobody decided in time"}, track.Dropped)
	g.keeper.ended.WithLabelValues("removed").Add(float64(done))
	return err
}

// expire does an order on what is still in quarantine, and records it.
func (g *Gateway) expire(ctx context.Context, m queue.Message, o queue.Order, kind track.Kind) (int, error) {
	o.From = []queue.State{queue.Held}
	rows, err := g.store.Change(ctx, m.Envelope.ID, o)
	if errors.Is(err, queue.ErrNotFound) || errors.Is(err, queue.ErrLeased) { // somebody decided meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	e := track.Event{
		Time: g.o.Now(), Kind: kind, ID: m.Envelope.ID, Origin: m.Origin, Direction: m.Envelope.Direction(),
		From: m.Envelope.From.String(), Size: m.Size, Reply: o.Reply,
	}
	for _, i := range rows {
		e.To = append(e.To, m.Recipients[i].Address.String())
	}
	g.recorder.Record(e)
	return len(rows), nil
}
