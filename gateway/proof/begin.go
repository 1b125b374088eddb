package proof

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Begin writes down that a message is about to be submitted, with its content, and returns what was known of it before:
//
//	None, Waiting       it may be submitted now; the record says Trying
//	Trying, Doubtful    the provider may have it: ask Find first, and submit only where the answer is connectors.ErrNotFound
//	Taken, Refused      it is settled and must not be submitted
//
// The same message may begin any number of times. Errors: ErrKeyUsed where the key is that of another content, ErrInvalid, and those of every call; with
// any, the message must not be submitted.
func (s *Store) Begin(ctx context.Context, m Submission) (State, error) {
	if err := m.check(); err != nil {
		return None, err
	}
	of, err := measured(ctx, m.Content, true)
	if err != nil {
		return None, err
	}
	before, err := s.again(ctx, m.Key, of)
	if !errors.Is(err, ErrUnknown) {
		return before, err
	}
	content, err := s.store(ctx, m.Content)
	if err != nil {
		return None, err
	}
	err = s.writing(ctx, func(tx *sql.Tx) error { return s.insert(ctx, tx, m, of, content) })
	if err != nil {
		s.discard(err, content)
		if errors.Is(err, errThere) { // somebody else began it meanwhile
			return s.again(ctx, m.Key, of)
		}
		return None, err
	}
	s.keep(content)
	return None, nil
}

// errThere is that of a record that is there already.
var errThere = errors.New("proof: the record is there")

// check holds a submission to what can stand in the record.
func (m *Submission) check() error {
	wrong := func(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }
	switch {
	case !validKey(m.Key):
		return wrong("its key is empty, too long, or has other than visible letters of ASCII")
	case m.Account == "":
		return wrong("it names no account")
	case m.Sender.IsZero(), len(m.Recipients.All()) == 0:
		return wrong("it has no sender or no recipient")
	case len(m.Recipients.All()) > demail.MaxRecipients:
		return wrong("it has too many recipients")
	case m.Content == nil || m.Content.Size() > demail.MaxGross:
		return wrong("it has no content, or more than any De-Mail")
	}
	return nil
}

func validKey(s string) bool {
	return s != "" && len(s) <= connectors.MaxKey && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// again begins what is in the record; ErrUnknown where it is not.
func (s *Store) again(ctx context.Context, key string, of measure) (before State, err error) {
	r, err := s.peek(ctx, key)
	if err != nil {
		return None, err
	}
	if !bytes.Equal(r.body.Measure.SHA256, of.SHA256) {
		return None, ErrKeyUsed
	}
	if r.status.State != Waiting {
		return r.status.State, nil
	}
	err = s.writing(ctx, func(tx *sql.Tx) error {
		r, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		if before = r.status.State; before != Waiting {
			return nil
		}
		r.status.State, r.status.Attempts, r.status.Tried = Trying, r.status.Attempts+1, s.o.Now().UTC()
		return s.save(ctx, tx, r)
	})
	if err != nil {
		return None, err
	}
	return before, nil
}

// peek reads a record.
func (s *Store) peek(ctx context.Context, key string) (r *row, err error) {
	err = s.reading(ctx, func(tx *sql.Tx) error {
		r, err = s.load(ctx, tx, key)
		return err
	})
	return r, err
}

// insert writes a new record.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, m Submission, of measure, content stored) error {
	now := s.o.Now().UTC()
	r := &row{key: m.Key, content: content.name, status: recordStatus{State: Trying, Attempts: 1, Tried: now}, body: recordBody{
		ID: m.ID, Origin: m.Origin, Account: m.Account, Sender: m.Sender, Author: m.Author, Recipients: m.Recipients, Options: m.Options,
		Subject: m.Subject, MessageID: m.MessageID, Accepted: m.Accepted, Began: now, Measure: of,
	}}
	var there bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM record WHERE key = ?)`, m.Key).Scan(&there); err != nil {
		return wrap(err)
	}
	if there {
		return errThere
	}
	body, err := s.seal(r.body, recordPlace(m.Key))
	if err != nil {
		return err
	}
	status, err := s.seal(r.status, statusPlace(m.Key))
	if err != nil {
		return err
	}
	if err := content.insert(ctx, tx); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO record (key, state, began, awaits, told, content, body, status) VALUES (?, ?, ?, 0, 0, ?, ?, ?)`,
		m.Key, Trying.number(), milli(now), content.name, body, status)
	if err != nil {
		return wrap(err)
	}
	if r.num, err = result.LastInsertId(); err != nil {
		return wrap(err)
	}
	return s.addTerms(ctx, tx, r.num, s.termsOf(&r.body)...)
}

