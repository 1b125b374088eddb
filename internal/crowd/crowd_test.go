package crowd_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/siegel-mail/siegel/internal/crowd"
)

// conn is a connection that comes from an address.
type conn struct {
	net.Conn
	from   net.Addr
	closed *int
}

func (c conn) RemoteAddr() net.Addr { return c.from }
func (c conn) Close() error         { *c.closed++; return nil }

// queue is a listener to which connections come one by one, and which then ends.
type queue struct {
	net.Listener
	coming []net.Conn
}

func (q *queue) Accept() (net.Conn, error) {
	if len(q.coming) == 0 {
		return nil, net.ErrClosed
	}
	c := q.coming[0]
	q.coming = q.coming[1:]
	return c, nil
}

func at(t testing.TB, address string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// visit has connections come from these addresses, and returns those that got in. The listener ends when none is left.
func visit(t *testing.T, l net.Listener, q *queue, from ...string) (in []net.Conn, turned int) {
	t.Helper()
	for _, a := range from {
		q.coming = append(q.coming, conn{from: at(t, a), closed: &turned})
	}
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return in, turned
		}
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, c)
	}
}

func TestOfOne(t *testing.T) {
	for name, c := range map[string]struct {
		from []string
		in   int
	}{
		"one":                       {[]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"}, 2},
		"one and a neighbour":       {[]string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"}, 3},
		"one in the clothes of six": {[]string{"192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3"}, 2},
		"a network of 64 bits":      {[]string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::ffff:0:0:3]:1"}, 2},
		"two networks":              {[]string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1"}, 3},
		"one with zones":            {[]string{"[fe80::1%lo]:1", "[fe80::1]:2", "[fe80::2]:1"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			q := new(queue)
			in, turned := visit(t, crowd.New(q, 10, 2), q, c.from...)
			if len(in) != c.in || turned != len(c.from)-c.in {
				t.Errorf("%d in, %d turned away", len(in), turned)
			}
		})
	}
}

// All of them together find room for so many, and for others when they go. Closing twice makes room once.
func TestAll(t *testing.T) {
	q := new(queue)
	l := crowd.New(q, 3, 2)
	in, turned := visit(t, l, q, "192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1")
	if len(in) != 3 || turned != 1 {
		t.Fatalf("%d in, %d turned away", len(in), turned)
	}
	in[0].Close()
	in[0].Close()
	if in, _ := visit(t, l, q, "192.0.2.4:1", "192.0.2.5:1"); len(in) != 1 {
		t.Errorf("%d in where one had gone", len(in))
	}
}

// Who does not come over a network is of one address, too.
func TestUnknownAddress(t *testing.T) {
	q, closed := new(queue), 0
	for range 3 {
		q.coming = append(q.coming, conn{from: &net.UnixAddr{Name: "@", Net: "unix"}, closed: &closed})
	}
	if in, _ := visit(t, crowd.New(q, 10, 2), q); len(in) != 2 {
		t.Errorf("%d in", len(in))
	}
}

func Example() {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer plain.Close()
	l := crowd.New(plain, 64, 1)
	var clients []net.Conn
	for range 2 { // the second of this address is turned away
		c, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			panic(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	c, err := l.Accept()
	fmt.Println(c.RemoteAddr().String() == clients[0].LocalAddr().String(), err)
	// Output: true <nil>
}
