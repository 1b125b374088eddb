// Package cards holds the tests of the running gateway with keys on smart cards behind a real pcscd, and in tokens of SoftHSM; it holds no code of the gateway. The cards
// are simulated, and count what is presented to them.
package cards
