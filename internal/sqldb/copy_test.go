package sqldb_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/internal/sqldb"
)

// A copy holds what was committed, the write-ahead log too, and nothing of what was not; nobody else can read it.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	db := open(t, from, sqldb.Options{})
	if _, err := db.Exec(`CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)`); err != nil {
		t.Fatal(err)
	}
	writer := open(t, from, sqldb.Options{})
	tx, err := writer.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`INSERT INTO t VALUES (3)`); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Copy(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var rows int
	copied := open(t, to, sqldb.Options{})
	if err := copied.QueryRow(`SELECT count(*) FROM t`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := sqldb.Copy(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "b.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing to copy: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("a database was made where there was none")
	}
	bad := filepath.Join(dir, "bad.db")
	if err := os.WriteFile(bad, []byte("this is no database at all, however long it may be, and it is long"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Copy(t.Context(), bad, filepath.Join(dir, "c.db")); sqldb.FaultOf(err) != sqldb.Corruption {
		t.Errorf("a damaged one: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "c.db")); err == nil {
		t.Error("a copy of a damaged database stays")
	}
	open(t, filepath.Join(dir, "a.db"), sqldb.Options{})
	if err := sqldb.Copy(t.Context(), filepath.Join(dir, "a.db"), bad); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto something: %v", err)
	}
}
