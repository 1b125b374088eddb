package sqlqueue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/sqldb"
	"github.com/siegel-mail/siegel/internal/sqlrescue"
)

// The reasons of recipients that are held after a rescue.
const (
	heldDoubt = "held: the queue's database was damaged, and it cannot be told whether this was delivered, held or waiting; release it (it may arrive twice) or drop it, or return it where it came from inside"
	heldEmpty = "held: the content was lost with a damaged database of the queue; return it to its sender, or drop it"
	heldWay   = "held: the destination that an operator chose was lost with a damaged database of the queue; release it, or reroute it again"
)

// batchRows is how many rows a rescue commits at once.
const batchRows = 5000

// rescue carries over what is readable of a damaged database into a new one.
type rescue struct {
	s     *Store
	old   *sqlrescue.File
	db    *sql.DB
	roots map[string]uint32
	rows  int // in the open transaction
	// What was sealed, and what of it opened: nothing of something means another key.
	sealed, opened int
	Recovery
}

// temporary tables: what is known of messages beside their rows, and those that are lost.
const rescueTables = `
CREATE TEMP TABLE expected (seq INTEGER PRIMARY KEY, recipients INTEGER NOT NULL, outside INTEGER NOT NULL);
CREATE TEMP TABLE doubt (seq INTEGER PRIMARY KEY);
CREATE TEMP TABLE lost (seq INTEGER PRIMARY KEY);`

// rebuild sets the damaged database aside and puts a new one with what is readable of it in its place.
func (s *Store) rebuild(ctx context.Context, cause error) (err error) {
	s.o.Log.WithError(cause).Error("queue: the database is damaged; what is readable of it is carried over into a new one, which takes a while")
	r := &rescue{s: s, Recovery: Recovery{Time: s.o.Now(), Reason: cause.Error(), Aside: asidePrefix + s.asideName()}}
	if err := s.removeNew(); err != nil {
		return err
	}
	if r.old, err = sqlrescue.Open(s.path(), pageSize); err != nil {
		return err
	}
	defer r.old.Close()
	if r.db, err = sqldb.Open(s.path()+newSuffix, sqldb.Options{PageSize: pageSize, CacheSize: writeCache, Checkpoint: checkpoint}); err != nil {
		return err
	}
	defer r.db.Close()
	if err := r.run(ctx); err != nil {
		return errors.Join(err, r.db.Close(), s.removeNew())
	}
	s.names.forget()
	s.o.Log.WithField("reason", r.Reason).Error("queue: the database was damaged: " + r.String())
	if s.o.Recovered != nil {
		s.o.Recovered(r.Recovery)
	}
	return nil
}

func (r *rescue) run(ctx context.Context) error {
	if err := sqldb.Migrate(ctx, r.db, migrations()); err != nil {
		return err
	}
	if _, err := r.db.ExecContext(ctx, rescueTables+`BEGIN`); err != nil {
		return err
	}
	for _, step := range []func() error{
		r.findRoots, r.destinations, r.messages, r.recipients, r.due, r.contents, r.reconcile, r.count,
	} {
		if err := errors.Join(ctx.Err(), step()); err != nil {
			return err
		}
	}
	if _, err := r.db.Exec(`COMMIT`); err != nil {
		return err
	}
	if err := checkKey(ctx, r.db, r.s.key); err != nil {
		return err
	}
	return r.finish()
}

// exec runs a statement and commits now and then.
func (r *rescue) exec(text string, args ...any) (changed bool, err error) {
	n, err := affected(r.db.Exec(text, args...))
	if err != nil {
		return false, err
	}
	if r.rows++; r.rows >= batchRows {
		r.rows = 0
		_, err = r.db.Exec(`COMMIT; BEGIN`)
	}
	return n > 0, err
}

