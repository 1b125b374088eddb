//go:build !linux

package stand

import "syscall"

// withUs makes a process as any other.
func withUs() *syscall.SysProcAttr { return nil }
