package proof

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

// snapshots is how often a copy is begun anew, where records were removed while it was made.
const snapshots = 20

const filesOfRows = `SELECT name FROM content WHERE body IS NULL`

// Snapshot writes a copy of the record in dir into the folder to, which it makes; a running process may have the record open and goes on. The copy is of one
// instant: each row has its content. Content files are links to those of the record where the file system lets them be. A folder without a record gives none, and no error.
func Snapshot(ctx context.Context, dir, to string) error {
	from := filepath.Join(dir, databaseName)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(to, contentName), 0o700); err != nil {
		return fmt.Errorf("proof: snapshot: %w", err)
	}
	var missing string
	copied := filepath.Join(to, databaseName)
	for range snapshots {
		if err := sqldb.Copy(ctx, from, copied); err != nil {
			return fmt.Errorf("proof: snapshot: %w", err)
		}
		var err error
		missing, err = linkContents(ctx, copied, filepath.Join(dir, contentName), filepath.Join(to, contentName))
		if err != nil {
			return fmt.Errorf("proof: snapshot: %w", err)
		}
		if missing == "" {
			return nil
		}
		if err := errors.Join(os.Remove(copied), empty(filepath.Join(to, contentName))); err != nil {
			return fmt.Errorf("proof: snapshot: %w", err)
		}
	}
	return fmt.Errorf("%w: the file %s of a message is missing in the folder %s; put it back from an earlier backup", ErrDamaged, missing, filepath.Join(dir, contentName))
}

// linkContents links the files of a copy, and returns the name of one that is not there, if any.
func linkContents(ctx context.Context, copied, from, to string) (missing string, err error) {
	names, err := namesIn(ctx, copied)
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		name = filepath.Base(name)
		err := linkFile(filepath.Join(from, name), filepath.Join(to, name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// namesIn are the content files that the rows of a database have.
func namesIn(ctx context.Context, path string) (names []string, err error) {
	db, err := sqldb.Open(path, sqldb.Options{})
	if err != nil {
		return nil, err
	}
	names, err = column[string](ctx, db, filesOfRows)
	return names, errors.Join(err, sqldb.Checkpoint(db), db.Close())
}

// linkFile links a content file, or copies it, under the name that lasts, whichever it has at present.
func linkFile(from, to string) (err error) {
	for _, name := range []string{from, from + fresh, from} {
		err = os.Link(name, to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			err = copyFile(name, to)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
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

// empty removes the files in a folder.
func empty(dir string) error {
	list, err := os.ReadDir(dir)
	for _, e := range list {
		err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
	}
	return err
}

// CheckCopy looks through a copy that [Snapshot] made: its database is sound, it was written under the key, and each content is there.
// ErrWrongKey, ErrDamaged, sqldb.ErrUnsound. A folder without a record is sound.
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
		err = prepare(ctx, db, key.Derive(purpose))
	}
	if err := errors.Join(err, sqldb.Checkpoint(db), db.Close()); err != nil {
		return err
	}
	names, err := namesIn(ctx, path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if info, err := os.Lstat(filepath.Join(dir, contentName, filepath.Base(name))); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%w: the file of a content is missing", ErrDamaged)
		}
	}
	return nil
}
