package freeport

import (
	"fmt"
	"syscall"
)

// reserve takes a port for this process until it ends, and tells whether it was not taken yet. What is taken is a name of
// Linux's abstract sockets, unix(7): it is there once for all processes that share their ports, is no file that somebody
// would have to remove, and ends with the process, whose children do not inherit it.
func reserve(port int) bool {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: fmt.Sprintf("@siegel-port-%d", port)}); err != nil {
		syscall.Close(fd)
		return false
	}
	return true // fd stays open
}
