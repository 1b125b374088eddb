package freeport

import (
	"net"
	"strconv"
	"testing"
)

// While others look for ports, nobody listens on one that was found: who waits there for a server to start
// would take the one who looks for it.
func TestNobodyListensOnWhatWasFound(t *testing.T) {
	port := Port(t)
	looked := make(chan error)
	go func() {
		_, err := find(1, port, port+1)
		looked <- err
	}()
	for {
		if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			c.Close()
			t.Error("somebody listens")
		}
		select {
		case err := <-looked:
			if err == nil {
				t.Error("it was found a second time")
			}
			return
		default:
		}
	}
}
