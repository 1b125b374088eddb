package postfix

import "syscall"

// ownGroup makes a process the head of a group, which Stop can end at once, and ends it with us.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
