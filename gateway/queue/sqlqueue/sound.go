package sqlqueue

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/siegel-mail/siegel/internal/sqldb"
	"github.com/siegel-mail/siegel/internal/sqlrescue"
)

// fullCheck is the largest database that is checked whole at each start. Of a larger one everything but the content
// is read, which takes seconds for a million messages; whether each row is in each index takes a minute and is
// proven while mail goes on. Damage in the content shows when it is read.
const fullCheck = 64 << 20

// checked are the tables of a large database that are checked: all but the content.
var checked = []string{"meta", "counter", "destination", "message", "recipient"}

// errDamaged is the error of a database that is set aside.
var errDamaged = errors.New("sqlqueue: the database is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// isDamage reports whether err says that the database itself is damaged, not that it cannot be read, written or
// understood for another reason.
func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || sqldb.FaultOf(err) == sqldb.Corruption
}

// openSound opens the database and checks it. One that is damaged, or that cause says is, is set aside and
// what is readable carried over into a new one (invariant 12: only the queue may be begun anew).
func (s *Store) openSound(ctx context.Context, cause error) (*database, error) {
	if err := s.finishSwap(); err != nil {
		return nil, err
	}
	var db *database
	err := cause
	if !isDamage(cause) {
		if db, err = s.tryOpen(ctx); err == nil {
			return db, nil
		}
	}
	if !isDamage(err) {
		return nil, err
	}
	if err := s.rebuild(ctx, err); err != nil {
		return nil, fmt.Errorf("sqlqueue: the damaged database cannot be carried over: %w", err)
	}
	return s.tryOpen(ctx)
}

// tryOpen opens the database where it is sound. What waits in the log is moved to the database, and the log begun
// anew, so that no later commit stands behind one whose sync failed.
func (s *Store) tryOpen(ctx context.Context) (*database, error) {
	if err := s.examine(); err != nil {
		return nil, err
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, err
	}
	db, err := openDatabase(ctx, s.path(), s.key)
	if errors.Is(err, ErrWrongKey) && s.opensAnything(ctx) {
		return nil, damaged("the proof of the at-rest key cannot be read")
	}
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, db); err != nil {
		return nil, errors.Join(err, db.close())
	}
	s.proven = true
	return db, nil
}

func (s *Store) check(ctx context.Context, db *database) error {
	if err := sqldb.Checkpoint(db.write); err != nil {
		return err
	}
	info, err := os.Stat(s.path())
	if err != nil {
		return fmt.Errorf("sqlqueue: %w", err)
	}
	if info.Size() <= s.o.whole {
		return sqldb.Check(ctx, db.write)
	}
	db.unproven = true
	return sqldb.QuickCheck(ctx, db.write, checked...)
}

// examine looks at the files before SQLite does, which takes a log it cannot read for an empty one.
func (s *Store) examine() error {
	info, err := os.Stat(s.path())
	missing := errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
	if err != nil && !missing {
		return fmt.Errorf("sqlqueue: %w", err)
	}
	unclean := s.unclean
	s.unclean = false
	wal, err := os.Stat(s.path() + "-wal")
	switch noLog := err != nil || wal.Size() == 0; {
	case missing && noLog && !unclean && !s.proven:
		return nil // a new queue
	case missing:
		return damaged("the file is gone")
	case errors.Is(err, fs.ErrNotExist) && unclean:
		return damaged("the write-ahead log of a process that did not stop orderly is gone; what was accepted last may be in it")
	}
	f, err := sqlrescue.Open(s.path(), pageSize)
	if err != nil {
		return err
	}
	defer f.Close()
	if why := f.LogDamage(); why != "" {
		return damaged("%s", why)
	}
	if why := oddHeader(f.Header()); why != "" {
		return damaged("%s", why)
	}
	if f.Truncated() {
		return damaged("the file is shorter than it says")
	}
	return nil
}

