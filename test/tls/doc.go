// Package tls holds the tests that hold the TLS of the running gateway against programs we did not write; it holds no code of the gateway.
//
// `siegel serve` talks to OpenSSL, GnuTLS, Postfix and nmap, in both directions, under every built-in profile. What must become of each
// connection stands in rules_test.go, written down from what the documents of the profiles say and from nothing that the gateway knows.
package tls
