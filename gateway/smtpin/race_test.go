//go:build race

package smtpin_test

// idleClients are the silent connections of TestIdleClients, and idleBytes what each may take up; the race
// detector multiplies the cost of both.
const (
	idleClients = 2000
	idleBytes   = 64 << 10
)
