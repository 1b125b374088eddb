package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrInUse is the error of a socket on which another process listens.
var ErrInUse = errors.New("admin: another gateway listens on the control socket")

// socket is a unix listener with the lock that keeps a second gateway from replacing it.
type socket struct {
	net.Listener
	lock *os.File
}

// listenSocket makes the socket at path. The directory is made with mode 0700, or must have it. The lock
// beside the socket belongs to a living process: whoever has it may remove a socket that nobody answers.
func listenSocket(path string) (*socket, error) {
	if err := prepareDirectory(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := replaceSocket(path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &socket{Listener: l, lock: lock}, nil
}

// release gives the lock back, after the listener was closed.
func (s *socket) release() {
	s.Close()
	s.lock.Close()
}

func prepareDirectory(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("admin: directory of the control socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("admin: directory of the control socket: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("admin: %s must be a directory of its own for the control socket", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("admin: %s is open to other users (mode %04o); give the control socket a directory of its own with mode 0700", dir, info.Mode().Perm())
	}
	return checkOwner(dir, info)
}

// checkOwner refuses a directory in which another user than root or the gateway's own could swap files.
func checkOwner(dir string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("admin: %s belongs to another user (uid %d); the control socket needs a directory of the gateway's own", dir, stat.Uid)
	}
	return nil
}

// lockFile takes a lock that the kernel gives back when the process dies. The file itself stays.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("admin: lock of the control socket: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("%w: %s is locked; stop the other one or choose another socket", ErrInUse, path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("admin: lock of the control socket %s: %w", path, err)
	}
	return f, nil
}

func replaceSocket(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("admin: control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin: control socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin: control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("admin: %s is there and is no socket; remove it or choose another path for the control socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("%w: %s answers; stop the other one or choose another socket", ErrInUse, path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: %s cannot be told to be free: %w", ErrInUse, path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("admin: control socket: %w", err)
	}
	return nil
}
