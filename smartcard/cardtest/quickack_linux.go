package cardtest

import (
	"net"
	"syscall"
)

// quickACK returns what asks the kernel to acknowledge at once what it receives next on the connection; the kernel forgets it soon.
func quickACK(conn net.Conn) func() {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return func() {}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return func() {}
	}
	return func() {
		// Slower without it, and right all the same.
		_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
	}
}
