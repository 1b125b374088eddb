package stand

import "syscall"

// withUs makes a process end when this one does, however that happens.
func withUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
