package proof

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// link finds the submissions that evidence is about, and does to them what it proves.
func (s *Store) link(ctx context.Context, tx *sql.Tx, num int64) ([]Record, error) {
	e, err := s.loadEvidence(ctx, tx, `WHERE num = ?`, num)
	if err != nil {
		return nil, err
	}
	candidates, err := s.candidates(ctx, tx, e)
	if err != nil {
		return nil, err
	}
	var matched []Record
	for _, candidate := range candidates {
		r, err := s.loadNum(ctx, tx, candidate)
		if err != nil {
			return nil, err
		}
		if !r.matches(e) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO belongs (record, evidence) VALUES (?, ?)`, r.num, num); err != nil {
			return nil, wrap(err)
		}
		if err := s.proves(ctx, tx, r, e); err != nil {
			return nil, err
		}
		record, err := s.record(ctx, tx, r)
		if err != nil {
			return nil, err
		}
		matched = append(matched, record)
	}
	return matched, nil
}

// proves changes a submission by evidence of it.
func (s *Store) proves(ctx context.Context, tx *sql.Tx, r *row, e *evidenceRow) error {
	k := e.kept()
	if r.status.State != Taken && r.counts(&k) && e.body.Kind != demail.TypeMalwareAcknowledge {
		result := Result{State: Taken, Time: s.o.Now(), Text: "a " + string(k.Kind) + " proves that the provider has it"}
		return s.settle(ctx, tx, r, result, "")
	}
	if err := s.await(ctx, tx, r); err != nil {
		return err
	}
	return s.save(ctx, tx, r)
}

// candidates are the submissions that share something with evidence.
func (s *Store) candidates(ctx context.Context, tx *sql.Tx, e *evidenceRow) ([]int64, error) {
	keys := e.body.Verdicts[len(e.body.Verdicts)-1].Keys
	if keys.PrivateID != "" {
		return column[int64](ctx, tx, `SELECT num FROM record WHERE key = ?`, keys.PrivateID)
	}
	var out []int64
	for _, mac := range s.keyTerms(e.body.Account, keys) {
		nums, err := column[int64](ctx, tx, `SELECT record FROM term WHERE mac = ? ORDER BY record DESC LIMIT 100`, mac)
		if err != nil {
			return nil, err
		}
		for _, n := range nums {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func (s *Store) keyTerms(account string, keys demail.Keys) (out [][]byte) {
	if keys.DeMailID != "" {
		out = append(out, s.mac("demail "+account, keys.DeMailID))
	}
	if id := bareID(keys.MessageID); id != "" {
		out = append(out, s.mac("message-id", id))
	}
	if name, sum := bodyOf(keys); name != "" {
		out = append(out, s.mac("body "+name, string(sum)))
	}
	return out
}

// bodyOf is the digest of the body in an integrity field, and the name of its hash; empty where there is none.
func bodyOf(keys demail.Keys) (name string, sum []byte) {
	if keys.Integrity == "" {
		return "", nil
	}
	i, err := demail.ParseIntegrity(keys.Integrity)
	if err != nil {
		return "", nil
	}
	return hashNames()[i.Hash], i.BodyHash
}

// sameBody says whether what is confirmed is the body that was sent: "yes", "no", or "".
func (r *row) sameBody(keys demail.Keys) string {
	name, sum := bodyOf(keys)
	switch mine := r.body.Measure.Bodies[name]; {
	case name == "" || mine == nil:
		return ""
	case bytes.Equal(mine, sum):
		return "yes"
	}
	return "no"
}

// matches reports whether evidence is about a submission. Whose message it is about is not up to the private id alone: who had one of our messages knows
// its id, and may send another under it. So a confirmation that names another sender is of another message.
func (r *row) matches(e *evidenceRow) bool {
	v := e.body.Verdicts[len(e.body.Verdicts)-1]
	if !v.Sender.IsZero() && v.Sender != r.body.Sender {
		return false
	}
	if v.Keys.PrivateID != "" {
		return v.Keys.PrivateID == r.key
	}
	if e.body.Account != r.body.Account {
		return false
	}
	if v.Keys.DeMailID != "" && v.Keys.DeMailID == r.status.ReceiptID {
		return true
	}
	same := r.sameBody(v.Keys)
	if id := bareID(v.Keys.MessageID); id != "" {
		return id == bareID(r.body.MessageID) && same != "no"
	}
	return same == "yes"
}

// counts reports whether evidence proves something of a submission. What confirms another body than the one that was sent proves nothing of it.
func (r *row) counts(k *Kept) bool {
	v := k.Verdict()
	return v.Proven && k.Kind.Confirmation() && v.Sender == r.body.Sender && r.sameBody(v.Keys) != "no"
}
