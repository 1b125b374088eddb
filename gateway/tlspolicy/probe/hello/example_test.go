package hello_test

import (
	"errors"
	"fmt"
	"net"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
)

// A server is asked which of two suites it takes.
func Example() {
	client, server := net.Pipe()
	go func() { // a server that takes neither
		server.Read(make([]byte, 1024))
		server.Write([]byte{21, 3, 3, 0, 2, 2, 40})
	}()
	record, err := hello.ClientHello{
		Version: hello.TLS12, Suites: []uint16{0xc028, 0xc02f}, Groups: []uint16{25}, Schemes: []uint16{0x0401},
	}.Record()
	if err != nil {
		panic(err)
	}
	client.Write(record)
	flight, err := hello.Read(client, hello.UntilHello)
	var alert *hello.Alert
	if errors.As(err, &alert) {
		fmt.Println("refused:", alert.Code, "fatal:", alert.Fatal)
		return
	}
	fmt.Printf("%04x\n", flight.Hello.Suite)
	// Output: refused: 40 fatal: true
}
