package cardtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Errors of a card behind vpcd.
var (
	ErrPulled  = errors.New("cardtest: the card was pulled")
	ErrNoVPCD  = errors.New("cardtest: no virtual reader answers; it listens where pcscd runs with the driver vpcd (Debian: vsmartcard-vpcd)")
	ErrEjected = errors.New("cardtest: the virtual reader has closed the connection")
)

// Control bytes of vpcd; what else is one octet long means nothing.
const (
	vpcdOff   = 0x00
	vpcdOn    = 0x01
	vpcdReset = 0x02
	vpcdATR   = 0x04
)

// VPCDAddress is where the first virtual reader of Debian's package listens; the second is one above.
const VPCDAddress = "127.0.0.1:35963"

// ServeVPCD puts the card into the virtual reader of the PC/SC daemon at addr (vpcd of the vsmartcard project) until ctx ends, which is
// no error, and pulls it then. ErrNoVPCD where nothing listens; ErrPulled where a fault has pulled the card; ErrEjected where the
// daemon has ended.
func ServeVPCD(ctx context.Context, addr string, c Card) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%w: %w", ErrNoVPCD, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	err = serve(conn, quickACK(conn), c)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serve answers frames: two octets of length, then the command. The driver sends them in two writes, so quick is called before each
// read: else the kernel's delayed acknowledgement costs 40 ms a command.
func serve(conn io.ReadWriter, quick func(), c Card) error {
	for {
		command, err := readFrame(conn, quick)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrEjected, err)
		}
		answer, due := control(c, command)
		if len(command) != 1 {
			if answer = c.Transmit(command); answer == nil {
				return ErrPulled
			}
			due = true
		}
		if !due {
			continue
		}
		if len(answer) > 0xFFFF {
			return fmt.Errorf("cardtest: an answer of %d octets does not fit into a frame", len(answer))
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return fmt.Errorf("%w: %w", ErrEjected, err)
		}
	}
}

// control carries out what is one octet long; due tells that the reader waits for an answer.
func control(c Card, command []byte) (answer []byte, due bool) {
	if len(command) != 1 {
		return nil, false
	}
	switch command[0] {
	case vpcdOff, vpcdOn, vpcdReset:
		c.Reset()
	case vpcdATR:
		return c.ATR(), true
	}
	return nil, false
}

func readFrame(r io.Reader, quick func()) ([]byte, error) {
	var length [2]byte
	quick()
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	quick()
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	return b, nil
}
