package proof

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// maxSteps bounds the steps of a record: what is more takes the place of the last.
const maxSteps = 1000

// row is a record as the database has it.
type row struct {
	num     int64
	key     string
	content string
	body    recordBody
	status  recordStatus
}

// querier is a transaction, or a database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const selectRow = `SELECT num, key, state, coalesce(taken, 0), awaits, told, content, body, status FROM record `

// load reads the record with a key; ErrUnknown.
func (s *Store) load(ctx context.Context, q querier, key string) (*row, error) {
	return s.scan(q.QueryRowContext(ctx, selectRow+`WHERE key = ?`, key))
}

func (s *Store) loadNum(ctx context.Context, q querier, num int64) (*row, error) {
	return s.scan(q.QueryRowContext(ctx, selectRow+`WHERE num = ?`, num))
}

// scan reads a row, and holds what stands in clear against what is sealed.
func (s *Store) scan(from interface{ Scan(...any) error }) (*row, error) {
	r := &row{}
	var state, awaits, told int
	var taken int64
	var body, status []byte
	err := from.Scan(&r.num, &r.key, &state, &taken, &awaits, &told, &r.content, &body, &status)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, wrap(err)
	}
	if err := errors.Join(s.unseal(body, recordPlace(r.key), &r.body), s.unseal(status, statusPlace(r.key), &r.status)); err != nil {
		return nil, err
	}
	if r.status.State.number() != state || r.status.Awaits != awaits || r.status.Told != told || r.takenMilli() != taken {
		return nil, fmt.Errorf("%w: a row was altered", ErrDamaged)
	}
	return r, nil
}

// takenMilli is when it was taken; 0 where it was not.
func (r *row) takenMilli() int64 {
	if r.status.Taken.IsZero() {
		return 0
	}
	return milli(r.status.Taken)
}

// save writes what changes of a record.
func (s *Store) save(ctx context.Context, tx *sql.Tx, r *row) error {
	status, err := s.seal(r.status, statusPlace(r.key))
	if err != nil {
		return err
	}
	var taken any
	if at := r.takenMilli(); at != 0 {
		taken = at
	}
	_, err = tx.ExecContext(ctx, `UPDATE record SET state = ?, taken = ?, awaits = ?, told = ?, status = ? WHERE num = ?`,
		r.status.State.number(), taken, r.status.Awaits, r.status.Told, status, r.num)
	return wrap(err)
}

