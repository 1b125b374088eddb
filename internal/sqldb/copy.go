package sqldb

import (
	"context"
	"fmt"
	"os"
)

// Copy writes the database in the file from, as it is at one instant, into the new file to (mode 0600). Other processes may have it
// open, and go on. The copy is one file, without a write-ahead log.
func Copy(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("sqldb: copy: %w", err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite takes an empty file, and would make one that others read
	if err != nil {
		return fmt.Errorf("sqldb: copy: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(to)
		}
	}()
	if err := out.Close(); err != nil {
		return fmt.Errorf("sqldb: copy: %w", err)
	}
	db, err := Open(from, Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return fmt.Errorf("sqldb: copy %s: %w", from, err)
	}
	return nil
}
