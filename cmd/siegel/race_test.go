//go:build race

package main

// What the memory test asks. The race detector takes memory and time of its own: there is no bound, and less to do.
const (
	largeMessage = 8 << 20
	mostMemory   = 1 << 40
)