func (s *Store) addTerms(ctx context.Context, tx *sql.Tx, num int64, terms ...[]byte) error {
	for _, t := range terms {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO term (mac, record) VALUES (?, ?)`, t, num); err != nil {
			return wrap(err)
		}
	}
	return nil
}

// Settle writes down what became of an attempt, or what Find told. The last word is the provider's: what was taken stays so, and what was refused can
// only turn out to have been taken; anything else is ErrFinal then. Saying the same again does nothing. ErrUnknown.
func (s *Store) Settle(ctx context.Context, key string, result Result) error {
	if result.State.number() < 0 || result.State == Trying || len(result.Receipt.ID) > connectors.MaxID {
		return fmt.Errorf("%w: %q is nothing that becomes of an attempt", ErrInvalid, result.State)
	}
	return s.writing(ctx, func(tx *sql.Tx) error {
		r, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		if r.status.State.final() && result.State != Taken {
			if r.status.State == result.State {
				return nil
			}
			return ErrFinal
		}
		if result.Time.IsZero() {
			result.Time = s.o.Now()
		}
		return s.settle(ctx, tx, r, result, "")
	})
}

// settle changes the state of a record, and all that hangs on it.
func (s *Store) settle(ctx context.Context, tx *sql.Tx, r *row, result Result, who string) error {
	if r.status.State == Taken && (r.status.ReceiptID != "" || result.Receipt.ID == "") {
		return nil // what was known first stays
	}
	at := result.Time.UTC()
	r.status.State = result.State
	if result.State == Taken {
		if r.status.Taken.IsZero() {
			r.status.Taken = at
		}
		r.status.ReceiptID, r.status.ReceiptTime = result.Receipt.ID, result.Receipt.Time.UTC()
		if result.Receipt.Time.IsZero() {
			r.status.ReceiptTime = time.Time{}
		}
		if result.Receipt.ID != "" {
			if err := s.addTerms(ctx, tx, r.num, s.mac("demail "+r.body.Account, result.Receipt.ID)); err != nil {
				return err
			}
		}
	}
	if err := s.step(ctx, tx, r, Step{Time: at, State: result.State, Class: short(result.Class), Text: short(result.Text), Who: short(who)}); err != nil {
		return err
	}
	if err := s.await(ctx, tx, r); err != nil {
		return err
	}
	return s.save(ctx, tx, r)
}

// maxText bounds the texts of a step.
const maxText = 1000

func short(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "\uFFFD")
}

// Decision is what a person says of a submission.
type Decision string

// What a person may say.
const (
	DecideTaken    Decision = "taken"     // the provider has it
	DecideNotTaken Decision = "not-taken" // the provider does not have it, and will not get it
	DecideWaive    Decision = "waive"     // it was taken, and no confirmation is awaited any more
)

// Resolve writes down what a person found out of a submission that is in doubt, or that awaits confirmations that will never come. The caller has it
// in the audit log before. ErrFinal where there is nothing to decide: the provider has said it. ErrUnknown.
func (s *Store) Resolve(ctx context.Context, key string, d Decision, who string) error {
	return s.writing(ctx, func(tx *sql.Tx) error {
		r, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		if err := decidable(r, d); err != nil {
			return err
		}
		now := s.o.Now().UTC()
		switch d {
		case DecideTaken:
			return s.settle(ctx, tx, r, Result{State: Taken, Time: now, Text: "a person said that the provider has it"}, who)
		case DecideNotTaken:
			return s.settle(ctx, tx, r, Result{State: Refused, Time: now, Text: "a person said that the provider does not have it"}, who)
		}
		r.status.Waived = true
		if err := s.step(ctx, tx, r, Step{Time: now, State: r.status.State, Text: "a person said that no confirmation is awaited any more", Who: short(who)}); err != nil {
			return err
		}
		if err := s.await(ctx, tx, r); err != nil {
			return err
		}
		return s.save(ctx, tx, r)
	})
}

// Decidable tells whether a person can decide this of a submission at present, with the errors of Resolve.
func (s *Store) Decidable(ctx context.Context, key string, d Decision) error {
	r, err := s.peek(ctx, key)
	if err != nil {
		return err
	}
	return decidable(r, d)
}

// decidable tells whether there is something that a person can decide.
func decidable(r *row, d Decision) error {
	switch d {
	case DecideTaken, DecideNotTaken:
		if r.status.State != Doubtful && r.status.State != Trying {
			return ErrFinal
		}
	case DecideWaive:
		if r.status.State != Taken || r.status.Awaits == 0 {
			return ErrFinal
		}
	default:
		return fmt.Errorf("%w: %q is no decision", ErrInvalid, d)
	}
	return nil
}
