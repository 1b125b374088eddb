//go:build !race

package revocation_test

// entriesOfLarge make a list of more than 50 MiB.
const entriesOfLarge = 1_400_000
