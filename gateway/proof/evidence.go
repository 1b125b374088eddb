package proof

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/siegel-mail/siegel/connectors"
)

const (
	maxVerdicts     = 10 // of one confirmation
	maxCertificates = 20 // of one verdict
	maxRevocation   = 40 // of one verdict
)

// Confirm keeps a confirmation or notification as it came, with what was found of it, and returns the submissions that it is about; none where
// the record does not have them: then it is kept all the same. duplicate reports that it was kept before; a verdict that proves what could not be decided
// then is added to the former ones. What is proven settles a submission that was in doubt.
//
// ErrInvalid where it is neither a confirmation nor a notification. Only what is proven, and names the sender of the submission and no other body, counts as one that was
// asked for; the rest is shown as what it is.
func (s *Store) Confirm(ctx context.Context, e Evidence) (matched []Record, duplicate bool, err error) {
	if err := e.check(); err != nil {
		return nil, false, err
	}
	of, err := measured(ctx, e.Content, false)
	if err != nil {
		return nil, false, err
	}
	s.filing.Lock()
	defer s.filing.Unlock()
	files, err := s.attach(ctx, &e.Verdict)
	if err == nil {
		matched, duplicate, err = s.confirm(ctx, e, of, files)
	}
	if err != nil {
		s.discard(err, files...)
		return nil, false, err
	}
	s.keep(files...)
	return matched, duplicate, nil
}

func (e *Evidence) check() error {
	switch {
	case e.Account == "" || e.ID == "" || len(e.ID) > connectors.MaxID:
		return fmt.Errorf("%w: evidence has an account, and an id that the provider gave", ErrInvalid)
	case !e.Kind.Confirmation() && !e.Kind.Notification():
		return fmt.Errorf("%w: a message of this type is no evidence", ErrInvalid)
	case e.Content == nil || e.Content.Size() > connectors.MaxIncoming:
		return fmt.Errorf("%w: evidence has content, and no more than any De-Mail", ErrInvalid)
	}
	return e.Verdict.check()
}

// check bounds a verdict, and its texts.
func (v *Verdict) check() error {
	if len(v.Certificates) > maxCertificates || len(v.Revocation) > maxRevocation {
		return fmt.Errorf("%w: %d certificates and %d answers about them; %d and %d are the most", ErrInvalid, len(v.Certificates), len(v.Revocation), maxCertificates, maxRevocation)
	}
	for _, text := range []*string{&v.State, &v.Reason} {
		*text = short(*text)
	}
	for i := range v.Revocation {
		v.Revocation[i].Kind, v.Revocation[i].From = short(v.Revocation[i].Kind), short(v.Revocation[i].From)
	}
	for _, text := range []string{v.Keys.PrivateID, v.Keys.DeMailID, v.Keys.MessageID, v.Keys.Integrity} {
		if len(text) > 8<<10 {
			return fmt.Errorf("%w: what a confirmation belongs to is longer than any id", ErrInvalid)
		}
	}
	return nil
}

