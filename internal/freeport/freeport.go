// Package freeport finds ports of this machine for tests that start a server which must be told its port.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that are tried lie below those that Linux and others give to connections (32768 and on): otherwise a
// connection of another test could take a port between its being found and its being used.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// Find finds a port of 127.0.0.1 that nobody listens on, for a server that must be told its port, and must get it
// again when it is started anew.
func Find() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("freeport: there is none")
}
