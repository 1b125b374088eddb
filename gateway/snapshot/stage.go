package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

const (
	stagingPrefix = ".backup-"
	stagingLock   = ".backup.lock"
	queueName     = "queue"
	auditName     = "audit"
	auditHead     = "head"
	demailName    = "demail"
)

// stagedState is a copy of the state, of which each part is of one instant.
type stagedState struct {
	dir    string
	faults int // of the audit log
	notes  []string
}

// stage makes the copy within the state folder, so that contents of messages can be links. Release removes it.
func stage(ctx context.Context, o Options) (s stagedState, release func() error, err error) {
	lock, err := lockState(o.State)
	if err != nil {
		return s, nil, err
	}
	s.dir, err = os.MkdirTemp(o.State, stagingPrefix)
	release = func() error { return errors.Join(os.RemoveAll(s.dir), lock.Close()) }
	if err == nil {
		err = s.fill(ctx, o)
	}
	if err != nil {
		return s, nil, errors.Join(err, release())
	}
	return s, release, nil
}

// lockState lets one backup be made at a time, and removes what one left that was killed.
func lockState(state string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(state, stagingLock), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, errors.New("another backup of this gateway is under way; wait until it has ended")
	}
	left, err := filepath.Glob(filepath.Join(state, stagingPrefix+"*"))
	err = errors.Join(err, Own(state, lock.Name()))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return lock, nil
}

func (s *stagedState) fill(ctx context.Context, o Options) error {
	if err := sqlqueue.Snapshot(ctx, filepath.Join(o.State, queueName), filepath.Join(s.dir, queueName)); err != nil {
		return err
	}
	if err := proof.Snapshot(ctx, filepath.Join(o.State, demailName), filepath.Join(s.dir, demailName)); err != nil {
		return err
	}
	if err := s.audit(o); err != nil {
		return err
	}
	return filepath.WalkDir(o.State, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(o.State, path)
		switch {
		case err != nil || rel == ".":
			return err
		case d.IsDir() && (rel == queueName || rel == auditName || rel == demailName || skipped(rel)):
			return fs.SkipDir
		case d.IsDir(), skipped(rel), !d.Type().IsRegular():
			return nil
		}
		return s.file(ctx, path, filepath.Join(s.dir, rel))
	})
}

// file copies one file; a database as it is at one instant.
func (s *stagedState) file(ctx context.Context, from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if strings.HasSuffix(from, ".db") {
		return sqldb.Copy(ctx, from, to)
	}
	return copyFile(from, to)
}

// attempts at the audit log, which is written to and begins new files meanwhile.
const attempts = 5

// audit copies the audit log. What the head says is copied first, so that the copy goes at least as far.
func (s *stagedState) audit(o Options) error {
	from, to := filepath.Join(o.State, auditName), filepath.Join(s.dir, auditName)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for range attempts {
		if err := os.RemoveAll(to); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		if err := copyLog(from, to); err != nil {
			return err
		}
		copied, err := audit.Verify(to, o.Key, audit.Expect{})
		if err != nil {
			return err
		}
		if s.faults = copied.Faults; s.faults == 0 {
			return nil
		}
		original, err := audit.Verify(from, o.Key, audit.Expect{})
		if err != nil {
			return err
		}
		if original.Faults >= s.faults {
			s.notes = append(s.notes, "the audit log is not whole, and the copy is as it is; see siegel audit verify")
			return nil
		}
	}
	return errors.New("the audit log changes faster than it can be copied; try again")
}

func copyLog(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	err := copyFile(filepath.Join(from, auditHead), filepath.Join(to, auditHead))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	for _, e := range list {
		if e.Name() == auditHead || !e.Type().IsRegular() || skipped(filepath.Join(auditName, e.Name())) {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file with its mode and, where it may, its owner.
func copyFile(from, to string) error {
	in, err := openRegular(from, syscall.O_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	_, err = io.Copy(out, in)
	if user, group := owner(info); os.Geteuid() == 0 && user >= 0 {
		err = errors.Join(err, out.Chown(user, group))
	}
	if err := errors.Join(err, out.Chmod(info.Mode().Perm()), out.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", errors.Join(err, os.Remove(to)))
	}
	return nil
}
