package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/ldapframe"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// DoorError says that TLS was not begun, and why. It wraps ErrConnect or ErrDoor.
type DoorError struct {
	Class  error
	What   string // what happened, a sentence without its end
	Remedy string // what to do, in the same form
	Err    error
}

// Error says what happened.
func (e *DoorError) Error() string { return e.What }

// Unwrap returns the class and the cause.
func (e *DoorError) Unwrap() []error { return []error{e.Class, e.Err} }

// open connects and goes as far as the first byte of TLS. The connection has a deadline.
func (p *prober) open(ctx context.Context) (net.Conn, error) {
	raw, err := p.options.Dial(ctx, "tcp", p.target.Address)
	if err != nil {
		return nil, &DoorError{ErrConnect, "no connection to " + p.target.Address + ": " + plainCause(err),
			"look whether the address is right, the server runs, and a firewall lets this machine through", err}
	}
	deadline, _ := ctx.Deadline()
	raw.SetDeadline(deadline)
	switch {
	case p.target.Implicit:
	case p.target.Protocol == SMTP:
		err = smtpDoor(raw, p.options.Hello)
	case p.target.Protocol == LDAP:
		err = ldapDoor(raw)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return raw, nil
}

// plainCause is the last part of an error of the network, "connection refused"; what failed stands in front of it already.
func plainCause(err error) string {
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it hung up"
	case errors.As(err, &op):
		text := op.Err.Error()
		if i := strings.LastIndex(text, ": "); i >= 0 {
			text = text[i+2:]
		}
		return safetext.Line(text, 200)
	}
	return safetext.Line(err.Error(), 200)
}

// The bounds of what a server says before TLS.
const (
	maxLine  = 2048
	maxLines = 100
)

// smtpDoor says EHLO and STARTTLS (RFC 3207, 4).
func smtpDoor(c net.Conn, name string) error {
	r := bufio.NewReaderSize(c, maxLine)
	lines, err := smtpReply(r)
	if err := refused("its greeting", "220", lines, err); err != nil {
		return err
	}
	fmt.Fprintf(c, "EHLO %s\r\n", name)
	lines, err = smtpReply(r)
	if err := refused("EHLO", "250", lines, err); err != nil {
		return err
	}
	offered := false
	for _, line := range lines {
		offered = offered || strings.EqualFold(strings.TrimSpace(line[min(4, len(line)):]), "STARTTLS")
	}
	if !offered {
		return &DoorError{ErrDoor, "the server does not offer STARTTLS",
			"it takes mail without TLS only, or something on the way took the offer out; ask its administrator, or try another port, such as 465 with TLS from the first byte", nil}
	}
	fmt.Fprint(c, "STARTTLS\r\n")
	lines, err = smtpReply(r)
	if err := refused("STARTTLS", "220", lines, err); err != nil {
		return err
	}
	if r.Buffered() > 0 { // CVE-2011-0411
		return &DoorError{ErrDoor, "the server sent plain text after its reply to STARTTLS", "something on the way writes into the connection, or the server is broken; do not send it mail", nil}
	}
	return nil
}

func refused(what, want string, lines []string, err error) error {
	switch {
	case err != nil:
		return &DoorError{ErrDoor, "no answer to " + what + " of SMTP: " + plainCause(err),
			"the server may speak another protocol here, throttle, or block this machine; look at --smtp, --https and --ldap", err}
	case !strings.HasPrefix(lines[0], want):
		return &DoorError{ErrDoor, "the server refused " + what + ": " + safetext.Line(lines[len(lines)-1], 300), "ask its administrator; a 4xx reply may pass by itself", nil}
	}
	return nil
}

var errReply = errors.New("what came is no SMTP reply")

// smtpReply returns the lines of a reply, at least one, each with its code (RFC 5321, 4.2).
func smtpReply(r *bufio.Reader) ([]string, error) {
	var lines []string
	for range maxLines {
		text, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errReply
			}
			return nil, err
		}
		line := strings.TrimRight(string(text), "\r\n")
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return nil, errReply
		}
		lines = append(lines, line)
		if len(line) == 3 || line[3] == ' ' {
			return lines, nil
		}
	}
	return nil, errReply
}

// startTLS is the ExtendedRequest of RFC 4511, 4.14.1 with message number 1.
const startTLS = "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"

// ldapDoor asks for TLS.
func ldapDoor(c net.Conn) error {
	if _, err := io.WriteString(c, startTLS); err != nil {
		return ldapRefused("no connection: "+plainCause(err), err)
	}
	frame, err := ldapframe.Read(c, ldapframe.Limits{Message: 64 << 10, Elements: 64, Depth: 8})
	if err != nil {
		return ldapRefused("no answer of LDAP to StartTLS: "+plainCause(err), err)
	}
	switch code, ok := ldapResult(frame); {
	case !ok:
		return ldapRefused("the answer to StartTLS is not one of LDAP", nil)
	case code != 0:
		return ldapRefused(fmt.Sprintf("the directory refuses StartTLS (result %d)", code), nil)
	}
	return nil
}

func ldapRefused(what string, err error) error {
	return &DoorError{ErrDoor, what, "give the directory a certificate, or try port 636 with TLS from the first byte", err}
}

// ldapResult is the code of an ExtendedResponse to message 1 (RFC 4511, 4.12).
func ldapResult(frame []byte) (code int, ok bool) {
	message, ok := element(&frame, 0x30)
	if !ok || len(frame) > 0 {
		return 0, false
	}
	id, ok := element(&message, 0x02)
	if !ok || len(id) != 1 || id[0] != 1 {
		return 0, false
	}
	response, ok := element(&message, 0x78)
	if !ok {
		return 0, false
	}
	result, ok := element(&response, 0x0a)
	if !ok || len(result) != 1 {
		return 0, false
	}
	return int(result[0]), true
}

// element takes the next element off b, which must have the identifier given.
func element(b *[]byte, identifier byte) ([]byte, bool) {
	octets, length, ok := ldapframe.Header(*b)
	if !ok || (*b)[0] != identifier || length > len(*b)-octets {
		return nil, false
	}
	body := (*b)[octets : octets+length]
	*b = (*b)[octets+length:]
	return body, true
}

// pace is how long one question may take.
func (p *prober) pace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, time.Now().Add(p.options.Patience))
}
