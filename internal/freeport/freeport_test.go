package freeport_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
)

// A port that is found can be listened on, and is none that the system gives to connections.
func TestFind(t *testing.T) {
	for range 20 {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		if port < 1024 || port >= 32768 {
			t.Errorf("port %d", port)
		}
		taken(t, port)
	}
}

// taken listens on a port until the test ends.
func taken(t *testing.T, port int) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
}

func TestFindPair(t *testing.T) {
	for range 20 {
		port, err := freeport.FindPair()
		if err != nil {
			t.Fatal(err)
		}
		taken(t, port)
		taken(t, port+1)
	}
}

// What nobody listens on refuses connections.
func TestAddress(t *testing.T) {
	address := freeport.Address(t)
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Errorf("somebody listens on %s", address)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "127.0.0.1" || port == "" {
		t.Error(address, err)
	}
}
