package proof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tidy ends what a process that was killed had begun: files whose rows were committed get their lasting names, others go. A file with a lasting name goes only
// where its row was removed by Prune: whatever else lies there is left.
func (s *Store) tidy(ctx context.Context, db *database) error {
	list, err := os.ReadDir(s.contentDir())
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	for _, e := range list {
		name, isFresh := strings.CutSuffix(e.Name(), fresh)
		if !isFresh {
			continue
		}
		var there bool
		if err := db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM content WHERE name = ? AND body IS NULL)`, name).Scan(&there); err != nil {
			return fmt.Errorf("proof: %w", err)
		}
		path := filepath.Join(s.contentDir(), name)
		if there {
			err = os.Rename(path+fresh, path)
		} else {
			err = os.Remove(path + fresh)
		}
		if err != nil {
			return fmt.Errorf("proof: %w", err)
		}
	}
	return s.sweep(ctx, db)
}

// sweep removes the files whose rows are gone.
func (s *Store) sweep(ctx context.Context, db *database) error {
	names, err := column[string](ctx, db.read, `SELECT name FROM gone WHERE name NOT IN (SELECT name FROM content)`)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(s.contentDir(), filepath.Base(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("proof: %w", err)
		}
		if _, err := db.write.ExecContext(ctx, `DELETE FROM gone WHERE name = ?`, name); err != nil {
			return fmt.Errorf("proof: %w", err)
		}
	}
	return nil
}
