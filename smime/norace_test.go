//go:build !race

package smime_test

// largeSize is the message of the memory test.
const largeSize = 1_000_000_000
