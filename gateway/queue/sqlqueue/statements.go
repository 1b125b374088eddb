package sqlqueue

import (
	"database/sql"
	"fmt"
)

// At start: leases of a process that is gone end, and destinations that nothing refers to are forgotten.
const (
	sqlReleaseAll = `UPDATE recipient SET ready = due, lease = NULL WHERE lease IS NOT NULL`
	sqlPrune      = `DELETE FROM destination WHERE NOT EXISTS (SELECT 1 FROM recipient WHERE recipient.destination = destination.id)`
)

// writeStatements are those of the one connection that writes. A unary plus keeps a column out of the
// choice of an index.
type writeStatements struct {
	begin, commit, rollback                           *sql.Stmt
	maxSeq, count, findDestination, insertDestination *sql.Stmt
	insertMessage, insertContent, insertRecipient     *sql.Stmt
	ready, lease, renew, leased, othersActive         *sql.Stmt
	outcome, release, setAside, quarantine, prolong   *sql.Stmt
	active, change, hasten                            *sql.Stmt
	deleteRecipients, deleteContent, deleteMessage    *sql.Stmt
}

func (s *writeStatements) prepare(db *sql.DB) error {
	return prepare(db, []statement{
		{&s.begin, `BEGIN IMMEDIATE`},
		{&s.commit, `COMMIT`},
		{&s.rollback, `ROLLBACK`},
		{&s.maxSeq, `SELECT coalesce(max(seq), 0) FROM message`},
		{&s.count, `UPDATE counter SET messages = messages + ?, recipients = recipients + ?, held = held + ?, bytes = bytes + ?, pending = pending + ?`},
		{&s.findDestination, sqlFindDestination},
		{&s.insertDestination, `INSERT INTO destination (mac, name) VALUES (?, ?)`},

		{&s.insertMessage, `INSERT INTO message (seq, id, origin, arrived, expires, size, file, envelope, pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.insertContent, `INSERT INTO content (seq, body) VALUES (?, ?)`},
		{&s.insertRecipient, `INSERT INTO recipient (seq, idx, destination, state, attempts, due, ready, reply, quarantine) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)`},

		{&s.ready, sqlReady},
		{&s.lease, sqlLease},
		{&s.renew, `UPDATE recipient SET ready = ? WHERE seq = ? AND +lease = ?`},
		{&s.leased, `SELECT idx FROM recipient WHERE seq = ? AND +lease = ?`},
		{&s.othersActive, `SELECT EXISTS (SELECT 1 FROM recipient WHERE seq = ? AND state <= 1 AND +lease IS NOT ?)`},
		{&s.outcome, `UPDATE recipient SET state = ?, attempts = attempts + 1, due = ?, ready = ?, tried = ?, reply = ?, hidden = max(hidden, ?), lease = NULL WHERE seq = ? AND idx = ?`},
		{&s.release, `UPDATE recipient SET ready = due, lease = NULL WHERE seq = ? AND +lease = ?`},
		{&s.setAside, `UPDATE recipient SET state = 1, ready = NULL, reply = ?, lease = NULL WHERE seq = ? AND +lease = ?`},

		{&s.active, `SELECT seq, idx, state, due, destination, rerouted, lease IS NOT NULL AND ready > ? FROM recipient WHERE seq = (SELECT seq FROM message WHERE id = ?) AND state <= 1 ORDER BY idx`},
		{&s.change, `UPDATE recipient SET state = ?, due = ?, ready = ?, destination = ?, rerouted = ?, reply = coalesce(?, reply), quarantine = coalesce(?, quarantine), lease = NULL WHERE seq = ? AND idx = ?`},
		{&s.quarantine, `UPDATE recipient SET destination = ?, rerouted = 0, quarantine = ? WHERE seq = ? AND idx = ?`},
		{&s.prolong, `UPDATE message SET expires = ?1 WHERE seq = ?2 AND expires <> 0 AND expires < ?1`},
		{&s.hasten, sqlHasten},

		{&s.deleteRecipients, `DELETE FROM recipient WHERE seq = ?`},
		{&s.deleteContent, `DELETE FROM content WHERE seq = ?`},
		{&s.deleteMessage, `DELETE FROM message WHERE seq = ? RETURNING size, file, pending`},
	})
}

// readStatements are those of the connections that read.
type readStatements struct {
	message, recipients, content, list, listID, destinations, name, number, stats, usage, file *sql.Stmt
}

const (
	// sqlReady walks the index in the order of claims; who reads it stops when he has enough.
	sqlReady = `SELECT seq FROM recipient WHERE destination = ? AND ready <= ? ORDER BY ready, seq`
	sqlLease = `UPDATE recipient SET lease = ?, ready = ? WHERE seq = ? AND +destination = ? AND +ready <= ?`

	sqlFindDestination = `SELECT id FROM destination WHERE mac = ?`

	messageColumns = `seq, id, origin, arrived, expires, size, envelope`

	// sqlDestinations steps from one destination to the next by the index, and takes the first time of
	// each from it: its cost is the number of destinations, not of recipients.
	sqlDestinations = `
WITH RECURSIVE d (id) AS (
    SELECT min(destination) FROM recipient
    UNION ALL
    SELECT (SELECT min(destination) FROM recipient WHERE destination > d.id) FROM d WHERE d.id IS NOT NULL
)
SELECT id, (SELECT min(ready) FROM recipient WHERE destination = d.id AND ready IS NOT NULL) AS at
FROM d WHERE d.id IS NOT NULL AND at IS NOT NULL`

	// sqlList reads a page of messages by id.
	sqlList = `SELECT ` + messageColumns + ` FROM message WHERE id > ?1
AND (?2 = 0 OR EXISTS (SELECT 1 FROM recipient r WHERE r.seq = message.seq AND +r.destination = ?2))
AND (?3 < 0 OR EXISTS (SELECT 1 FROM recipient r WHERE r.seq = message.seq AND r.state = ?3))
AND arrived < ?5 AND (?6 = 0 OR pending = 1)
ORDER BY id LIMIT ?4`
)

func (s *readStatements) prepare(db *sql.DB) error {
	return prepare(db, []statement{
		{&s.message, `SELECT ` + messageColumns + ` FROM message WHERE seq = ?`},
		{&s.recipients, `SELECT idx, destination, state, attempts, due, ready, lease, tried, reply, rerouted, hidden, quarantine FROM recipient WHERE seq = ? ORDER BY idx`},
		{&s.content, `SELECT m.size, m.file, c.body FROM message m LEFT JOIN content c ON c.seq = m.seq WHERE m.id = ?`},
		{&s.list, sqlList},
		{&s.listID, `SELECT ` + messageColumns + ` FROM message WHERE id = ?1 OR origin = ?1 ORDER BY id`},
		{&s.destinations, sqlDestinations},
		{&s.name, `SELECT name FROM destination WHERE id = ?`},
		{&s.number, sqlFindDestination},
		{&s.stats, `SELECT messages, recipients, held, bytes, pending, (SELECT arrived FROM message ORDER BY seq LIMIT 1) FROM counter`},
		{&s.usage, sqlUsage},
		{&s.file, `SELECT EXISTS (SELECT 1 FROM message WHERE file = ?)`},
	})
}

// statement is a text and where to keep what it is prepared as.
type statement struct {
	to   **sql.Stmt
	text string
}

func prepare(db *sql.DB, list []statement) error {
	for _, s := range list {
		prepared, err := db.Prepare(s.text)
		if err != nil {
			return fmt.Errorf("sqlqueue: prepare %q: %w", s.text, err)
		}
		*s.to = prepared
	}
	return nil
}
