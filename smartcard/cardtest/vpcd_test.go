package cardtest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"testing"

	"bytes"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// reader is the side of the virtual reader.
type reader struct {
	t    *testing.T
	conn net.Conn
	done chan error
}

// plug puts a card into a reader that listens as vpcd does.
func plug(t *testing.T, ctx context.Context, c cardtest.Card) reader {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := reader{t: t, done: make(chan error, 1)}
	go func() { r.done <- cardtest.ServeVPCD(ctx, l.Addr().String(), c) }()
	if r.conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close() })
	return r
}

// send writes length and body one after the other, as the driver does.
func (r reader) send(body ...byte) {
	r.t.Helper()
	for _, b := range [][]byte{binary.BigEndian.AppendUint16(nil, uint16(len(body))), body} {
		if _, err := r.conn.Write(b); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r reader) receive() []byte {
	r.t.Helper()
	var n [2]byte
	if _, err := io.ReadFull(r.conn, n[:]); err != nil {
		r.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(r.conn, b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

func TestServeVPCD(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newTCOS(t, cardtest.TCOSOptions{})
	r := plug(t, ctx, c)
	for _, control := range []byte{1, 2, 0x55, 0} { // none is answered, one means nothing
		r.send(control)
	}
	r.send(4)
	if got := r.receive(); !bytes.Equal(got, cardtest.TCOSATRs()[0]) {
		t.Errorf("%x", got)
	}
	r.send(0x00, apdu.Verify, 0, 0)
	if got := r.receive(); !bytes.Equal(got, []byte{0x63, 0xC3}) {
		t.Errorf("%x", got)
	}
	if n := c.Counts(); n.Resets != 3 || n.Commands != 1 {
		t.Errorf("%+v", n)
	}
	cancel()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
	if _, err := r.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the card is still in the reader: %v", err)
	}
}

func TestServeVPCDEnds(t *testing.T) {
	c := newTCOS(t, cardtest.TCOSOptions{})
	c.Fault(1, nil, cardtest.Removed())
	r := plug(t, t.Context(), c)
	r.send(0x00, apdu.Verify, 0, 0)
	if err := <-r.done; !errors.Is(err, cardtest.ErrPulled) {
		t.Error(err)
	}
	for name, head := range map[string][]byte{"between": nil, "in a length": {0}, "in a command": {0, 5, 1}} {
		r = plug(t, t.Context(), c)
		if _, err := r.conn.Write(head); err != nil {
			t.Fatal(err)
		}
		r.conn.Close()
		if err := <-r.done; !errors.Is(err, cardtest.ErrEjected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r = plug(t, t.Context(), longWinded{c})
	r.send(0x00, apdu.Verify, 0, 0)
	if err := <-r.done; err == nil {
		t.Error("an answer that fits into no frame was sent")
	}
}

// longWinded answers more than a frame holds.
type longWinded struct{ cardtest.Card }

// Transmit is cardtest.Card.
func (longWinded) Transmit([]byte) []byte { return make([]byte, 70000) }

func TestServeVPCDWithoutReader(t *testing.T) {
	port := freeport.Port(t)
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := cardtest.ServeVPCD(t.Context(), nobody, newTCOS(t, cardtest.TCOSOptions{})); !errors.Is(err, cardtest.ErrNoVPCD) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cardtest.ServeVPCD(ctx, nobody, newTCOS(t, cardtest.TCOSOptions{})); err != nil {
		t.Error(err)
	}
}
