package sqlqueue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/sqldb"
)

// A rebuilt database is made as queue.db.new, and called queue.db.ready-TIME once it is whole and synced. Only then
// the damaged one is moved to the folder damaged-TIME, and the new one to its place. Whatever step a process
// dies at, the next start goes on from there.
const (
	newSuffix   = ".new"
	readySuffix = ".ready-"
	asidePrefix = "damaged-"
)

// ReportName is the file beside a damaged database that says what became of it.
const ReportName = "report.txt"

// asideName ends the name of the folder for a database that is set aside now.
func (s *Store) asideName() string {
	stamp := s.o.Now().UTC().Format("20060102T150405Z")
	for i := 2; ; i++ {
		_, err := os.Lstat(filepath.Join(s.o.Dir, asidePrefix+stamp))
		if errors.Is(err, fs.ErrNotExist) {
			return stamp
		}
		stamp = fmt.Sprintf("%s-%d", s.o.Now().UTC().Format("20060102T150405Z"), i)
	}
}

// finishSwap ends what a former process, or rebuild, has begun.
func (s *Store) finishSwap() error {
	ready, err := filepath.Glob(s.path() + readySuffix + "*")
	if err != nil {
		return fmt.Errorf("sqlqueue: %w", err)
	}
	for _, path := range ready {
		if err := s.swapFiles(path); err != nil {
			return fmt.Errorf("sqlqueue: setting the damaged database aside: %w", err)
		}
	}
	return s.removeNew()
}

// removeNew removes a database that was not made to its end.
func (s *Store) removeNew() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.path() + newSuffix + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sqlqueue: %w", err)
		}
	}
	return nil
}

func (s *Store) swapFiles(ready string) error {
	aside := filepath.Join(s.o.Dir, asidePrefix+strings.TrimPrefix(ready, s.path()+readySuffix))
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		err := os.Rename(s.path()+suffix, filepath.Join(aside, databaseName+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := errors.Join(syncDir(aside), syncDir(s.o.Dir)); err != nil {
		return err
	}
	return errors.Join(os.Rename(ready, s.path()), syncDir(s.o.Dir))
}

// moveOrphans moves content files that no message of the new database refers to beside the damaged one: they may
// belong to messages that were lost.
func (r *rescue) moveOrphans() error {
	r.s.filing.Lock()
	defer r.s.filing.Unlock()
	list, err := os.ReadDir(r.s.content)
	if err != nil {
		return err
	}
	to := filepath.Join(r.s.o.Dir, r.Aside, contentName)
	for _, e := range list {
		var there bool
		if err := r.db.QueryRow(`SELECT EXISTS (SELECT 1 FROM message WHERE file = ?)`, e.Name()).Scan(&there); err != nil {
			return err
		}
		if there {
			continue
		}
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(r.s.content, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// report leaves a word beside the damaged database.
func (r *rescue) report() error {
	dir := filepath.Join(r.s.o.Dir, r.Aside)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("%s\n%s\n%s.\n", r.Time.UTC().Format(time.RFC3339), r.Reason, r.Recovery)
	return os.WriteFile(filepath.Join(dir, ReportName), []byte(text), 0o600)
}

// Aside lists the folders with damaged databases that are still kept in the queue's folder dir, the oldest first.
func Aside(dir string) ([]string, error) {
	list, err := filepath.Glob(filepath.Join(dir, asidePrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: %w", err)
	}
	return list, nil
}

// finish makes the new database durable and puts it in the place of the damaged one.
func (r *rescue) finish() error {
	if err := errors.Join(r.moveOrphans(), r.report()); err != nil {
		return err
	}
	if err := errors.Join(sqldb.Check(context.Background(), r.db), sqldb.Checkpoint(r.db)); err != nil {
		return err
	}
	if err := r.db.Close(); err != nil {
		return err
	}
	path := r.s.path() + newSuffix
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	ready := r.s.path() + readySuffix + strings.TrimPrefix(r.Aside, asidePrefix)
	if err := errors.Join(os.Rename(path, ready), syncDir(r.s.o.Dir)); err != nil {
		return err
	}
	return r.s.swapFiles(ready)
}

// Recovery says what became of a damaged database.
type Recovery struct {
	Time   time.Time
	Reason string // what was wrong
	Aside  string // folder in the queue's own where the damaged database is kept
	// Messages were carried over. Of these, Held have recipients that are held, since what had become of them cannot
	// be told; Empty are held since their content is lost.
	Messages, Held, Empty int
	// Lost messages could not be read any more: who they were from and for is not known.
	Lost int
}

// String is the recovery in a sentence.
func (r Recovery) String() string {
	return fmt.Sprintf("%d messages were carried over (%d of them with recipients that are held, %d without their content), %d were lost; the damaged database is kept in %s",
		r.Messages, r.Held, r.Empty, r.Lost, r.Aside)
}
