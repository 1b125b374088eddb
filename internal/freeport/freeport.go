// Package freeport finds ports of 127.0.0.1 for tests that start a server which must be told its port; it starts none.
//
// A port that was found is nobody else's who asks here, in this process or in another (go test runs packages side by side),
// until this process ends: no two servers are told the same one, and where nobody shall listen, nobody does.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that are tried lie below those that Linux and others give to connections (32768 and on): otherwise a
// connection of another test could take a port between its being found and its being used.
const (
	firstPort = 10_000
	lastPort  = 32_000
	attempts  = 10_000
)

// Address finds "127.0.0.1:PORT" as Find does.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
}

// Port is Find for a test.
func Port(t testing.TB) int {
	t.Helper()
	port, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Find finds a port of 127.0.0.1 that nobody uses, by TCP nor by UDP, for a server that must be told its port, and
// must get it again when it is started anew.
func Find() (int, error) { return find(1, firstPort, lastPort) }

// FindPair finds a port that is followed by another one, for a server that takes both.
func FindPair() (int, error) { return find(2, firstPort, lastPort) }

// find finds n ports in a row, the first of them from first on and below last. What others have reserved is not looked at:
// to see whether a port is free is to listen on it, and who waits for a server that starts there would meet us.
func find(n, first, last int) (int, error) {
	for range attempts {
		port := first + rand.IntN(last-first)
		if all(port, n, reserve) && all(port, n, free) {
			return port, nil
		}
	}
	return 0, errors.New("freeport: there is none")
}

func all(port, n int, is func(int) bool) bool {
	for i := range n {
		if !is(port + i) {
			return false
		}
	}
	return true
}

// free tells whether nobody uses a port.
func free(port int) bool {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
