//go:build cgo && !unix

package pkcs11

// initialize lets the module use the mutexes of the system (CKF_OS_LOCKING_OK).
func (b binding) initialize() error { return failure("C_Initialize", b.c.Initialize()) }
