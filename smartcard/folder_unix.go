//go:build unix

package smartcard

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockAgain is how soon a lock is asked for again that another process has; it has it for a few milliseconds.
const lockAgain = 5 * time.Millisecond

// Lock implements folder: the folder itself is locked, so that no other file is needed.
func (d onDisk) Lock(ctx context.Context) (func(), error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockAgain)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: string(d), Err: err}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}

// Sync implements folder.
func (d onDisk) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// giveTo gives a new file to the owner of the folder, where this process may do that.
func giveTo(f *os.File, folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(s.Uid), int(s.Gid))
	}
	return nil
}
