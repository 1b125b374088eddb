package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/siegel-mail/siegel/internal/sqldb"
)

func open(t *testing.T, path string, o sqldb.Options) *sql.DB {
	t.Helper()
	db, err := sqldb.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func pragma(t *testing.T, db *sql.DB, name string) (value string) {
	t.Helper()
	if err := db.QueryRow("PRAGMA " + name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name?#%20.db")
	db := open(t, path, sqldb.Options{PageSize: 8192, CacheSize: 1 << 20, Checkpoint: 77})
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "page_size": "8192", "cache_size": "-1024",
		"wal_autocheckpoint": "77", "temp_store": "2", "auto_vacuum": "0", "trusted_schema": "0", "busy_timeout": "5000",
	} {
		if got := pragma(t, db, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if _, err := db.Exec("CREATE TABLE t (a)"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, want the database, its log and its index: %v", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(e.Name(), "odd name?#%20.db") {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

func TestVacuum(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"), sqldb.Options{Vacuum: true})
	if mode, size := pragma(t, db, "auto_vacuum"), pragma(t, db, "page_size"); mode != "2" || size != "4096" {
		t.Errorf("auto_vacuum is %s, page_size %s", mode, size)
	}
}

func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	open(t, path, sqldb.Options{})
	if _, err := open(t, path, sqldb.Options{ReadOnly: true}).Exec("CREATE TABLE t (a)"); err == nil {
		t.Error("a read-only connection writes")
	}
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"), sqldb.Options{})
	if _, err := db.Exec("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec("INSERT INTO t VALUES (1)")
	if f := sqldb.FaultOf(fmt.Errorf("wrapped: %w", err)); f != sqldb.Refused {
		t.Errorf("constraint: %v, %v", f, err)
	}
	if _, err := db.Exec("PRAGMA max_page_count=3"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("INSERT INTO t VALUES (zeroblob(100000))")
	if f := sqldb.FaultOf(err); f != sqldb.Full {
		t.Errorf("full: %v, %v", f, err)
	}
	if f := sqldb.FaultOf(errors.New("other")); f != sqldb.None || sqldb.FaultOf(nil) != sqldb.None {
		t.Errorf("foreign error: %v", f)
	}
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = sqldb.Open(junk, sqldb.Options{})
	if f := sqldb.FaultOf(err); f != sqldb.Corruption {
		t.Errorf("junk: %v, %v", f, err)
	}
	if _, err := sqldb.Open(filepath.Join(dir, "missing", "a.db"), sqldb.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path, sqldb.Options{})
	if _, err := db.Exec("CREATE TABLE t (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9999) INSERT INTO t SELECT i FROM n"); err != nil {
		t.Fatal(err)
	}
	if err := sqldb.Check(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	db.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 4096)), 3*4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := sqldb.Check(t.Context(), open(t, path, sqldb.Options{})); err == nil {
		t.Error("a damaged database passes")
	}
}

func TestMigrate(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "a.db"), sqldb.Options{})
	folder := fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE a (x); INSERT INTO a VALUES (1);")}}
	for range 2 { // the second time does nothing
		if err := sqldb.Migrate(ctx, db, folder); err != nil {
			t.Fatal(err)
		}
	}
	folder["0002_b.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);")}
	if err := sqldb.Migrate(ctx, db, folder); err == nil || !strings.Contains(err.Error(), "0002_b.sql") {
		t.Fatalf("a broken migration: %v", err)
	}
	if v, err := sqldb.Version(ctx, db); v != 1 || err != nil {
		t.Errorf("version %d after a broken migration, %v", v, err)
	}
	folder["0002_b.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE b (x); INSERT INTO b SELECT x FROM a;")}
	if err := sqldb.Migrate(ctx, db, folder); err != nil {
		t.Fatalf("nothing of the broken migration may be left: %v", err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM b").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	delete(folder, "0002_b.sql")
	if err := sqldb.Migrate(ctx, db, folder); !errors.Is(err, sqldb.ErrNewer) {
		t.Errorf("a newer database: %v", err)
	}
}

func TestMigrationNames(t *testing.T) {
	for _, name := range []string{"1_a.sql", "0002_a.sql", "0001.sql", "000x_a.sql"} {
		db := open(t, filepath.Join(t.TempDir(), "a.db"), sqldb.Options{})
		if err := sqldb.Migrate(context.Background(), db, fstest.MapFS{name: {}}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func ExampleMigrate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqldb.Open(filepath.Join(dir, "a.db"), sqldb.Options{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	schema := fstest.MapFS{"0001_first.sql": {Data: []byte("CREATE TABLE t (a)")}} // an embed.FS in a program
	if err := sqldb.Migrate(context.Background(), db, schema); err != nil {
		panic(err)
	}
	fmt.Println(sqldb.Version(context.Background(), db))
	// Output: 1 <nil>
}