// step adds what happened. The same thing again, with nothing in between, is counted.
func (s *Store) step(ctx context.Context, tx *sql.Tx, r *row, next Step) error {
	next.Last, next.Count = next.Time, 1
	idx := r.status.Steps
	if idx > 0 {
		last, err := s.readStep(ctx, tx, r, idx-1)
		if err != nil {
			return err
		}
		switch same := last.State == next.State && last.Class == next.Class && last.Text == next.Text && last.Who == next.Who; {
		case same:
			last.Last, last.Count = next.Time, last.Count+1
			next, idx = last, idx-1
		case idx >= maxSteps:
			idx--
		}
	}
	body, err := s.seal(next, stepPlace(r.key, idx))
	if err != nil {
		return err
	}
	r.status.Steps = idx + 1
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO step (record, idx, body) VALUES (?, ?, ?)`, r.num, idx, body)
	return wrap(err)
}

func (s *Store) readStep(ctx context.Context, q querier, r *row, idx int) (step Step, err error) {
	var body []byte
	err = q.QueryRowContext(ctx, `SELECT body FROM step WHERE record = ? AND idx = ?`, r.num, idx).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return step, fmt.Errorf("%w: a step is missing", ErrDamaged)
	}
	if err != nil {
		return step, wrap(err)
	}
	return step, s.unseal(body, stepPlace(r.key, idx), &step)
}

// kinds are the confirmations that may be asked for, in the order of the bits of awaits and told.
func kinds() []demail.MessageType {
	return []demail.MessageType{demail.TypeDispatch, demail.TypeReceipt, demail.TypeRetrieve}
}

// kindsOf are those of bits.
func kindsOf(bits int) (out []demail.MessageType) {
	for i, k := range kinds() {
		if bits&(1<<i) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// asked are the bits of the confirmations that were asked for.
func (b *recordBody) asked() (bits int) {
	for i, asked := range []bool{b.Options.Dispatch, b.Options.Receipt, b.Options.Retrieve} {
		if asked {
			bits |= 1 << i
		}
	}
	return bits
}

// expected is how many confirmations of a kind there will be: one of dispatch, and one of the others from each recipient.
func (b *recordBody) expected(k demail.MessageType) int {
	if k == demail.TypeDispatch {
		return 1
	}
	seen := map[demail.Address]bool{}
	for _, m := range b.Recipients.All() {
		seen[m.Address] = true
	}
	return len(seen)
}

// await finds out which confirmations are still to come.
func (s *Store) await(ctx context.Context, tx *sql.Tx, r *row) error {
	r.status.Awaits = 0
	if r.status.State != Taken || r.status.Waived || r.body.asked() == 0 {
		return nil
	}
	all, err := s.evidenceOf(ctx, tx, r)
	if err != nil {
		return err
	}
	came := map[demail.MessageType]map[string]bool{}
	for _, e := range all {
		if !e.Counts {
			continue
		}
		if came[e.Kind] == nil {
			came[e.Kind] = map[string]bool{}
		}
		came[e.Kind][e.distinct()] = true
	}
	for i, k := range kinds() {
		if r.body.asked()&(1<<i) != 0 && len(came[k]) < r.body.expected(k) {
			r.status.Awaits |= 1 << i
		}
	}
	return nil
}

// distinct is what copies of one confirmation have in common, and all that confirm the same of one recipient: two of his do not stand for
// two recipients.
func (k *Kept) distinct() string {
	v := k.Verdict()
	switch {
	case !v.Recipient.IsZero():
		return "recipient " + v.Recipient.String()
	case len(v.Signed) > 0:
		return string(v.Signed)
	}
	return string(k.SHA256)
}

// record makes what is read of a row.
func (s *Store) record(ctx context.Context, q querier, r *row) (Record, error) {
	b, st := r.body, r.status
	out := Record{
		Key: r.key, ID: b.ID, Origin: b.Origin, Account: b.Account, Sender: b.Sender, Author: b.Author, Recipients: b.Recipients, Options: b.Options,
		Subject: b.Subject, MessageID: b.MessageID, Accepted: b.Accepted, Began: b.Began, Size: b.Measure.Size, SHA256: b.Measure.SHA256, CRC32: b.Measure.CRC32,
		Bodies: b.Measure.Bodies, State: st.State, Taken: st.Taken, Attempts: st.Attempts, Tried: st.Tried, Awaiting: kindsOf(st.Awaits), Waived: st.Waived,
	}
	out.Receipt.ID, out.Receipt.Time = st.ReceiptID, st.ReceiptTime
	out.Late = s.late(r, s.o.Now())
	for idx := range st.Steps {
		step, err := s.readStep(ctx, q, r, idx)
		if err != nil {
			return Record{}, err
		}
		out.Steps = append(out.Steps, step)
	}
	var err error
	out.Evidence, err = s.evidenceOf(ctx, q, r)
	return out, err
}

// late are the confirmations of a record that are overdue.
func (s *Store) late(r *row, now time.Time) (out []demail.MessageType) {
	terms := s.terms.Load().Overdue
	for _, k := range kindsOf(r.status.Awaits) {
		if after := terms.of(k); after > 0 && now.Sub(r.status.Taken) >= after {
			out = append(out, k)
		}
	}
	return out
}

// column reads one column.
func column[T any](ctx context.Context, q querier, text string, args ...any) (out []T, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, wrap(err)
		}
		out = append(out, v)
	}
	return out, wrap(rows.Err())
}
