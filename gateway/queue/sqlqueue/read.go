package sqlqueue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

const (
	defaultLimit = 100
	pageRows     = 256 // messages read at a time
)

// messageRow is a row of table message, as it rests.
type messageRow struct {
	seq                    int64
	id, origin             string
	arrived, expires, size int64
	envelope               []byte
}

// recipientRow is a row of table recipient, its destination by name and its reply opened.
type recipientRow struct {
	idx, state, attempts int
	destination          string
	due, lease, tried    int64
	ready                int64 // 0 where it is not queued
	reply, quarantine    string
	rerouted, hidden     bool
}

// readMessage scans the messageColumns of a *sql.Row or *sql.Rows.
func readMessage(row interface{ Scan(...any) error }) (m messageRow, err error) {
	var origin sql.NullString
	if err := row.Scan(&m.seq, &m.id, &origin, &m.arrived, &m.expires, &m.size, &m.envelope); err != nil {
		return m, fmt.Errorf("sqlqueue: read a message: %w", err)
	}
	m.origin = m.id
	if origin.Valid {
		m.origin = origin.String
	}
	return m, nil
}

func (s *Store) readRecipients(ctx context.Context, db *database, m messageRow) (list []recipientRow, err error) {
	rows, err := db.r.recipients.QueryContext(ctx, m.seq)
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: read recipients: %w", err)
	}
	defer rows.Close()
	var numbers []int64
	for rows.Next() {
		var r recipientRow
		var number int64
		var ready, lease, tried sql.NullInt64
		var reply, why []byte
		if err := rows.Scan(&r.idx, &number, &r.state, &r.attempts, &r.due, &ready, &lease, &tried, &reply, &r.rerouted, &r.hidden, &why); err != nil {
			return nil, fmt.Errorf("sqlqueue: read recipients: %w", err)
		}
		r.ready, r.lease, r.tried, r.reply = ready.Int64, lease.Int64, tried.Int64, s.openReply(m.id, reply)
		r.quarantine = s.openQuarantine(m.id, why)
		list, numbers = append(list, r), append(numbers, number)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlqueue: read recipients: %w", err)
	}
	for i := range list {
		if list[i].destination, err = s.names.read(db, numbers[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// openReply opens a sealed reply. It is for operators only: a damaged one says so.
func (s *Store) openReply(id string, sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	reply, err := s.key.Open(sealed, replyPlace(mail.ID(id)))
	if err != nil {
		return "(cannot be read back)"
	}
	return string(reply)
}

// assemble makes a message of its rows. Where the envelope does not open, or does not fit the rows, it
// returns what stands in clear and ErrDamaged.
func (s *Store) assemble(m messageRow, recipients []recipientRow) (queue.Message, error) {
	message := queue.Message{Origin: mail.ID(m.origin), Size: m.size, Expires: fromMilli(m.expires)}
	message.Recipients = make([]queue.Recipient, len(recipients))
	rec, err := s.openRecord(m)
	if err == nil && len(rec.envelope.Recipients) != len(recipients) {
		err = errCodec
	}
	if err != nil {
		rec = record{note: "the envelope cannot be read back"}
		rec.envelope.Received = fromMilli(m.arrived)
	}
	message.Envelope, message.Note, message.Pending, message.Archive = rec.envelope, rec.note, rec.pending, rec.archive
	message.Envelope.ID = mail.ID(m.id)
	for i, r := range recipients {
		to := &message.Recipients[i]
		if err == nil {
			to.Recipient = rec.envelope.Recipients[i]
		}
		to.Destination, to.Attempts, to.LastReply = r.destination, r.attempts, r.reply
		to.LastTried, to.Rerouted, to.Hidden = fromMilli(r.tried), r.rerouted, r.hidden
		to.Quarantine = r.quarantine
		to.Busy = r.lease != 0 && r.ready > milli(s.o.Now())
		if r.state < len(states()) {
			to.State = states()[r.state]
		}
		if r.state == stateQueued {
			to.Next = fromMilli(r.due)
		}
	}
	if err != nil {
		return message, fmt.Errorf("message %s: %w", m.id, queue.ErrDamaged)
	}
	return message, nil
}

func (s *Store) openRecord(m messageRow) (record, error) {
	plain, err := s.key.Open(m.envelope, envelopePlace(mail.ID(m.id)))
	if err != nil {
		return record{}, err
	}
	return decodeRecord(plain)
}

// Destinations is queue.Store's.
func (s *Store) Destinations(ctx context.Context) (list []queue.Due, err error) {
	err = s.reading(func(db *database) error {
		rows, err := db.r.destinations.QueryContext(ctx)
		if err != nil {
			return fmt.Errorf("sqlqueue: destinations: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, at int64
			if err := rows.Scan(&id, &at); err != nil {
				return fmt.Errorf("sqlqueue: destinations: %w", err)
			}
			name, err := s.names.read(db, id)
			if err != nil {
				return err
			}
			list = append(list, queue.Due{Destination: name, At: fromMilli(at)})
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("sqlqueue: destinations: %w", err)
		}
		return nil
	})
	return list, err
}

// Stats is queue.Store's.
func (s *Store) Stats(ctx context.Context) (stats queue.Stats, err error) {
	err = s.reading(func(db *database) error {
		var oldest sql.NullInt64
		if err := db.r.stats.QueryRowContext(ctx).Scan(&stats.Messages, &stats.Recipients, &stats.Held, &stats.Bytes, &stats.Pending, &oldest); err != nil {
			return fmt.Errorf("sqlqueue: stats: %w", err)
		}
		stats.Oldest = fromMilli(oldest.Int64)
		return nil
	})
	return stats, err
}

// List is queue.Store's. A filter by sender or recipient opens every envelope on the way.
func (s *Store) List(ctx context.Context, f queue.Filter) ([]queue.Message, error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	f.Sender, f.Recipient = strings.ToLower(f.Sender), strings.ToLower(f.Recipient)
	var list []queue.Message
	for after := string(f.After); ; {
		page, last, err := s.page(ctx, f, after)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(list) >= f.Limit {
			return list[:f.Limit], nil
		}
		if last == "" {
			return list, nil
		}
		after = last
	}
}

// page returns the messages of the next page that pass f; last is the id to go on from, empty at the end.
func (s *Store) page(ctx context.Context, f queue.Filter, after string) (list []queue.Message, last string, err error) {
	err = s.reading(func(db *database) error {
		rows, err := s.pageRows(ctx, db, f, after)
		if err != nil || len(rows) == 0 {
			return err
		}
		if len(rows) == pageRows && f.ID == "" {
			last = rows[len(rows)-1].id
		}
		for _, row := range rows {
			if !s.named(row, f) {
				continue
			}
			recipients, err := s.readRecipients(ctx, db, row)
			if err != nil {
				return err
			}
			if len(recipients) == 0 {
				continue // settled meanwhile
			}
			message, err := s.assemble(row, recipients)
			if err != nil && !errors.Is(err, queue.ErrDamaged) {
				return err
			}
			if matches(message, f) {
				list = append(list, message)
			}
		}
		return nil
	})
	return list, last, err
}

func (s *Store) pageRows(ctx context.Context, db *database, f queue.Filter, after string) (list []messageRow, err error) {
	var rows *sql.Rows
	if f.ID != "" {
		rows, err = db.r.listID.QueryContext(ctx, string(f.ID))
	} else {
		var destination int64
		if f.Destination != "" {
			if destination, err = s.names.number(ctx, db, f.Destination); err != nil || destination == 0 {
				return nil, err
			}
		}
		before := int64(math.MaxInt64)
		if !f.Before.IsZero() {
			before = milli(f.Before)
		}
		rows, err = db.r.list.QueryContext(ctx, after, destination, slices.Index(states(), f.State), pageRows, before, f.Pending)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := readMessage(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("sqlqueue: list: %w", err)
	}
	return list, nil
}

// named reports whether the envelope of a message passes the filters by sender and recipient.
func (s *Store) named(row messageRow, f queue.Filter) bool {
	if f.Sender == "" && f.Recipient == "" {
		return true
	}
	rec, err := s.openRecord(row)
	if err != nil || !strings.Contains(rec.envelope.From.Key(), f.Sender) {
		return false
	}
	return slices.ContainsFunc(rec.envelope.Recipients, func(r mail.Recipient) bool {
		return strings.Contains(r.Address.Key(), f.Recipient)
	})
}

// matches reports whether a message passes the rest of f, whatever the database has filtered.
func matches(m queue.Message, f queue.Filter) bool {
	if f.After != "" && m.Envelope.ID <= f.After {
		return false
	}
	if !f.Before.IsZero() && !m.Envelope.Received.Before(f.Before) {
		return false
	}
	if f.Pending && !m.IsPending() {
		return false
	}
	return slices.ContainsFunc(m.Recipients, f.Selects)
}
