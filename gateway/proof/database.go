package proof

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	databaseName = "demail.db"
	contentName  = "content"
	readers      = 2
)

// database is the connections to one database.
type database struct{ write, read *sql.DB }

func (s *Store) contentDir() string { return filepath.Join(s.o.Dir, contentName) }

// open opens and checks the database, and makes it where there is nothing yet.
func (s *Store) open(ctx context.Context) (_ *database, err error) {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	path := filepath.Join(s.o.Dir, databaseName)
	if err := s.lost(path); err != nil {
		return nil, err
	}
	db := &database{}
	defer func() {
		if err != nil {
			db.close()
			if sqldb.FaultOf(err) == sqldb.Corruption {
				err = fmt.Errorf("%w: %w", ErrDamaged, err)
			}
		}
	}()
	if db.write, err = sqldb.Open(path, sqldb.Options{Vacuum: true}); err != nil {
		return nil, err
	}
	if err := prepare(ctx, db.write, s.key); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(s.contentDir(), 0o700), syncDir(s.o.Dir)); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if db.read, err = sqldb.Open(path, sqldb.Options{ReadOnly: true, Conns: readers}); err != nil {
		return nil, err
	}
	return db, s.tidy(ctx, db)
}

// lost tells a record whose database is gone from one that was never begun.
func (s *Store) lost(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // open tells the rest
	}
	if _, err := os.Stat(s.contentDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%w: %s is gone, and the contents that belong to it are there", ErrDamaged, databaseName)
}

// prepare checks a database, brings its schema up to date and compares its key. Contents are not looked at: each is checked when it is read.
func prepare(ctx context.Context, db *sql.DB, key atrest.Key) error {
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'meta'`).Scan(&tables); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	if tables > 0 {
		if err := sqldb.QuickCheck(ctx, db, "meta", "attached", "gone", "record", "step", "term", "evidence", "belongs", "arrival", "spent", "stamp"); err != nil {
			return err
		}
	}
	folder, err := fs.Sub(schema, "schema")
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	if err := sqldb.Migrate(ctx, db, folder); err != nil {
		return err
	}
	return checkKey(ctx, db, key)
}

// checkKey compares the key with the one the database was made under, and records it in a new one.
func checkKey(ctx context.Context, db *sql.DB, key atrest.Key) error {
	mark := []byte("siegel demail")
	var sealed []byte
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		var rows int
		if err := db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM evidence) + (SELECT count(*) FROM arrival)`).Scan(&rows); err != nil {
			return fmt.Errorf("proof: %w", err)
		} else if rows > 0 {
			return fmt.Errorf("%w: the proof of its key is gone", ErrDamaged)
		}
		if sealed, err = key.Seal(mark, mark); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?)`, sealed)
	}
	if err != nil {
		return fmt.Errorf("proof: check the key: %w", err)
	}
	if _, err := key.Open(sealed, mark); err != nil {
		return ErrWrongKey
	}
	return nil
}

func (db *database) close() error {
	var errs []error
	for _, c := range []*sql.DB{db.read, db.write} { // the last to go tidies up
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("proof: close: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