// oddHeader says what in the header of the database this package never wrote; empty where nothing is.
func oddHeader(h []byte) string {
	if h == nil {
		return "its first page cannot be read"
	}
	zero := make([]byte, 40)
	for _, want := range []struct {
		at    int
		bytes []byte
	}{
		{0, []byte("SQLite format 3\x00\x10\x00")}, {20, []byte{0, 64, 32, 32}}, {44, []byte{0, 0, 0, 4}},
		{52, []byte{0, 0, 0, 0, 0, 0, 0, 1}}, {60, zero[:32]},
	} {
		if !bytes.Equal(h[want.at:want.at+len(want.bytes)], want.bytes) {
			return fmt.Sprintf("its header is not one, at byte %d", want.at)
		}
	}
	if h[18] > 2 || h[18] == 0 || h[19] != h[18] {
		return "its header is not one, at byte 18"
	}
	return ""
}

// checkSchema compares the schema with those that migrations make: what fits none of them, but claims to, is
// damaged. A database that is new, or of a newer program, is left to the migrations.
func (s *Store) checkSchema(ctx context.Context) error {
	db, err := sqldb.Open(s.path(), sqldb.Options{PageSize: pageSize})
	if err != nil {
		return err
	}
	defer db.Close()
	text, err := schemaText(ctx, db)
	if err != nil || text == "" {
		return err
	}
	version, err := sqldb.Version(ctx, db)
	if err != nil {
		return damaged("its schema cannot be read: %v", err)
	}
	files, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return fmt.Errorf("sqlqueue: %w", err)
	}
	for _, n := range append([]int{version}, numbers(len(files))...) {
		if n < 0 || n > len(files) {
			continue
		}
		switch want, err := templateText(ctx, n); {
		case err != nil:
			return err
		case text == want && n == version:
			return nil
		case text == want:
			return damaged("its schema is number %d but says it is %d", n, version)
		}
	}
	if version > len(files) {
		return nil
	}
	return damaged("its schema is none of this program's")
}

// numbers are those from 0 to n.
func numbers(n int) []int {
	list := make([]int, n+1)
	for i := range list {
		list[i] = i
	}
	return list
}

// template makes an empty database of the first n migrations in memory. The caller closes it.
func template(ctx context.Context, n int) (*sql.DB, error) {
	db, err := sqldb.OpenMemory(sqldb.Options{PageSize: pageSize})
	if err != nil {
		return nil, err
	}
	if err := sqldb.Migrate(ctx, db, firstMigrations{n}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// firstMigrations is the folder of migrations with the first n files alone.
type firstMigrations struct{ n int }

// Open is fs.FS's.
func (f firstMigrations) Open(name string) (fs.File, error) {
	return schema.Open(path.Join("schema", name))
}

// Glob is fs.GlobFS's.
func (f firstMigrations) Glob(pattern string) ([]string, error) {
	list, err := fs.Glob(schema, path.Join("schema", pattern))
	for i := range list {
		list[i] = path.Base(list[i])
	}
	return list[:min(f.n, len(list))], err
}

func templateText(ctx context.Context, n int) (string, error) {
	db, err := template(ctx, n)
	if err != nil {
		return "", err
	}
	defer db.Close()
	return schemaText(ctx, db)
}

// schemaText is all that the schema says, but where the roots of the trees are.
func schemaText(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := db.QueryContext(ctx, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY name`)
	if err != nil {
		return "", fmt.Errorf("sqlqueue: schema: %w", err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var kind, name, table, text string
		if err := rows.Scan(&kind, &name, &table, &text); err != nil {
			return "", fmt.Errorf("sqlqueue: schema: %w", err)
		}
		fmt.Fprintf(&b, "%q %q %q %q\n", kind, name, table, text)
	}
	return b.String(), rows.Err()
}

// opensAnything reports whether anything in the database was sealed under the key.
func (s *Store) opensAnything(ctx context.Context) bool {
	db, err := sqldb.Open(s.path(), sqldb.Options{})
	if err != nil {
		return false
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT name FROM destination LIMIT 100`)
	if err != nil {
		return false
	}
	defer rows.Close()
	for rows.Next() {
		var sealed []byte
		if rows.Scan(&sealed) != nil {
			return false
		}
		if _, err := s.key.Open(sealed, destinationPlace); err == nil {
			return true
		}
	}
	return false
}
