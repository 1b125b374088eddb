// Package e2e holds scenarios of a running gateway between programs we did not write; it holds no code of the gateway.
//
// Each file under testdata is one scenario: a script, and what it needs as files. Two Postfix instances, the
// company's and the partner's, stand on both sides of `siegel serve`; swaks, openssl and gpgsm send and read.
// Beside the commands of testscript a script has those of commands_test.go.
package e2e
