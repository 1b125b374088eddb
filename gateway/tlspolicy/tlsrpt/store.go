package tlsrpt

import (
	"context"
	"database/sql"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

//go:embed schema/*.sql
var schema embed.FS

const (
	purpose      = "tls reports"
	databaseName = "tlsrpt.db"
)

// The bounds of what is kept.
const (
	maxBody = 256 << 10 // bytes of one domain and day
	maxKept = 256 << 20 // of all together
)

var errKey = errors.New("tlsrpt: what was counted is sealed under another at-rest key")

// store keeps tallies over restarts. It belongs to the goroutine of a Reporter, but for waiting.
type store struct {
	db   *sql.DB
	key  atrest.Key
	kept int64 // bytes of bodies
}

// row is what is kept of one domain and day.
type row struct {
	id    int64
	day   Day
	due   time.Time
	until time.Time
	tries int
	body  body
}

// body is the sealed part.
type body struct {
	Domain string   `json:"domain"`
	Tally  Tally    `json:"tally"`
	Done   []string `json:"done,omitempty"` // who has the report, or gets none
	// Counted are the bounds that the report was counted against: "*" by what it is about, and each that it goes to.
	Counted []string `json:"counted,omitempty"`
}

// openStore opens the database in a folder, and makes both where they are missing.
func openStore(ctx context.Context, dir string, key atrest.Key) (_ *store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tlsrpt: %w", err)
	}
	s := &store{key: key.Derive(purpose)}
	if s.db, err = sqldb.Open(filepath.Join(dir, databaseName), sqldb.Options{Vacuum: true}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.db.Close()
		}
	}()
	folder, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("tlsrpt: %w", err)
	}
	if err := sqldb.Migrate(ctx, s.db, folder); err != nil {
		return nil, err
	}
	if err := sqldb.QuickCheck(ctx, s.db); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx); err != nil {
		return nil, err
	}
	err = s.db.QueryRowContext(ctx, `SELECT coalesce(sum(length(body)), 0) FROM report`).Scan(&s.kept)
	return s, err
}

// checkKey compares the key with the one the database was made under, and records it in a new one.
func (s *store) checkKey(ctx context.Context) error {
	proof := []byte("siegel " + purpose)
	var sealed []byte
	err := s.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'key'`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		if sealed, err = s.key.Seal(proof, proof); err == nil {
			_, err = s.db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('key', ?)`, sealed)
		}
	}
	if err != nil {
		return fmt.Errorf("tlsrpt: check the key: %w", err)
	}
	if _, err := s.key.Open(sealed, proof); err != nil {
		return errKey
	}
	return nil
}

// setAside moves a database that cannot be used out of the way, in place of an earlier one, and returns where it is.
func setAside(dir string, now time.Time) (string, error) {
	path := filepath.Join(dir, databaseName)
	aside := path + ".damaged-" + now.UTC().Format("20060102-150405")
	old, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		return "", fmt.Errorf("tlsrpt: %w", err)
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return "", fmt.Errorf("tlsrpt: %w", err)
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("tlsrpt: %w", err)
		}
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("tlsrpt: %w", err)
	}
	return aside, nil
}

func (s *store) hash(domain string) []byte { return s.key.MAC([]byte(domain))[:16] }

// bound is what a body is bound to.
func bound(day Day, hash []byte) []byte {
	return binary.BigEndian.AppendUint32(hash[:16:16], uint32(day))
}

// add writes tallies in one transaction, each to what was counted before. Due says when a new one is to be reported. It returns how many
// sessions found no room.
func (s *store) add(ctx context.Context, all map[place]*Tally, due func(Day) time.Time) (lost uint64, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("tlsrpt: %w", err)
	}
	defer tx.Rollback()
	kept := s.kept
	for at, t := range all {
		if kept >= maxKept {
			lost += t.sessions()
			continue
		}
		grown, one, err := s.addOne(ctx, tx, at, t, due)
		if err != nil {
			return 0, fmt.Errorf("tlsrpt: %w", err)
		}
		kept += grown
		lost += one
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("tlsrpt: %w", err)
	}
	s.kept = kept
	return lost, nil
}

