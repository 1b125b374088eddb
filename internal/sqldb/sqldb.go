// Package sqldb opens embedded SQLite databases with the settings Siegel relies on, sorts their errors and runs schema migrations. It knows no schema.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Options of one set of connections to a database. The zero value is for reading and writing with
// SQLite's own sizes.
type Options struct {
	Vacuum     bool          // of a database not yet made: free pages can be given back by PRAGMA incremental_vacuum; its pages have 4096 bytes
	ReadOnly   bool          // statements that change anything fail
	Conns      int           // at most so many connections; 0: 1
	PageSize   int           // bytes, of a database not yet made; 0: 4096
	CacheSize  int           // bytes of pages each connection keeps; 0: 2 MiB
	Checkpoint int           // pages in the write-ahead log that make a commit move them; 0: 1000
	Busy       time.Duration // how long to wait for another connection's lock; 0: 5 s
}

// Open opens the SQLite database in the file path, which it makes (mode 0600, as SQLite then makes those
// beside it) where it is missing. Every connection uses a write-ahead log and syncs it at every commit:
// a commit that returned is on stable storage. The caller closes the result.
func Open(path string, o Options) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	file, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	db, err := sql.Open("sqlite", o.dsn(abs))
	if err != nil {
		return nil, fmt.Errorf("sqldb: open %s: %w", abs, err)
	}
	db.SetMaxOpenConns(max(o.Conns, 1))
	db.SetMaxIdleConns(max(o.Conns, 1))
	if err := db.Ping(); err != nil {
		db.Close()
		return nil, fmt.Errorf("sqldb: open %s: %w", abs, err)
	}
	return db, nil
}

// OpenMemory makes an empty database in memory, as Open would make it in a file. The caller closes the result.
func OpenMemory(o Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", ":memory:?"+url.Values{"_pragma": {"page_size(" + strconv.Itoa(max(o.PageSize, 512)) + ")"}}.Encode())
	if err != nil {
		return nil, fmt.Errorf("sqldb: open in memory: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// dsn is the driver's name of the database with the settings of each connection. The driver makes
// _journal_mode, which fixes the page size, after the pragmas.
func (o Options) dsn(abs string) string {
	pragma := func(name string, value int) string { return name + "(" + strconv.Itoa(value) + ")" }
	busy := o.Busy
	if busy == 0 {
		busy = 5 * time.Second
	}
	pragmas := []string{pragma("busy_timeout", int(busy.Milliseconds()))}
	if o.Vacuum {
		pragmas = append(pragmas, "auto_vacuum(INCREMENTAL)")
	}
	if o.PageSize > 0 {
		pragmas = append(pragmas, pragma("page_size", o.PageSize))
	}
	pragmas = append(pragmas, "synchronous(FULL)", "temp_store(MEMORY)", "trusted_schema(OFF)", "cell_size_check(ON)")
	if o.CacheSize > 0 {
		pragmas = append(pragmas, pragma("cache_size", -(o.CacheSize+1023)/1024))
	}
	if o.Checkpoint > 0 {
		pragmas = append(pragmas, pragma("wal_autocheckpoint", o.Checkpoint))
	}
	if o.ReadOnly {
		pragmas = append(pragmas, "query_only(ON)")
	}
	query := url.Values{"_pragma": pragmas, "_journal_mode": {"WAL"}, "_dqs": {"0"}, "_txlock": {"immediate"}}
	return "file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + query.Encode()
}

// Fault sorts the errors of a database by what can be done about them.
type Fault int

// The kinds of Fault.
const (
	None       Fault = iota // no error, or none of the database's
	Refused                 // the statement cannot be done: a constraint, a value too large; the database is well
	Full                    // no room on the disk
	Storage                 // reading, writing or syncing failed: what is in memory can no longer be trusted
	Corruption              // the file is not a sound database
)

// FaultOf sorts err.
func FaultOf(err error) Fault {
	if errors.Is(err, ErrUnsound) {
		return Corruption
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return None
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH, lib.SQLITE_RANGE:
		return Refused
	case lib.SQLITE_FULL:
		return Full
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return Corruption
	}
	return Storage
}

// ErrUnsound is the error of a check that found something; its Fault is Corruption.
var ErrUnsound = errors.New("sqldb: the database is not sound")

// Check reads the tables, or the whole database where none is named, with their indexes, and returns what is
// wrong; nil where they are sound, ErrUnsound where they are not. It takes far longer than reading them: each row
// is looked for in each index. It ends when ctx does.
func Check(ctx context.Context, db *sql.DB, tables ...string) error {
	return checkAll(ctx, db, "integrity_check", tables)
}

// QuickCheck is Check, but rows are not looked for in the indexes: it takes as long as reading them.
func QuickCheck(ctx context.Context, db *sql.DB, tables ...string) error {
	return checkAll(ctx, db, "quick_check", tables)
}

func checkAll(ctx context.Context, db *sql.DB, pragma string, tables []string) error {
	if len(tables) == 0 {
		return check(ctx, db, "PRAGMA "+pragma+"(1)")
	}
	for _, t := range tables {
		if err := check(ctx, db, "PRAGMA "+pragma+"("+t+")"); err != nil {
			return err
		}
	}
	return nil
}

func check(ctx context.Context, db *sql.DB, pragma string) error {
	var result string
	if err := db.QueryRowContext(ctx, pragma).Scan(&result); err != nil {
		return fmt.Errorf("sqldb: check: %w", err)
	}
	if result != "ok" {
		result = strings.TrimPrefix(result, "*** in database main ***\n")
		return fmt.Errorf("%w: %s", ErrUnsound, strings.ReplaceAll(result, "\n", "; "))
	}
	return nil
}

// Checkpoint moves the write-ahead log to the database, syncs that, and begins the log anew.
func Checkpoint(db *sql.DB) error {
	var busy, pages, moved int
	if err := db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return fmt.Errorf("sqldb: checkpoint: %w", err)
	}
	if busy != 0 {
		return errors.New("sqldb: checkpoint: another connection is in the way")
	}
	return nil
}
