package sqlrescue

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// make makes a database by SQLite itself and returns its path and the roots of its trees. The connection stays open
// where a write-ahead log is wanted.
func makeDB(t testing.TB, pageSize int, wal bool, statements ...string) (path string, roots map[string]uint32) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	first := []string{fmt.Sprintf("PRAGMA page_size = %d", pageSize), "PRAGMA synchronous = OFF"}
	if wal {
		first = append(first, "PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0")
	}
	for _, s := range append(first, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	roots = map[string]uint32{}
	rows, err := db.Query(`SELECT name, rootpage FROM sqlite_schema`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var root uint32
		if err := rows.Scan(&name, &root); err != nil {
			t.Fatal(err)
		}
		roots[name] = root
	}
	return path, roots
}

func openFile(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func walk(t testing.TB, f *File, root uint32, kind int) (rows []Row, bad int) {
	t.Helper()
	bad, err := f.Walk(root, kind, func(r Row) error { rows = append(rows, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rows, bad
}

const many = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) `

func TestValues(t *testing.T) {
	path, roots := makeDB(t, 4096, false, `CREATE TABLE v (a, b)`,
		`INSERT INTO v VALUES (NULL, 0), (1, -1), (127, -128), (32767, -32768), (8388607, -8388608), (2147483647, -2147483648),
(140737488355327, -140737488355328), (9223372036854775807, -9223372036854775808), (1.5, -2.25), ('', x''), ('text', x'00ff')`)
	rows, bad := walk(t, openFile(t, path), roots["v"], Table)
	want := [][]any{{nil, int64(0)}, {int64(1), int64(-1)}, {int64(127), int64(-128)}, {int64(32767), int64(-32768)}, {int64(8388607), int64(-8388608)},
		{int64(math.MaxInt32), int64(math.MinInt32)}, {int64(1<<47 - 1), int64(-1 << 47)}, {int64(math.MaxInt64), int64(math.MinInt64)},
		{1.5, -2.25}, {"", []byte{}}, {"text", []byte{0, 0xff}}}
	if bad != 0 || len(rows) != len(want) {
		t.Fatalf("%d rows, %d bad", len(rows), bad)
	}
	for i, r := range rows {
		if r.Number != int64(i+1) || !reflect.DeepEqual(r.Values, want[i]) {
			t.Errorf("row %d: %+v, want %v", i, r, want[i])
		}
	}
}

// Trees of every page size SQLite has, with inner pages and overflow, in the file or in the log.
func TestTrees(t *testing.T) {
	for _, size := range []int{512, 1024, 4096, 65536} {
		for _, wal := range []bool{false, true} {
			path, roots := makeDB(t, size, wal, `CREATE TABLE t (i INTEGER PRIMARY KEY, s)`, `CREATE TABLE w (k TEXT PRIMARY KEY, s) WITHOUT ROWID`,
				`CREATE INDEX x ON t (s)`, many+`INSERT INTO t SELECT i, hex(zeroblob(i * 7 % 3000)) FROM n`, many+`INSERT INTO w SELECT i, hex(zeroblob(i * 5 % 900)) FROM n`)
			f := openFile(t, path)
			rows, bad := walk(t, f, roots["t"], Table)
			for i, r := range rows {
				if r.Number != int64(i+1) || r.Values[1] != strings.Repeat("00", (i+1)*7%3000) {
					t.Fatalf("%d: row %d is %d", size, i, r.Number)
				}
			}
			keys, bad2 := walk(t, f, roots["w"], Index)
			index, bad3 := walk(t, f, roots["x"], Index)
			if len(rows) != 2000 || len(keys) != 2000 || len(index) != 2000 || bad+bad2+bad3 != 0 {
				t.Errorf("%d, log %v: %d, %d and %d rows, %d bad", size, wal, len(rows), len(keys), len(index), bad+bad2+bad3)
			}
			if f.LogDamage() != "" || f.Truncated() || f.Pages() == 0 || !bytes.HasPrefix(f.Header(), []byte("SQLite")) {
				t.Errorf("%d: %q %v", size, f.LogDamage(), f.Truncated())
			}
		}
	}
}

// Rows on leaf pages that nothing leads to are found; pages on the list of free ones are not looked at.
func TestOrphans(t *testing.T) {
	path, roots := makeDB(t, 4096, false, `CREATE TABLE gone (i INTEGER PRIMARY KEY, s)`, `CREATE TABLE t (i INTEGER PRIMARY KEY, s)`,
		many+`INSERT INTO gone SELECT i, 'gone' || i FROM n`, many+`INSERT INTO t SELECT i, 'kept' || i FROM n`, `DROP TABLE gone`)
	for name, c := range map[string]struct {
		at      int64
		certain bool
	}{"the root is gone": {int64(roots["t"]-1) * 4096, true}, "the header too": {0, false}} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := filepath.Join(t.TempDir(), "d.db")
		copy(data[c.at:], make([]byte, 100))
		copy(data[int64(roots["t"]-1)*4096:], make([]byte, 100))
		if err := os.WriteFile(damaged, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f := openFile(t, damaged)
		if rows, bad := walk(t, f, roots["t"], Table); len(rows) != 0 || bad == 0 {
			t.Fatalf("%s: %d rows, %d bad", name, len(rows), bad)
		}
		kept, gone := 0, 0
		err = f.Orphans(Table, func(r Row, certain bool) error {
			text, _ := r.Values[1].(string)
			if kept += strings.Count(text, "kept"); certain != c.certain {
				t.Errorf("%s: certain %v", name, certain)
			}
			gone += strings.Count(text, "gone")
			return nil
		})
		if err != nil || kept != 2000 || c.certain && gone != 0 {
			t.Errorf("%s: %d kept, %d gone, %v", name, kept, gone, err)
		}
	}
}

// A frame of the log that is damaged costs its page, not the commits behind it, which SQLite forgets.
func TestLog(t *testing.T) {
	path, roots := makeDB(t, 4096, true, `CREATE TABLE t (i INTEGER PRIMARY KEY, s)`, many+`INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n`,
		`CREATE TABLE last (i)`, `INSERT INTO last VALUES (4711)`)
	whole, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const frame = 24 + 4096
	frames := (len(whole) - 32) / frame
	for name, c := range map[string]struct {
		spoil  func(log []byte) []byte
		damage bool
		last   bool
	}{
		"sound":               {func(b []byte) []byte { return b }, false, true},
		"a byte of a page":    {func(b []byte) []byte { b[32+frame*20+2000] ^= 1; return b }, true, true},
		"a byte of a sum":     {func(b []byte) []byte { b[32+frame*20+20] ^= 1; return b }, true, true},
		"a byte of a salt":    {func(b []byte) []byte { b[32+frame*20+9] ^= 1; return b }, true, true},
		"the header":          {func(b []byte) []byte { copy(b, make([]byte, 8)); return b }, true, true},
		"a last commit cut":   {func(b []byte) []byte { return b[:len(b)-1000] }, false, false},
		"the last page wrong": {func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, false, false},
		"nothing but a start": {func(b []byte) []byte { return b[:20] }, false, false},
	} {
		place := filepath.Join(t.TempDir(), "x.db")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(place, data, 0o600), os.WriteFile(place+"-wal", c.spoil(bytes.Clone(whole)), 0o600)); err != nil {
			t.Fatal(err)
		}
		f := openFile(t, place)
		if (f.LogDamage() != "") != c.damage {
			t.Errorf("%s: damage %q of %d frames", name, f.LogDamage(), frames)
		}
		var rows []Row
		f.Walk(roots["last"], Table, func(r Row) error { rows = append(rows, r); return nil })
		if found := len(rows) == 1 && rows[0].Values[0] == int64(4711); found != c.last {
			t.Errorf("%s: last row there: %v", name, found)
		}
	}
}

func TestStopsAndFails(t *testing.T) {
	path, roots := makeDB(t, 512, false, `CREATE TABLE t (i INTEGER PRIMARY KEY, s)`, many+`INSERT INTO t SELECT i, i FROM n`)
	trouble := errors.New("no more")
	for want, give := range map[error]error{nil: ErrStop, trouble: trouble} {
		f, n := openFile(t, path), 0
		if _, err := f.Walk(roots["t"], Table, func(Row) error { n++; return give }); !errors.Is(err, want) || n != 1 {
			t.Errorf("%v after %d rows", err, n)
		}
		if err := openFile(t, path).Orphans(Table, func(Row, bool) error { return give }); !errors.Is(err, want) {
			t.Errorf("orphans: %v", err)
		}
	}
	if f := openFile(t, filepath.Join(t.TempDir(), "none.db")); f.Pages() != 0 || f.Header() != nil {
		t.Error("a file that is not there has pages")
	}
	if _, err := Open(t.TempDir()+"\x00", 4096); err == nil {
		t.Error("no file at all")
	}
}

// FuzzDatabase walks whatever there is. It ends, and takes no more memory than it is given.
func FuzzDatabase(f *testing.F) {
	path, _ := makeDB(f, 512, false, `CREATE TABLE t (i INTEGER PRIMARY KEY, s)`, `CREATE TABLE w (k TEXT PRIMARY KEY, s) WITHOUT ROWID`,
		`INSERT INTO t VALUES (1, 'x'), (2, hex(zeroblob(700)))`, `INSERT INTO w VALUES ('a', 1), ('b', hex(zeroblob(900)))`)
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, []byte{})
	f.Add(data[:1024], data)
	f.Add([]byte{}, []byte("\x37\x7f\x06\x82"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, main, wal []byte) {
		path := filepath.Join(dir, "f.db")
		if err := errors.Join(os.WriteFile(path, main, 0o600), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path, 512)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for root := range uint32(8) {
			for _, kind := range []int{Table, Index} {
				db.Walk(root, kind, func(Row) error { return nil })
			}
		}
		db.Orphans(Table, func(Row, bool) error { return nil })
		db.Orphans(Index, func(Row, bool) error { return nil })
	})
}
