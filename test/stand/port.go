package stand

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports that the system gives to nobody by itself: most Unix systems take those of clients from above.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// FreePort finds a port of 127.0.0.1 that nobody listens on, for a server that must be told its port, and
// must get it again when it is started anew.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("stand: no free port")
}
