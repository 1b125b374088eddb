package sqlqueue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// lease is a claim as the database has it. Its token is the number of the message and a random number.
type lease struct{ seq, token int64 }

func newLease(seq int64) lease {
	var b [8]byte
	rand.Read(b[:])
	return lease{seq: seq, token: int64(binary.BigEndian.Uint64(b[:]) >> 1)}
}

// String implements fmt.Stringer.
func (l lease) String() string {
	return strconv.FormatInt(l.seq, 36) + "." + strconv.FormatInt(l.token, 36)
}

// parseLease reads a token; one that this package did not make is a lease that is lost.
func parseLease(token string) (lease, error) {
	seq, number, _ := strings.Cut(token, ".")
	l := lease{}
	var err1, err2 error
	l.seq, err1 = strconv.ParseInt(seq, 36, 64)
	l.token, err2 = strconv.ParseInt(number, 36, 64)
	if err1 != nil || err2 != nil {
		return lease{}, queue.ErrLeaseLost
	}
	return l, nil
}

// Claim is queue.Store's.
func (s *Store) Claim(ctx context.Context, destination string, now time.Time, length time.Duration, limit int) ([]queue.Claim, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	until := now.Add(length)
	var leases []lease
	err := s.submit(ctx, &request{do: func(t *txn) (err error) {
		leases, err = t.claim(destination, milli(now), milli(until), limit)
		return err
	}})
	if err != nil {
		return nil, err
	}
	claims := make([]queue.Claim, 0, len(leases))
	for _, l := range leases {
		c, err := s.load(l, destination)
		if errors.Is(err, queue.ErrDamaged) {
			if err := s.setAside(l, c); err != nil {
				return claims, err
			}
			continue
		}
		if err != nil {
			return claims, err
		}
		c.Until = fromMilli(milli(until))
		claims = append(claims, c)
	}
	return claims, nil
}

// claim leases the due recipients of up to limit messages.
func (t *txn) claim(destination string, now, until int64, limit int) ([]lease, error) {
	id, err := t.find(destination)
	if err != nil || id == 0 {
		return nil, err
	}
	seqs, err := t.ready(id, now, limit)
	if err != nil {
		return nil, err
	}
	leases := make([]lease, len(seqs))
	for i, seq := range seqs {
		leases[i] = newLease(seq)
		t.wrote = true
		if _, err := t.db.w.lease.Exec(leases[i].token, until, seq, id, now); err != nil {
			return nil, err
		}
	}
	return leases, nil
}

// ready finds the messages of a destination with the oldest due times.
func (t *txn) ready(destination, now int64, limit int) (seqs []int64, err error) {
	rows, err := t.db.w.ready.Query(destination, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	seen := make(map[int64]bool, limit)
	for len(seqs) < limit && rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		if !seen[seq] {
			seen[seq] = true
			seqs = append(seqs, seq)
		}
	}
	return seqs, rows.Err()
}

// load reads a message that was claimed. Where its envelope does not open it is ErrDamaged.
func (s *Store) load(l lease, destination string) (c queue.Claim, err error) {
	c = queue.Claim{Destination: destination, Token: l.String()}
	err = s.reading(func(db *database) error {
		row, err := readMessage(db.r.message.QueryRow(l.seq))
		if err != nil {
			return err
		}
		recipients, err := s.readRecipients(context.Background(), db, row)
		if err != nil {
			return err
		}
		c.Message, err = s.assemble(row, recipients)
		for i, r := range recipients {
			c.Message.Recipients[i].Busy = false
			if r.lease == l.token {
				c.Due = append(c.Due, r.idx)
			}
		}
		return err
	})
	return c, err
}

// setAside holds the recipients of a claim whose message cannot be read back.
func (s *Store) setAside(l lease, c queue.Claim) error {
	id := c.Message.Envelope.ID
	s.o.Log.WithField("id", id).Error("queue: the envelope of a message cannot be read back: held")
	reply, err := s.sealReply(id, "held: the envelope cannot be read back from the queue; the content may be readable")
	if err != nil {
		return err
	}
	return s.submit(context.Background(), &request{do: func(t *txn) error {
		t.wrote = true
		n, err := affected(t.db.w.setAside.Exec(reply, l.seq, l.token))
		t.delta.held += n
		return err
	}})
}

// Renew is queue.Store's.
func (s *Store) Renew(ctx context.Context, c queue.Claim, until time.Time) error {
	l, err := parseLease(c.Token)
	if err != nil {
		return fmt.Errorf("renew %s: %w", c.Message.Envelope.ID, err)
	}
	return s.submit(ctx, &request{do: func(t *txn) error {
		t.wrote = true
		n, err := affected(t.db.w.renew.Exec(milli(until), l.seq, l.token))
		if err != nil || n > 0 {
			return err
		}
		t.wrote = false
		return queue.ErrLeaseLost
	}})
}
