//go:build !race

package cms

// bigSize is the content of the memory tests.
const bigSize = 1 << 30
