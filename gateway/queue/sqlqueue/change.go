package sqlqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// order is a queue.Order made ready for its rows.
type order struct {
	only        []int
	from        []int
	state       int   // -1: as it is
	due         int64 // 0: as it is
	reply       []byte
	destination string
	routed      bool   // destination is that of the routing
	quarantine  []byte // sealed; nil: as it is
	expires     int64  // 0: as it is
	reports     []entry
}

// Change is queue.Store's.
func (s *Store) Change(ctx context.Context, id mail.ID, o queue.Order) ([]int, error) {
	s.filing.RLock()
	defer s.filing.RUnlock()
	ready, err := s.prepareOrder(ctx, id, o)
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", id, err)
	}
	var changed []int
	var gone string
	r := &request{do: func(t *txn) (err error) {
		changed, gone, err = t.change(id, milli(s.o.Now()), ready)
		return err
	}}
	r.weigh(ready.reports)
	if err := s.putOrDiscard(ready.reports, s.submit(ctx, r)); err != nil {
		return nil, err
	}
	s.recent.forget(id)
	s.removeFile(gone)
	return changed, nil
}

// Retry is queue.Store's.
func (s *Store) Retry(ctx context.Context, id mail.ID, now time.Time) error {
	_, err := s.Change(ctx, id, queue.Order{State: queue.Queued, Due: now})
	return err
}

// Drop is queue.Store's.
func (s *Store) Drop(ctx context.Context, id mail.ID) error {
	_, err := s.Change(ctx, id, queue.Order{State: queue.Dropped})
	return err
}

func (s *Store) prepareOrder(ctx context.Context, id mail.ID, o queue.Order) (order, error) {
	out := order{only: o.Only, state: slices.Index(states(), o.State), due: milli(o.Due), destination: o.Destination, routed: o.Routed, expires: milli(o.Expires)}
	if o.State != "" && (out.state < 0 || out.state == stateDelivered) {
		return order{}, fmt.Errorf("sqlqueue: no order leads to state %q", o.State)
	}
	if len(o.Reports) > 0 && o.Only == nil {
		return order{}, fmt.Errorf("sqlqueue: an order with reports names its recipients")
	}
	for _, from := range o.From {
		if n := slices.Index(states(), from); n >= 0 {
			out.from = append(out.from, n)
		}
	}
	if o.From == nil {
		out.from = []int{stateQueued, stateHeld}
	}
	var err error
	if out.reply, err = s.sealReply(id, o.Reply); err != nil {
		return order{}, err
	}
	if out.quarantine, err = s.sealQuarantine(id, o.Quarantine); err != nil {
		return order{}, err
	}
	out.reports, err = s.prepare(ctx, o.Reports)
	return out, err
}

// change does o in the transaction. gone is the file of a message that was deleted with it.
func (t *txn) change(id mail.ID, now int64, o order) (changed []int, gone string, err error) {
	rows, err := t.active(id, now)
	if err != nil {
		return nil, "", err
	}
	meant := slices.DeleteFunc(slices.Clone(rows), func(r active) bool {
		return !slices.Contains(o.from, r.state) || o.only != nil && !slices.Contains(o.only, r.idx)
	})
	free := slices.DeleteFunc(slices.Clone(meant), func(r active) bool { return r.leased })
	switch {
	case len(meant) == 0:
		return nil, "", queue.ErrNotFound
	case len(free) == 0, len(o.reports) > 0 && len(free) != len(o.only):
		return nil, "", queue.ErrLeased
	}
	t.wrote = true
	left := len(rows)
	for _, r := range free {
		state, err := t.changeOne(r, o)
		if err != nil {
			return nil, "", err
		}
		if state > stateHeld {
			left--
		}
		changed = append(changed, r.idx)
	}
	if o.expires != 0 {
		if _, err := t.db.w.prolong.Exec(o.expires, rows[0].seq); err != nil {
			return nil, "", err
		}
	}
	if left == 0 {
		if gone, err = t.remove(rows[0].seq); err != nil {
			return nil, "", err
		}
	}
	return changed, gone, t.insert(o.reports)
}

// changeOne does o to one recipient and returns its new state.
func (t *txn) changeOne(r active, o order) (state int, err error) {
	was := r.state
	if o.state >= 0 {
		r.state = o.state
	}
	if o.due != 0 {
		r.due = o.due
	}
	if o.destination != "" {
		r.rerouted = !o.routed
		if r.destination, err = t.destination(o.destination); err != nil {
			return 0, err
		}
	}
	var ready any
	if r.state == stateQueued {
		ready = r.due
	}
	t.delta.held += held(r.state) - held(was)
	if r.state > stateHeld {
		t.delta.recipients--
	}
	_, err = t.db.w.change.Exec(r.state, r.due, ready, r.destination, r.rerouted, o.reply, o.quarantine, r.seq, r.idx)
	return r.state, err
}

func held(state int) int64 {
	if state == stateHeld {
		return 1
	}
	return 0
}

// active is a recipient that is queued or held.
type active struct {
	seq              int64
	idx, state       int
	due, destination int64
	rerouted, leased bool
}

// active finds the recipients of a message that are queued or held.
func (t *txn) active(id mail.ID, now int64) (list []active, err error) {
	rows, err := t.db.w.active.Query(now, string(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r active
		if err := rows.Scan(&r.seq, &r.idx, &r.state, &r.due, &r.destination, &r.rerouted, &r.leased); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
