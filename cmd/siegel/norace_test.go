//go:build !race

package main

// What the memory test asks: bytes of the message, and of memory.
const (
	largeMessage = 96 << 20
	mostMemory   = 64 << 20
)
