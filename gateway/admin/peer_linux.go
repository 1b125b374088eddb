package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// admitOwner lets in root and the user the gateway runs as, by the kernel's word (SO_PEERCRED). It holds
// also where somebody loosened the mode of the socket.
func admitOwner(c net.Conn) (user int, err error) {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errors.New("admin: not a unix connection")
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return -1, err
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return -1, fmt.Errorf("admin: user %d may not command this gateway", cred.Uid)
	}
	return int(cred.Uid), nil
}
