//go:build race

package cms

// bigSize is less under the race detector, which makes each byte cost fifty times as much; it is still twice
// and more the heap that is allowed.
const bigSize = 48 << 20
