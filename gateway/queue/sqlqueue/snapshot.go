package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// snapshots is how often a copy is begun anew, where mail left while it was made.
const snapshots = 20

var errMoving = errors.New("sqlqueue: mail leaves faster than the queue can be copied; try again when less goes out")

// Snapshot writes a copy of the queue in dir into the folder to, which it makes; a running process may have the queue open and
// goes on. The copy is of one instant: each row has its content, and each content its row. Content files are links to
// those of the queue where the file system lets them be. A folder without a queue gives none, and no error.
func Snapshot(ctx context.Context, dir, to string) error {
	from := filepath.Join(dir, databaseName)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(to, contentName), 0o700); err != nil {
		return fmt.Errorf("sqlqueue: snapshot: %w", err)
	}
	for range snapshots {
		// What is there before the copy of the rows is kept from here on, and what comes while they are copied is taken
		// after it. Only what both came and went meanwhile is missed, and then another copy is made.
		if err := linkAll(ctx, filepath.Join(dir, contentName), filepath.Join(to, contentName)); err != nil {
			return fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
		copied := filepath.Join(to, databaseName)
		if err := sqldb.Copy(ctx, from, copied); err != nil {
			return fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
		if err := linkAll(ctx, filepath.Join(dir, contentName), filepath.Join(to, contentName)); err != nil {
			return fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
		files, err := contentFiles(ctx, copied)
		if err != nil {
			return err
		}
		if whole(filepath.Join(to, contentName), files) {
			return onlyThese(filepath.Join(to, contentName), files)
		}
		if err := os.Remove(copied); err != nil {
			return fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
	}
	return errMoving
}

// contentFiles are the names of the content files that rows refer to.
func contentFiles(ctx context.Context, path string) (map[string]bool, error) {
	db, err := sqldb.Open(path, sqldb.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT file FROM message WHERE file IS NOT NULL`)
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: snapshot: %w", err)
	}
	defer rows.Close()
	files := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
		files[filepath.Base(name)] = true
	}
	if err := errors.Join(rows.Err(), sqldb.Checkpoint(db)); err != nil {
		return nil, fmt.Errorf("sqlqueue: snapshot: %w", err)
	}
	return files, nil
}

// whole reports whether each of the files is in dir.
func whole(dir string, files map[string]bool) bool {
	for name := range files {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// onlyThese removes what else is in dir.
func onlyThese(dir string, files map[string]bool) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sqlqueue: snapshot: %w", err)
	}
	for _, e := range list {
		if files[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("sqlqueue: snapshot: %w", err)
		}
	}
	return nil
}

// linkAll links the files in one folder into another; those that go meanwhile, and those that are there, are left out.
func linkAll(ctx context.Context, from, to string) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			continue
		}
		old, link := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		err := os.Link(old, link)
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			err = copyFile(old, link)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// CheckCopy looks through a copy that [Snapshot] made: its database is sound, it was written under the key, and each content is
// there. ErrWrongKey, sqldb.ErrUnsound. A folder without a queue is sound.
func CheckCopy(ctx context.Context, dir string, key atrest.Key) error {
	path := filepath.Join(dir, databaseName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := sqldb.Open(path, sqldb.Options{})
	if err != nil {
		return err
	}
	err = sqldb.Check(ctx, db)
	if err == nil {
		err = checkKey(ctx, db, key.Derive("queue"))
	}
	if err := errors.Join(err, sqldb.Checkpoint(db), db.Close()); err != nil {
		return err
	}
	files, err := contentFiles(ctx, path)
	if err == nil && !whole(filepath.Join(dir, contentName), files) {
		err = errors.New("sqlqueue: the content of a message is missing")
	}
	return err
}

// InUse reports whether a process has the queue in dir open.
func InUse(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, "lock")); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock, err := lockDir(dir)
	if errors.Is(err, ErrInUse) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Close()
}
