//go:build !race

package sqlqueue

// planRows is how many recipients the queue has of which plans are asked.
const planRows = 200_000
