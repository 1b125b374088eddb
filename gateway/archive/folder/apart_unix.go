//go:build unix

package folder

import (
	"os"
	"syscall"
)

// sameDisk reports whether two folders lie in one file system.
func sameDisk(a, b string) (bool, error) {
	one, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	two, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	first, ok1 := one.Sys().(*syscall.Stat_t)
	second, ok2 := two.Sys().(*syscall.Stat_t)
	return !ok1 || !ok2 || first.Dev == second.Dev, nil
}
