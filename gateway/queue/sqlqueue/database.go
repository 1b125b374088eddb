package sqlqueue

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	readers    = 4
	pageSize   = 4096
	writeCache = 64 << 20
	readCache  = 8 << 20
	checkpoint = 8192 // pages
)

// database is the connections to one database: one that writes, in the hands of the writer, and some
// that read.
type database struct {
	write *sql.DB
	read  *sql.DB
	w     writeStatements
	r     readStatements

	unproven bool // whether rows and indexes agree was not looked at
	proof    sync.WaitGroup
	stop     context.CancelFunc // ends the proof; nil: there is none
}

// openDatabase opens and prepares the database in path.
func openDatabase(ctx context.Context, path string, key atrest.Key) (_ *database, err error) {
	db := &database{}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	if db.write, err = sqldb.Open(path, sqldb.Options{PageSize: pageSize, CacheSize: writeCache, Checkpoint: checkpoint}); err != nil {
		return nil, err
	}
	folder, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	if err := sqldb.Migrate(ctx, db.write, folder); err != nil {
		return nil, err
	}
	if err := checkKey(ctx, db.write, key); err != nil {
		return nil, err
	}
	if db.read, err = sqldb.Open(path, sqldb.Options{ReadOnly: true, Conns: readers, CacheSize: readCache}); err != nil {
		return nil, err
	}
	if err := db.w.prepare(db.write); err != nil {
		return nil, err
	}
	if err := db.r.prepare(db.read); err != nil {
		return nil, err
	}
	return db, nil
}

// begin puts in order what a former process left: its leases end, and destinations that nothing refers to
// are forgotten.
func (db *database) begin(ctx context.Context) error {
	for _, text := range []string{sqlReleaseAll, sqlPrune} {
		if _, err := db.write.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("sqlqueue: start: %w", err)
		}
	}
	return nil
}

// checkKey compares key with the one the database was made under, and records it in a new one.
func checkKey(ctx context.Context, db *sql.DB, key atrest.Key) error {
	proof := []byte("siegel queue")
	var sealed []byte
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		if sealed, err = key.Seal(proof, proof); err != nil {
			return err
		}
		_, err = db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?)`, sealed)
	}
	if err != nil {
		return fmt.Errorf("sqlqueue: check the key: %w", err)
	}
	if _, err := key.Open(sealed, proof); err != nil {
		return ErrWrongKey
	}
	return nil
}

// close closes all connections; what waits in the write-ahead log goes to the database.
func (db *database) close() error {
	if db.stop != nil {
		db.stop()
		db.proof.Wait()
	}
	var errs []error
	for _, c := range []*sql.DB{db.read, db.write} { // the last to go tidies up
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sqlqueue: close: %w", err)
	}
	return nil
}
