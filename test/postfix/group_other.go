//go:build !linux

package postfix

import "syscall"

// ownGroup makes a process the head of a group, which Stop can end at once.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
