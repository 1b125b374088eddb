// Package interop holds the tests that exchange signed and encrypted messages with programs we did not write, in both directions; what came out is docs/interoperability.md.
package interop
