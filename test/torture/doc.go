// Package torture holds the tests that hurt the running gateway and count what it makes of the mail; it holds no code of the gateway.
//
// Clients send mail of every kind into `siegel serve` and note what they were told; a next hop notes what
// comes, and misbehaves. Meanwhile the gateway is killed, stopped, starved of disk, and cut off. In the end a
// ledger compares both sides: what was answered with 250 has arrived, whole, and protected where it had to be.
// docs/reliability.md says how to run it.
package torture
