//go:build !race

package smtpin_test

// idleClients are the silent connections of TestIdleClients, and idleBytes what each may take up.
const (
	idleClients = 10_000
	idleBytes   = 24 << 10
)
