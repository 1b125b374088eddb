// Package house holds the tests that keep the tree in order: import direction, documentation, dependencies. It has no code of its own.
package house
