// Package keys holds the tests of keys on smart cards together with what uses them, S/MIME and TLS, against OpenSSL, and measures them; it holds
// no code of the gateway.
package keys
