//go:build race

package smtpin_test

// idleClients are the silent connections of TestIdleClients; the race detector multiplies the cost of each.
const idleClients = 2000
