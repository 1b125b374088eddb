package sqlqueue

import (
	"errors"
	"os"
	"syscall"
)

// allocate gives f blocks on the disk for size bytes.
func allocate(f *os.File, size int64) error {
	err := syscall.Fallocate(int(f.Fd()), 0, 0, max(size, 1))
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return writeZeros(f, size)
	}
	return err
}
