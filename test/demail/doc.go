// Package demail holds the tests of two running gateways that send each other De-Mail, by simulated providers, with a smart card behind a real pcscd; it holds no
// code of the gateway. What they prove they prove of the gateway, not of any provider.
package demail
