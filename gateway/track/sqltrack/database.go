package sqltrack

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	readers    = 2
	pageSize   = 4096
	writeCache = 32 << 20
	readCache  = 8 << 20
	checkpoint = 4096 // pages
)

// database is the connections to one database: one that writes, which a reader does not have, and some that read.
type database struct {
	write *sql.DB
	read  *sql.DB
	w     writeStatements
	r     readStatements
}

// openWriting opens and prepares the database in path, and makes it where it is missing.
func openWriting(ctx context.Context, path string, key atrest.Key) (_ *database, err error) {
	db := &database{}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	if db.write, err = sqldb.Open(path, sqldb.Options{Vacuum: true, PageSize: pageSize, CacheSize: writeCache, Checkpoint: checkpoint}); err != nil {
		return nil, err
	}
	folder, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("sqltrack: %w", err)
	}
	if err := sqldb.Migrate(ctx, db.write, folder); err != nil {
		return nil, err
	}
	if err := checkKey(ctx, db.write, key, true); err != nil {
		return nil, err
	}
	if err := db.openReaders(path); err != nil {
		return nil, err
	}
	return db, db.w.prepare(db.write)
}

// openReading opens the database in path without changing it.
func openReading(path string, key atrest.Key) (_ *database, err error) {
	db := &database{}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	if err := db.openReaders(path); err != nil {
		return nil, err
	}
	return db, checkKey(context.Background(), db.read, key, false)
}

func (db *database) openReaders(path string) (err error) {
	if db.read, err = sqldb.Open(path, sqldb.Options{ReadOnly: true, Conns: readers, CacheSize: readCache}); err != nil {
		return err
	}
	return db.r.prepare(db.read)
}

// checkKey compares key with the one the database was made under, and records it in a new one.
func checkKey(ctx context.Context, db *sql.DB, key atrest.Key, make bool) error {
	proof := []byte("siegel track")
	var sealed []byte
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) && make {
		if sealed, err = key.Seal(proof, proof); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?)`, sealed)
	}
	if err != nil {
		return fmt.Errorf("sqltrack: check the key: %w", err)
	}
	if _, err := key.Open(sealed, proof); err != nil {
		return ErrWrongKey
	}
	return nil
}

func (db *database) close() error {
	var errs []error
	for _, c := range []*sql.DB{db.read, db.write} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sqltrack: close: %w", err)
	}
	return nil
}

// writeStatements are those of the connection that writes.
type writeStatements struct {
	begin, commit, rollback                       *sql.Stmt
	lastBlock, findName, lastStep                 *sql.Stmt
	message, name, step, term, kinds, block       *sql.Stmt
	oldestBlock, pages, expired, remaining        *sql.Stmt
	dropNames, dropOrigin, dropSteps, dropMessage *sql.Stmt
	dropTerms, dropBlock, moveBlock               *sql.Stmt
}

func (s *writeStatements) prepare(db *sql.DB) error {
	return prepare(db, []statement{
		{&s.begin, `BEGIN IMMEDIATE`}, {&s.commit, `COMMIT`}, {&s.rollback, `ROLLBACK`},
		{&s.lastBlock, `SELECT coalesce(max(id), -1) FROM block`},
		{&s.findName, `SELECT num FROM name WHERE id = ?`},
		{&s.lastStep, `SELECT coalesce(max(key), -1) FROM step WHERE key BETWEEN ? AND ?`},

		{&s.message, `INSERT INTO message (num, origin, at, kinds) VALUES (?, ?, ?, 0)`},
		{&s.name, `INSERT OR IGNORE INTO name (id, num) VALUES (?, ?)`},
		{&s.step, `INSERT INTO step (key, at, id, body) VALUES (?, ?, ?, ?)`},
		{&s.term, `INSERT OR IGNORE INTO term (block, mac, low) VALUES (?, ?, ?)`},
		{&s.kinds, `UPDATE message SET kinds = kinds | ? WHERE num = ?`},
		{&s.block, `INSERT INTO block (id, first, last) VALUES (?1, ?2, ?3)
			ON CONFLICT (id) DO UPDATE SET first = min(first, ?2), last = max(last, ?3)`},

		{&s.oldestBlock, `SELECT id FROM block WHERE first < ? ORDER BY id LIMIT 1`},
		{&s.pages, `SELECT (SELECT page_count FROM pragma_page_count()), (SELECT freelist_count FROM pragma_freelist_count())`},
		{&s.expired, `SELECT num, origin FROM message WHERE num BETWEEN ? AND ? AND at < ? ORDER BY num LIMIT ?`},
		{&s.remaining, `SELECT min(at), max(at) FROM message WHERE num BETWEEN ? AND ?`},
		{&s.dropNames, `DELETE FROM name WHERE id IN (SELECT id FROM step WHERE key BETWEEN ? AND ? AND id IS NOT NULL)`},
		{&s.dropOrigin, `DELETE FROM name WHERE id = ?`},
		{&s.dropSteps, `DELETE FROM step WHERE key BETWEEN ? AND ?`},
		{&s.dropMessage, `DELETE FROM message WHERE num = ?`},
		{&s.dropTerms, `DELETE FROM term WHERE block = ?1 AND (mac, low) IN (SELECT mac, low FROM term WHERE block = ?1 LIMIT ?2)`},
		{&s.dropBlock, `DELETE FROM block WHERE id = ?`},
		{&s.moveBlock, `UPDATE block SET first = ?, last = ? WHERE id = ?`},
	})
}

// readStatements are those of the connections that read.
type readStatements struct{ blocks, lows, nums, message, steps, name *sql.Stmt }

func (s *readStatements) prepare(db *sql.DB) error {
	return prepare(db, []statement{
		{&s.blocks, `SELECT id FROM block WHERE last >= ? AND first < ? AND id <= ? ORDER BY id DESC`},
		{&s.lows, `SELECT low FROM term WHERE block = ? AND mac = ? AND low < ? ORDER BY low DESC`},
		{&s.nums, `SELECT num & 65535 FROM message WHERE num BETWEEN ? AND ? AND at >= ? AND at < ? AND (?5 = 0 OR kinds & ?5 <> 0) ORDER BY num DESC`},
		{&s.message, `SELECT origin, at, kinds FROM message WHERE num = ?`},
		{&s.steps, `SELECT key, at, coalesce(id, ''), body FROM step WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?`},
		{&s.name, `SELECT num FROM name WHERE id = ?`},
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
			return fmt.Errorf("sqltrack: prepare %q: %w", s.text, err)
		}
		*s.to = prepared
	}
	return nil
}