// addOne writes one tally, and returns how much the body has grown.
func (s *store) addOne(ctx context.Context, tx *sql.Tx, at place, t *Tally, due func(Day) time.Time) (grown int64, lost uint64, err error) {
	hash := s.hash(at.domain)
	var sealed []byte
	b := body{Domain: at.domain}
	err = tx.QueryRowContext(ctx, `SELECT body FROM report WHERE day = ? AND domain = ?`, int(at.day), hash).Scan(&sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return 0, 0, err
	default:
		if old, err := s.open(sealed, at.day, hash); err == nil { // one that cannot be read is begun anew
			b = old
		}
	}
	if b.Tally.weight() > maxBody {
		return 0, t.sessions(), nil
	}
	lost = b.Tally.merge(t)
	fresh, err := s.seal(b, at.day, hash)
	if err != nil {
		return 0, 0, err
	}
	first := due(at.day)
	_, err = tx.ExecContext(ctx, `INSERT INTO report (day, domain, due, tries, until, body) VALUES (?1, ?2, ?3, 0, ?4, ?5)
		ON CONFLICT (day, domain) DO UPDATE SET body = ?5`, int(at.day), hash, first.Unix(), first.Add(dayLength).Unix(), fresh)
	return int64(len(fresh) - len(sealed)), lost, err
}

func (s *store) seal(b body, day Day, hash []byte) ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return s.key.Seal(text, bound(day, hash))
}

func (s *store) open(sealed []byte, day Day, hash []byte) (b body, err error) {
	text, err := s.key.Open(sealed, bound(day, hash))
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(text, &b)
}

// due lists what is to be reported of the days before today, first what waits longest. What cannot be read is removed.
func (s *store) due(ctx context.Context, now time.Time, limit int) ([]row, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, day, domain, due, until, tries, body FROM report WHERE due <= ? AND day < ? ORDER BY due LIMIT ?`,
		now.Unix(), int(DayOf(now)), limit)
	if err != nil {
		return nil, fmt.Errorf("tlsrpt: %w", err)
	}
	defer rows.Close()
	var all []row
	var unread []int64
	for rows.Next() {
		var r row
		var hash, sealed []byte
		var due, until int64
		if err := rows.Scan(&r.id, &r.day, &hash, &due, &until, &r.tries, &sealed); err != nil {
			return nil, fmt.Errorf("tlsrpt: %w", err)
		}
		r.due, r.until = time.Unix(due, 0), time.Unix(until, 0)
		if len(hash) == 16 {
			r.body, err = s.open(sealed, r.day, hash)
		}
		if err != nil || r.body.Domain == "" {
			unread = append(unread, r.id)
			continue
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("tlsrpt: %w", err)
	}
	for _, id := range unread {
		if err := s.remove(ctx, id); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// settle removes what is done, and writes of the rest who has the report and when it is tried again.
func (s *store) settle(ctx context.Context, rows []row, done []bool) error {
	for i, r := range rows {
		if done[i] {
			if err := s.remove(ctx, r.id); err != nil {
				return err
			}
			continue
		}
		fresh, err := s.seal(r.body, r.day, s.hash(r.body.Domain))
		if err == nil {
			_, err = s.db.ExecContext(ctx, `UPDATE report SET due = ?, tries = ?, body = ? WHERE id = ?`, r.due.Unix(), r.tries, fresh, r.id)
		}
		if err != nil {
			return fmt.Errorf("tlsrpt: %w", err)
		}
	}
	return nil
}

// remove forgets what was counted.
func (s *store) remove(ctx context.Context, id int64) error {
	var size int64
	err := s.db.QueryRowContext(ctx, `DELETE FROM report WHERE id = ? RETURNING length(body)`, id).Scan(&size)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("tlsrpt: %w", err)
	}
	s.kept -= size
	return nil
}

// prune forgets what is so old that nobody is told any more, and gives free room back.
func (s *store) prune(ctx context.Context, before Day) (int64, error) {
	res, err := s.db.ExecContext(ctx, `DELETE FROM report WHERE day < ?`, int(before))
	if err != nil {
		return 0, fmt.Errorf("tlsrpt: %w", err)
	}
	n, err := res.RowsAffected()
	if err == nil {
		_, err = s.db.ExecContext(ctx, `DELETE FROM told WHERE day < ?`, int(before))
	}
	if err == nil && n > 0 {
		err = s.db.QueryRowContext(ctx, `SELECT coalesce(sum(length(body)), 0) FROM report`).Scan(&s.kept)
	}
	if err == nil {
		_, err = s.db.ExecContext(ctx, `PRAGMA incremental_vacuum`)
	}
	if err != nil {
		return n, fmt.Errorf("tlsrpt: %w", err)
	}
	return n, nil
}

// waiting is how many reports are not sent yet, of days that have ended.
func (s *store) waiting(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM report WHERE day < ?`, int(DayOf(now))).Scan(&n)
	return n, err
}
