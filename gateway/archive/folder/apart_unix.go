//go:build unix

package folder

import (
	"os"
	"syscall"
)

// apart is an error where the folder lies on the disk that it is to be apart from, or on that of the system.
func (f *Folder) apart() error {
	if f.o.Apart == "" {
		return nil
	}
	for _, own := range []string{f.o.Apart, "/"} {
		if same, err := SameDisk(f.o.Dir, own); err != nil {
			return err
		} else if same {
			return errSame
		}
	}
	return nil
}

// SameDisk reports whether two folders lie in one file system.
func SameDisk(a, b string) (bool, error) {
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
