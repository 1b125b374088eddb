package sqlqueue

import (
	"github.com/siegel-mail/siegel/gateway/mail"
)

// recoveredName is the destination of recipients whose own was lost; delivery finds the way by the address.
const recoveredName = "recovered"

// reconcile makes the rows that were carried over fit together: no recipient is forgotten, and none is tried
// whose state is not known.
func (r *rescue) reconcile() error {
	if err := r.wrongKey(); err != nil {
		return err
	}
	for _, step := range []func() error{r.placeDestinations, r.fillRecipients, r.removeDone, r.holdDoubtful, r.holdEmpty} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// placeDestinations gives recipients whose destination was lost another one.
func (r *rescue) placeDestinations() error {
	seqs, err := r.list(`SELECT DISTINCT seq FROM recipient WHERE rerouted = 1 AND state <= 1 AND destination NOT IN (SELECT id FROM destination)`)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		if err := r.hold(seq, heldWay, `AND rerouted = 1 AND destination NOT IN (SELECT id FROM destination)`); err != nil {
			return err
		}
	}
	sealed, err := r.s.key.Seal([]byte(recoveredName), destinationPlace)
	if err != nil {
		return err
	}
	mac := r.s.key.MAC([]byte(recoveredName))
	if _, err := r.exec(`INSERT OR IGNORE INTO destination (mac, name) VALUES (?, ?)`, mac, sealed); err != nil {
		return err
	}
	_, err = r.exec(`UPDATE recipient SET rerouted = 0, destination = (SELECT id FROM destination WHERE mac = ?)
WHERE destination NOT IN (SELECT id FROM destination)`, mac)
	return err
}

// fillRecipients makes a row for each recipient that an envelope names and that has none. Its state was lost: it is
// held.
func (r *rescue) fillRecipients() error {
	seqs, err := r.list(`SELECT seq FROM expected WHERE recipients > (SELECT count(*) FROM recipient r WHERE r.seq = expected.seq)`)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		reply, err := r.reply(seq, heldDoubt)
		if err != nil {
			return err
		}
		if _, err := r.exec(`
WITH RECURSIVE i (idx) AS (SELECT 0 UNION ALL SELECT idx + 1 FROM i WHERE idx + 1 < (SELECT recipients FROM expected WHERE seq = ?1))
INSERT OR IGNORE INTO recipient (seq, idx, destination, state, attempts, due, reply, hidden)
SELECT ?1, idx, (SELECT id FROM destination WHERE mac = ?2), ?3, 0, 0, ?4, (SELECT outside FROM expected WHERE seq = ?1) FROM i`,
			seq, r.s.key.MAC([]byte(recoveredName)), stateHeld, reply); err != nil {
			return err
		}
	}
	r.Held += len(seqs)
	return nil
}

// removeDone removes messages for which nothing is left to do: remains of what was deleted.
func (r *rescue) removeDone() error {
	const done = `(SELECT seq FROM message WHERE NOT EXISTS (SELECT 1 FROM recipient r WHERE r.seq = message.seq AND r.state <= 1))`
	for _, table := range []string{"content", "recipient", "doubt", "message"} {
		if _, err := r.exec(`DELETE FROM ` + table + ` WHERE seq IN ` + done); err != nil {
			return err
		}
	}
	return nil
}

// holdDoubtful holds what may have been deleted.
func (r *rescue) holdDoubtful() error {
	seqs, err := r.list(`SELECT seq FROM doubt`)
	if err != nil {
		return err
	}
	r.Held += len(seqs)
	for _, seq := range seqs {
		if err := r.hold(seq, heldDoubt, ""); err != nil {
			return err
		}
	}
	return nil
}

// holdEmpty holds what has no content any more.
func (r *rescue) holdEmpty() error {
	seqs, err := r.list(`SELECT seq FROM message WHERE file IS NULL AND NOT EXISTS (SELECT 1 FROM content c WHERE c.seq = message.seq)`)
	if err != nil {
		return err
	}
	r.Empty = len(seqs)
	for _, seq := range seqs {
		if err := r.hold(seq, heldEmpty, ""); err != nil {
			return err
		}
	}
	return nil
}

// hold holds the recipients of a message that are not final, or those of them that more selects.
func (r *rescue) hold(seq int64, why, more string) error {
	reply, err := r.reply(seq, why)
	if err != nil {
		return err
	}
	_, err = r.exec(`UPDATE recipient SET state = 1, ready = NULL, reply = ? WHERE seq = ? AND state <= 1 `+more, reply, seq)
	return err
}

// reply seals a last reply of a message.
func (r *rescue) reply(seq int64, text string) ([]byte, error) {
	var id string
	if err := r.db.QueryRow(`SELECT id FROM message WHERE seq = ?`, seq).Scan(&id); err != nil {
		return nil, err
	}
	return r.s.sealReply(mail.ID(id), text)
}

// list reads numbers of messages.
func (r *rescue) list(text string) (seqs []int64, err error) {
	rows, err := r.db.Query(text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// count sets the counters, and says what was carried over.
func (r *rescue) count() error {
	if _, err := r.exec(`UPDATE counter SET
messages = (SELECT count(*) FROM message), bytes = (SELECT coalesce(sum(size), 0) FROM message), pending = (SELECT count(*) FROM message WHERE pending),
recipients = (SELECT count(*) FROM recipient WHERE state <= 1), held = (SELECT count(*) FROM recipient WHERE state = 1)`); err != nil {
		return err
	}
	return r.db.QueryRow(`SELECT (SELECT messages FROM counter), (SELECT count(*) FROM lost WHERE seq NOT IN (SELECT seq FROM expected))`).Scan(&r.Messages, &r.Lost)
}
