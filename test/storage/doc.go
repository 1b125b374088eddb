// Package storage holds the tests that watch what the running gateway asks of the disk, by strace, and let that fail; it holds no code of the gateway.
package storage
