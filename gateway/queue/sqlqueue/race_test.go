//go:build race

package sqlqueue

// planRows is less under the race detector, which slows SQLite thirtyfold.
const planRows = 10_000