// findRoots finds the roots of the trees: where the schema of the damaged database says, else where the migrations
// put them.
func (r *rescue) findRoots() error {
	r.roots = map[string]uint32{}
	rows, err := r.db.Query(`SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var root uint32
		if err := rows.Scan(&name, &root); err != nil {
			return err
		}
		r.roots[name] = root
	}
	_, err = r.old.Walk(1, sqlrescue.Table, func(row sqlrescue.Row) error {
		if len(row.Values) != 5 {
			return nil
		}
		name, ok1 := row.Values[1].(string)
		root, ok2 := row.Values[3].(int64)
		if _, known := r.roots[name]; ok1 && ok2 && known && root > 1 && root <= int64(r.old.Pages()) {
			r.roots[name] = uint32(root)
		}
		return nil
	})
	return errors.Join(err, rows.Err())
}

// each gives the rows of a table, then those of leaf pages that nothing leads to any more. Rows of other tables
// may be among the latter.
func (r *rescue) each(table string, kind int, row func(row sqlrescue.Row, certain bool) error) error {
	if _, err := r.old.Walk(r.roots[table], kind, func(v sqlrescue.Row) error { return row(v, true) }); err != nil {
		return err
	}
	return r.old.Orphans(kind, row)
}

func (r *rescue) destinations() error {
	return r.each("destination", sqlrescue.Table, func(row sqlrescue.Row, _ bool) error {
		if len(row.Values) != 3 {
			return nil
		}
		mac, ok1 := row.Values[1].([]byte)
		sealed, ok2 := row.Values[2].([]byte)
		if !ok1 || !ok2 {
			return nil
		}
		name, ok := r.open(sealed, destinationPlace)
		if !ok || string(r.s.key.MAC(name)) != string(mac) {
			return nil
		}
		_, err := r.exec(`INSERT OR IGNORE INTO destination (id, mac, name) VALUES (?, ?, ?)`, row.Number, mac, sealed)
		return err
	})
}

func (r *rescue) open(sealed, place []byte) ([]byte, bool) {
	r.sealed++
	plain, err := r.s.key.Open(sealed, place)
	if err == nil {
		r.opened++
	}
	return plain, err == nil
}

func (r *rescue) messages() error {
	return r.each("message", sqlrescue.Table, r.message)
}

func (r *rescue) message(row sqlrescue.Row, certain bool) error {
	m, file, ok := messageOf(row)
	if !ok {
		return nil
	}
	plain, ok := r.open(m.envelope, envelopePlace(mail.ID(m.id)))
	rec, err := decodeRecord(plain)
	if !ok || err != nil {
		if !certain {
			return nil
		}
		_, err := r.exec(`INSERT OR IGNORE INTO lost VALUES (?)`, m.seq)
		return err
	}
	if file != "" && !r.hasFile(file) {
		file = ""
	}
	fresh, err := r.exec(`INSERT OR IGNORE INTO message (seq, id, origin, arrived, expires, size, file, envelope, pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.seq, m.id, orNull(m.origin), m.arrived, m.expires, m.size, orNull(file), m.envelope, rec.pending != nil)
	if err != nil || !fresh {
		return err
	}
	if _, err := r.exec(`INSERT INTO expected VALUES (?, ?, ?)`, m.seq, len(rec.envelope.Recipients), !rec.envelope.Internal); err != nil {
		return err
	}
	if !certain {
		_, err = r.exec(`INSERT INTO doubt VALUES (?)`, m.seq)
	}
	return err
}

// messageOf reads a row of table message.
func messageOf(row sqlrescue.Row) (m messageRow, file string, ok bool) {
	v := row.Values
	if len(v) != 8 && len(v) != 9 {
		return m, "", false
	}
	var good [5]bool
	m.seq = row.Number
	m.id, good[0] = v[1].(string)
	m.arrived, good[1] = v[3].(int64)
	m.expires, good[2] = v[4].(int64)
	m.size, good[3] = v[5].(int64)
	m.envelope, good[4] = v[7].([]byte)
	m.origin, _ = v[2].(string)
	file, _ = v[6].(string)
	return m, file, good == [5]bool{true, true, true, true, true} && m.seq > 0
}

func (r *rescue) hasFile(name string) bool {
	if strings.ContainsAny(name, `/\`) || name == "" {
		return false
	}
	info, err := os.Lstat(filepath.Join(r.s.content, name))
	return err == nil && info.Mode().IsRegular()
}

// recipients takes the rows that are certain. A page that is free may still tell of a message that is long gone, and
// whose number another has since: what it calls done would be lost.
func (r *rescue) recipients() error {
	return r.each("recipient", sqlrescue.Index, func(row sqlrescue.Row, certain bool) error {
		v, numbers := row.Values, [6]int64{}
		if !certain || len(v) != 10 && len(v) != 12 && len(v) != 13 {
			return nil
		}
		for i := range numbers { // seq, idx, destination, state, attempts, due
			n, ok := v[i].(int64)
			if !ok || n < 0 {
				return nil
			}
			numbers[i] = n
		}
		state := numbers[3]
		if state > stateDropped {
			return nil
		}
		ready, rerouted, hidden := any(nil), any(int64(0)), any(int64(0))
		if state == stateQueued {
			ready = numbers[5]
		}
		var why []byte
		if len(v) == 13 {
			why, _ = v[12].([]byte)
		}
		if len(v) >= 12 {
			rerouted, hidden = v[10] == any(int64(1)), v[11] != any(int64(0))
		}
		tried, _ := v[8].(int64)
		reply, _ := v[9].([]byte)
		_, err := r.exec(sqlCarryRecipient, numbers[0], numbers[1], numbers[2], state, numbers[4], numbers[5], ready, orZero(tried), reply, rerouted, hidden, why)
		if err != nil || state > stateHeld {
			return err
		}
		_, err = r.exec(`INSERT OR IGNORE INTO lost SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM expected WHERE seq = ?1)`, numbers[0])
		return err
	})
}

// sqlCarryRecipient takes a recipient of a message that is there. Where it is not known whether its fate must stay
// hidden, that of mail from outside does.
const sqlCarryRecipient = `
INSERT OR IGNORE INTO recipient (seq, idx, destination, state, attempts, due, ready, tried, reply, rerouted, hidden, quarantine)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?11, (SELECT outside FROM expected WHERE seq = ?1)), ?12 WHERE EXISTS (SELECT 1 FROM expected WHERE seq = ?1 AND ?2 < recipients)`

// orZero is n, or NULL where it is 0.
func orZero(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// due takes from the index of due times the recipients whose own rows are gone: they waited for an attempt.
func (r *rescue) due() error {
	_, err := r.old.Walk(r.roots["recipient_ready"], sqlrescue.Index, func(row sqlrescue.Row) error {
		v, numbers := row.Values, [4]int64{}
		if len(v) != 4 {
			return nil
		}
		for i := range numbers { // destination, ready, seq, idx
			n, ok := v[i].(int64)
			if !ok {
				return nil // held or done: which, is not known
			}
			numbers[i] = n
		}
		_, err := r.exec(sqlCarryRecipient, numbers[2], numbers[3], numbers[0], stateQueued, 0, numbers[1], numbers[1], nil, nil, 0, nil, nil)
		return err
	})
	return err
}

func (r *rescue) contents() error {
	return r.each("content", sqlrescue.Table, func(row sqlrescue.Row, _ bool) error {
		if len(row.Values) != 2 {
			return nil
		}
		body, ok := row.Values[1].([]byte)
		if !ok {
			return nil
		}
		var id string
		err := r.db.QueryRow(`SELECT id FROM message WHERE seq = ? AND file IS NULL`, row.Number).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := r.s.key.Open(body, contentPlace(mail.ID(id)))
		if err != nil {
			return nil
		}
		if _, err := r.exec(`UPDATE message SET size = ? WHERE seq = ? AND size <> ?`, len(plain), row.Number, len(plain)); err != nil {
			return err
		}
		_, err = r.exec(`INSERT OR IGNORE INTO content (seq, body) VALUES (?, ?)`, row.Number, body)
		return err
	})
}

// migrations are all of them.
func migrations() firstMigrations { return firstMigrations{1 << 20} }

// wrongKey is the error where nothing that was sealed opens: the key is another, and nothing is damaged by that.
func (r *rescue) wrongKey() error {
	if r.s.proven || r.sealed == 0 || r.opened > 0 {
		return nil
	}
	return fmt.Errorf("%w (of %d sealed values in a damaged database none opens)", ErrWrongKey, r.sealed)
}
