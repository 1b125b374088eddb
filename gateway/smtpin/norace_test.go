//go:build !race

package smtpin_test

// idleClients are the silent connections of TestIdleClients.
const idleClients = 10_000
