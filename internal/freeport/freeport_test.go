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
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if port < 1024 || port >= 32768 {
			t.Errorf("port %d", port)
		}
	}
}
