package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// admitOwner lets in root and the user the gateway runs as, by the kernel's word (SO_PEERCRED). It holds
// also where somebody loosened the mode of the socket.
func admitOwner(c net.Conn) (user int, err error) {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errors.New("admin: not a unix connection")
	}
	cred, err := credentials(unix)
	if err != nil {
		return -1, err
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Geteuid() {
		return -1, fmt.Errorf("admin: user %d may not command this gateway", cred.Uid)
	}
	return int(cred.Uid), nil
}

// credentials are those of the process that connected, as the kernel keeps them.
func credentials(c *net.UnixConn) (cred *syscall.Ucred, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return cred, errors.Join(err, credErr)
}

// loginOf is the number of the user who logged in and from whose session the process comes that connected, as
// the kernel's audit keeps it (proc(5), loginuid); -1 where it is not known. A process that has ended meanwhile
// is not known any more.
func loginOf(c net.Conn) int {
	unix, ok := c.(*net.UnixConn)
	if !ok {
		return -1
	}
	cred, err := credentials(unix)
	if err != nil {
		return -1
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(int(cred.Pid)) + "/loginuid")
	if err != nil {
		return -1
	}
	return parseLogin(string(text))
}

// parseLogin reads a loginuid; the largest number stands for none.
func parseLogin(text string) int {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil || n == 1<<32-1 {
		return -1
	}
	return int(n)
}
