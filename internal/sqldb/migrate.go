package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ErrNewer is the error of a database that a newer program has changed.
var ErrNewer = errors.New("sqldb: the database was written by a newer version of the program; install that version again")

// Migrate brings the schema up to date: it runs, in order, the files NNNN_name.sql of folder that the
// database has not seen, numbered from 1 without gaps, each in a transaction of its own that also records
// it. A file that was released is never changed. ErrNewer where the database knows more files than folder.
func Migrate(ctx context.Context, db *sql.DB, folder fs.FS) error {
	files, err := migrations(folder)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)`); err != nil {
		return fmt.Errorf("sqldb: migrate: %w", err)
	}
	version, err := Version(ctx, db)
	if err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("schema %d, known %d: %w", version, len(files), ErrNewer)
	}
	for i := version; i < len(files); i++ {
		if err := migrate(ctx, db, folder, files[i], i+1); err != nil {
			return fmt.Errorf("sqldb: migrate with %s: %w", files[i], err)
		}
	}
	return nil
}

// Version is the number of the last migration the database has seen; 0 for none.
func Version(ctx context.Context, db *sql.DB) (int, error) {
	var version int
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version); err != nil {
		return 0, fmt.Errorf("sqldb: schema version: %w", err)
	}
	return version, nil
}

func migrate(ctx context.Context, db *sql.DB, folder fs.FS, name string, version int) error {
	text, err := fs.ReadFile(folder, name)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version (version) VALUES (`+strconv.Itoa(version)+`)`); err != nil {
		return err
	}
	return tx.Commit()
}

// migrations lists the files of folder in order.
func migrations(folder fs.FS) ([]string, error) {
	files, err := fs.Glob(folder, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("sqldb: migrations: %w", err)
	}
	slices.Sort(files)
	for i, name := range files {
		number, _, ok := strings.Cut(path.Base(name), "_")
		if n, err := strconv.Atoi(number); !ok || err != nil || n != i+1 || len(number) != 4 {
			return nil, fmt.Errorf("sqldb: migration %s: expected a name that begins with %04d_", name, i+1)
		}
	}
	return files, nil
}
