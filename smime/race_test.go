//go:build race

package smime_test

// largeSize is less under the race detector, which makes each byte cost fifty times as much; it is still twice
// and more the heap that is allowed.
const largeSize = 48 << 20
