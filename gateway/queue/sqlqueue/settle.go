package sqlqueue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// The numbers of the states in the database. Those up to held are not final.
const (
	stateQueued = iota
	stateHeld
	stateDelivered
	stateFailed
	stateDropped
)

// states are the names of the numbers, in their order.
func states() []queue.State {
	return []queue.State{queue.Queued, queue.Held, queue.Delivered, queue.Failed, queue.Dropped}
}

const maxReply = 512

// maxQuarantine bounds what is said of a copy in quarantine.
const maxQuarantine = 64 << 10

// settled is an outcome made ready for its row.
type settled struct {
	idx, state int
	due, tried int64
	reply      []byte // sealed
	hidden     bool
	quarantine []byte // sealed; nil: it is not set aside
}

// Settle is queue.Store's.
func (s *Store) Settle(ctx context.Context, c queue.Claim, outcomes []queue.Outcome, entries []queue.New) error {
	id := c.Message.Envelope.ID
	l, err := parseLease(c.Token)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	list, err := s.prepareOutcomes(c, outcomes)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	s.filing.RLock()
	defer s.filing.RUnlock()
	ready, err := s.prepare(ctx, entries)
	if err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	var gone string
	r := &request{do: func(t *txn) (err error) {
		gone, err = t.settle(l, list, ready)
		return err
	}}
	r.weigh(ready)
	s.recent.learn(ready)
	if err := s.putOrDiscard(ready, s.submit(ctx, r)); err != nil {
		return fmt.Errorf("settle %s: %w", id, err)
	}
	s.recent.forget(id)
	s.removeFile(gone)
	return nil
}

func (s *Store) prepareOutcomes(c queue.Claim, outcomes []queue.Outcome) ([]settled, error) {
	seen := make(map[int]bool, len(outcomes))
	list := make([]settled, len(outcomes))
	for i, o := range outcomes {
		state := slices.Index(states(), o.State)
		if state < 0 || seen[o.Index] || !slices.Contains(c.Due, o.Index) {
			return nil, fmt.Errorf("sqlqueue: outcome %d (recipient %d, %q): not a state, not of the claim, or twice", i, o.Index, o.State)
		}
		seen[o.Index] = true
		if o.Quarantine != "" && o.State != queue.Held {
			return nil, fmt.Errorf("sqlqueue: outcome %d: what is in quarantine is held, not %q", i, o.State)
		}
		reply, err := s.sealReply(c.Message.Envelope.ID, o.Reply)
		if err != nil {
			return nil, err
		}
		why, err := s.sealQuarantine(c.Message.Envelope.ID, o.Quarantine)
		if err != nil {
			return nil, err
		}
		tried := o.Tried
		if tried.IsZero() {
			tried = s.o.Now()
		}
		list[i] = settled{idx: o.Index, state: state, due: milli(o.Next), tried: milli(tried), reply: reply, hidden: o.Hidden, quarantine: why}
	}
	return list, nil
}

// sealReply seals a reply, cut to what is kept; nothing for the empty one.
func (s *Store) sealReply(id mail.ID, reply string) ([]byte, error) {
	if reply == "" {
		return nil, nil
	}
	return s.key.Seal([]byte(reply[:min(len(reply), maxReply)]), replyPlace(id))
}

// settle records outcomes in the transaction. gone is the file of a message that was deleted with it.
func (t *txn) settle(l lease, outcomes []settled, entries []entry) (gone string, err error) {
	leased, err := t.leased(l)
	if err != nil {
		return "", err
	}
	final := 0
	for _, o := range outcomes {
		if !slices.Contains(leased, o.idx) {
			return "", queue.ErrLeaseLost
		}
		if o.state > stateHeld {
			final++
		}
	}
	if len(leased) == 0 {
		return "", queue.ErrLeaseLost
	}
	others := true
	if final == len(leased) {
		if err := t.db.w.othersActive.QueryRow(l.seq, l.token).Scan(&others); err != nil {
			return "", err
		}
	}
	t.wrote = true
	if others {
		err = t.record(l, outcomes, len(outcomes) < len(leased))
	} else {
		gone, err = t.remove(l.seq)
	}
	if err != nil {
		return "", err
	}
	t.delta.recipients -= int64(final)
	return gone, t.insert(entries)
}

// leased lists the recipients under a lease.
func (t *txn) leased(l lease) (idx []int, err error) {
	rows, err := t.db.w.leased.Query(l.seq, l.token)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			return nil, err
		}
		idx = append(idx, i)
	}
	return idx, rows.Err()
}

// record writes outcomes to their rows, and lets go the rest of the lease.
func (t *txn) record(l lease, outcomes []settled, rest bool) error {
	for _, o := range outcomes {
		var ready any
		if o.state == stateQueued {
			ready = o.due
		}
		if o.state == stateHeld {
			t.delta.held++
		}
		if _, err := t.db.w.outcome.Exec(o.state, o.due, ready, o.tried, o.reply, o.hidden, l.seq, o.idx); err != nil {
			return err
		}
		if err := t.setAside(l.seq, o); err != nil {
			return err
		}
	}
	if !rest {
		return nil
	}
	_, err := t.db.w.release.Exec(l.seq, l.token)
	return err
}

// setAside moves a recipient into quarantine, where its outcome says so.
func (t *txn) setAside(seq int64, o settled) error {
	if o.quarantine == nil {
		return nil
	}
	destination, err := t.destination(queue.Quarantine)
	if err != nil {
		return err
	}
	_, err = t.db.w.quarantine.Exec(destination, o.quarantine, seq, o.idx)
	return err
}

// remove deletes a message and returns the name of its file. Its recipients are counted by the caller.
func (t *txn) remove(seq int64) (file string, err error) {
	var size int64
	var name sql.NullString
	var pending int64
	if err := t.db.w.deleteMessage.QueryRow(seq).Scan(&size, &name, &pending); err != nil {
		return "", err
	}
	if _, err := t.db.w.deleteRecipients.Exec(seq); err != nil {
		return "", err
	}
	if !name.Valid {
		if _, err := t.db.w.deleteContent.Exec(seq); err != nil {
			return "", err
		}
	}
	t.delta.messages--
	t.delta.bytes -= size
	t.delta.pending -= pending
	return name.String, nil
}

// affected is the number of rows a statement changed.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