// confirm writes evidence whose attachments are ready.
func (s *Store) confirm(ctx context.Context, e Evidence, of measure, files []stored) (matched []Record, duplicate bool, err error) {
	var content stored
	mac := s.message(e.Account, e.ID)
	known := false
	if err := s.reading(ctx, func(tx *sql.Tx) error {
		return wrap(tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM evidence WHERE mac = ?)`, mac).Scan(&known))
	}); err != nil {
		return nil, false, err
	}
	if !known {
		if content, err = s.store(ctx, e.Content); err != nil {
			return nil, false, err
		}
	}
	err = s.writing(ctx, func(tx *sql.Tx) error {
		var num int64
		var err error
		if known {
			num, err = s.judgeAgain(ctx, tx, mac, e.Verdict, files)
		} else {
			num, err = s.insertEvidence(ctx, tx, e, of, content, files)
		}
		if err == nil {
			matched, err = s.link(ctx, tx, num)
		}
		return err
	})
	if err != nil {
		if !known {
			s.discard(err, content)
		}
		return nil, false, err
	}
	if !known {
		s.keep(content)
	}
	return matched, known, nil
}

func (s *Store) insertEvidence(ctx context.Context, tx *sql.Tx, e Evidence, of measure, content stored, files []stored) (int64, error) {
	mac := s.message(e.Account, e.ID)
	if e.Fetched.IsZero() {
		e.Fetched = s.o.Now()
	}
	if e.Verdict.At.IsZero() {
		e.Verdict.At = e.Fetched
	}
	body := evidenceBody{Account: e.Account, ID: e.ID, Kind: e.Kind, Fetched: e.Fetched.UTC(), Measure: of, Verdicts: []Verdict{e.Verdict}}
	sealed, err := s.seal(body, evidencePlace(mac))
	if err != nil {
		return 0, err
	}
	if err := content.insert(ctx, tx); err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO evidence (mac, fetched, undecided, content, body) VALUES (?, ?, ?, ?, ?)`,
		mac, milli(body.Fetched), e.Verdict.Undecided, content.name, sealed)
	if err != nil {
		return 0, wrap(err)
	}
	num, err := result.LastInsertId()
	if err != nil {
		return 0, wrap(err)
	}
	return num, s.insertAttached(ctx, tx, num, files)
}

// insertAttached writes the rows of certificates and answers, and whose they are.
func (s *Store) insertAttached(ctx context.Context, tx *sql.Tx, owner int64, files []stored) error {
	for _, f := range files {
		if err := f.insert(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO attached (owner, name) VALUES (?, ?)`, owner, f.name); err != nil {
			return wrap(err)
		}
	}
	return nil
}

// judgeAgain adds a verdict to evidence that is kept, where it says more than the last one.
func (s *Store) judgeAgain(ctx context.Context, tx *sql.Tx, mac []byte, v Verdict, files []stored) (int64, error) {
	e, err := s.loadEvidence(ctx, tx, `WHERE mac = ?`, mac)
	if err != nil {
		return 0, err
	}
	last := e.body.Verdicts[len(e.body.Verdicts)-1]
	if last.Proven || !last.Undecided && !v.Proven || v.Undecided || len(e.body.Verdicts) >= maxVerdicts {
		return e.num, s.unused(ctx, tx, files)
	}
	if v.At.IsZero() {
		v.At = s.o.Now()
	}
	e.body.Verdicts = append(e.body.Verdicts, v)
	sealed, err := s.seal(e.body, evidencePlace(mac))
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE evidence SET undecided = ?, body = ? WHERE num = ?`, v.Undecided, sealed, e.num); err != nil {
		return 0, wrap(err)
	}
	return e.num, s.insertAttached(ctx, tx, e.num, files)
}

// unused has the files removed that nothing needs after all.
func (s *Store) unused(ctx context.Context, tx *sql.Tx, files []stored) error {
	for _, f := range files {
		if f.known() || f.body != nil {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO gone (name) VALUES (?)`, f.name); err != nil {
			return wrap(err)
		}
	}
	return nil
}

// evidenceRow is evidence as the database has it.
type evidenceRow struct {
	num     int64
	content string
	body    evidenceBody
}

func (s *Store) loadEvidence(ctx context.Context, q querier, where string, args ...any) (*evidenceRow, error) {
	e := &evidenceRow{}
	var mac, body []byte
	var undecided bool
	err := q.QueryRowContext(ctx, `SELECT num, mac, undecided, content, body FROM evidence `+where, args...).Scan(&e.num, &mac, &undecided, &e.content, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, wrap(err)
	}
	if err := s.unseal(body, evidencePlace(mac), &e.body); err != nil {
		return nil, err
	}
	if n := len(e.body.Verdicts); n == 0 || e.body.Verdicts[n-1].Undecided != undecided {
		return nil, fmt.Errorf("%w: a row was altered", ErrDamaged)
	}
	return e, nil
}

// kept is what is read of it.
func (e *evidenceRow) kept() Kept {
	b := e.body
	return Kept{Account: b.Account, ID: b.ID, Kind: b.Kind, Fetched: b.Fetched, Size: b.Measure.Size, SHA256: b.Measure.SHA256, CRC32: b.Measure.CRC32, Verdicts: b.Verdicts}
}

// evidenceOf is what came of a submission, the oldest first.
func (s *Store) evidenceOf(ctx context.Context, q querier, r *row) (out []Kept, err error) {
	nums, err := column[int64](ctx, q, `SELECT evidence FROM belongs WHERE record = ? ORDER BY evidence`, r.num)
	if err != nil {
		return nil, err
	}
	for _, num := range nums {
		e, err := s.loadEvidence(ctx, q, `WHERE num = ?`, num)
		if errors.Is(err, ErrUnknown) {
			return nil, fmt.Errorf("%w: evidence is missing", ErrDamaged)
		}
		if err != nil {
			return nil, err
		}
		k := e.kept()
		k.Counts, k.SameBody = r.counts(&k), r.sameBody(k.Verdict().Keys)
		out = append(out, k)
	}
	return out, nil
}

// Unmatched lists evidence that belongs to no submission of the record, the newest first, 1000 at most.
func (s *Store) Unmatched(ctx context.Context) ([]Kept, error) {
	return s.listEvidence(ctx, `SELECT num FROM evidence WHERE num NOT IN (SELECT evidence FROM belongs) ORDER BY num DESC LIMIT 1000`)
}

// Undecided lists evidence that may be proven later, since something that had to be asked about a certificate was away, the oldest first, 1000 at most. Who has
// asked again hands it to Confirm again.
func (s *Store) Undecided(ctx context.Context) ([]Kept, error) {
	return s.listEvidence(ctx, `SELECT num FROM evidence WHERE undecided <> 0 ORDER BY num LIMIT 1000`)
}

func (s *Store) listEvidence(ctx context.Context, query string) (out []Kept, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		out = nil
		nums, err := column[int64](ctx, tx, query)
		if err != nil {
			return err
		}
		for _, num := range nums {
			e, err := s.loadEvidence(ctx, tx, `WHERE num = ?`, num)
			if err != nil {
				return err
			}
			out = append(out, e.kept())
		}
		return nil
	})
	return out, err
}

// OpenEvidence returns the bytes of evidence as it came; the caller closes the reader. ErrUnknown.
func (s *Store) OpenEvidence(ctx context.Context, account, id string) (r io.ReadCloser, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		e, err := s.loadEvidence(ctx, tx, `WHERE mac = ?`, s.message(account, id))
		if err != nil {
			return err
		}
		r, err = s.openMeasured(ctx, tx, e.content, e.body.Measure.SHA256)
		return err
	})
	return r, err
}

// OpenBlob returns a certificate, or an answer about one; the caller closes the reader. ErrUnknown.
func (s *Store) OpenBlob(ctx context.Context, b Blob) (r io.ReadCloser, err error) {
	name := s.blobName(b.SHA256)
	err = s.reading(ctx, func(tx *sql.Tx) error {
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM content WHERE name = ?)`, name).Scan(&there); err != nil {
			return wrap(err)
		}
		if !there {
			return ErrUnknown
		}
		r, err = s.openMeasured(ctx, tx, name, b.SHA256)
		return err
	})
	return r, err
}
