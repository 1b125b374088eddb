// Package rehearsal runs a small world of De-Mail on one machine: two simulated providers with web services, a company at each, and keys for all of it. It proves
// nothing, and no real provider is known to be like it.
package rehearsal
