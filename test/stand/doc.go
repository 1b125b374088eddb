// Package stand runs the siegel command as a process of its own, with what it needs around it, for end-to-end tests and benchmarks; it holds no scenario.
package stand
