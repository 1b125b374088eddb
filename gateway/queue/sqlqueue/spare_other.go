//go:build !linux

package sqlqueue

import "os"

// allocate gives f blocks on the disk for size bytes.
func allocate(f *os.File, size int64) error { return writeZeros(f, size) }
