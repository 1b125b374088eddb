package sqlqueue

import (
	"math"
	"syscall"
)

// space is how many bytes of the disk that holds dir an unprivileged program may still use, and how many it
// has; not ok where the system does not tell.
func space(dir string) (free, total int64, ok bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil || st.Bsize <= 0 {
		return 0, 0, false
	}
	size := func(blocks uint64) int64 {
		if blocks > math.MaxInt64/uint64(st.Bsize) {
			return math.MaxInt64 / 2
		}
		return int64(blocks) * st.Bsize
	}
	return size(st.Bavail), size(st.Blocks), true
}
