//go:build unix

package pickup

import (
	"io/fs"
	"syscall"
)

// attributesOf tells owner and number of names of a file.
func attributesOf(info fs.FileInfo) (attributes, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return attributes{}, false
	}
	return attributes{uid: s.Uid, links: uint64(s.Nlink)}, true
}
