//go:build race

package revocation_test

// The race detector makes reading a list many times slower: its tests take a shorter one.
const entriesOfLarge = 100_000
