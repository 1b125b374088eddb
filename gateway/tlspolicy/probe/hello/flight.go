package hello

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// What a server may send before a reader gives up on it. A chain of ten large certificates takes 20 kB.
const (
	maxRecord  = 1<<14 + 2048 // RFC 5246, 6.2.3
	maxMessage = 128 << 10
	maxFlight  = 256 << 10
	maxRecords = 256
	maxListed  = 4096 // certificates, names of authorities, schemes
)

const (
	typeChangeCipher = 20
	typeAlert        = 21
	typeHandshake    = 22
	typeData         = 23
)

const (
	msgHelloRequest = 0
	msgClientHello  = 1
	msgServerHello  = 2
	msgCertificate  = 11
	msgKeyExchange  = 12
	msgRequest      = 13
	msgDone         = 14
	msgStatus       = 22
)

// The ways in which an answer is none.
var (
	// ErrMalformed is an answer that breaks the rules of TLS.
	ErrMalformed = errors.New("not what a TLS server may answer")
	// ErrTooMuch is an answer that does not end.
	ErrTooMuch = errors.New("more than a TLS server needs to say")
	// ErrNotTLS is an answer in another language; see [NotTLS].
	ErrNotTLS = errors.New("no TLS")
)

// NotTLS is the error where what came is no record of TLS. It wraps ErrNotTLS.
type NotTLS struct{ Said []byte } // how it begins: a stranger's text

// Error says that there was no TLS, without what there was.
func (e *NotTLS) Error() string { return "the answer is no TLS" }

// Unwrap is ErrNotTLS.
func (e *NotTLS) Unwrap() error { return ErrNotTLS }

// Alert is what a server says where it refuses (RFC 8446, 6). As an error it ended the handshake.
type Alert struct {
	Fatal bool
	Code  uint8
}

// Error gives the number.
func (a *Alert) Error() string { return fmt.Sprintf("alert %d", a.Code) }

// Flight is a server's answer to a hello, as far as it is in clear.
type Flight struct {
	Hello        *ServerHello
	Certificates [][]byte            // DER, in the order in which they came
	KeyExchange  []byte              // see [ParseKeyExchange]; nil where there was none
	Request      *CertificateRequest // nil where no certificate was asked for
	Stapled      bool                // an OCSP answer came along
	Warnings     []Alert             // that did not end the handshake
}

// Until says how much of an answer is read.
type Until int

// What is read. From TLS 1.3 on only the server's hello is in clear, so that it ends there always.
const (
	UntilHello Until = iota // the server's hello
	UntilDone               // up to the message after which the client speaks
)

// Read reads an answer. It returns what was read beside the error, which is an *Alert, a *NotTLS, ErrMalformed or ErrTooMuch
// wrapped with what was wrong, or that of r; io.EOF and io.ErrUnexpectedEOF where the server hung up. It reads no byte
// beyond the record that ends the answer.
func Read(r io.Reader, until Until) (Flight, error) {
	d := reader{r: r}
	for {
		kind, body, err := d.message()
		if err != nil {
			d.flight.Warnings = d.warnings
			return d.flight, err
		}
		done, err := d.flight.take(kind, body)
		if err != nil || done || until == UntilHello && d.flight.Hello != nil {
			d.flight.Warnings = d.warnings
			return d.flight, err
		}
	}
}

// take puts a message into its place, and tells whether it was the last one.
func (f *Flight) take(kind uint8, body []byte) (done bool, err error) {
	if (f.Hello == nil) != (kind == msgServerHello) && kind != msgHelloRequest {
		return false, malformed("message %d where another one belongs", kind)
	}
	switch kind {
	case msgServerHello:
		f.Hello, err = parseServerHello(body)
		return err == nil && f.Hello.Version >= TLS13, err
	case msgCertificate:
		if f.Certificates != nil {
			return false, malformed("two lists of certificates")
		}
		f.Certificates, err = parseCertificates(body)
	case msgStatus:
		f.Stapled = true
	case msgKeyExchange:
		f.KeyExchange = append([]byte{}, body...)
	case msgRequest:
		f.Request, err = parseRequest(body, f.Hello.Version)
	case msgDone:
		return true, nil
	case msgHelloRequest: // may come at any time, and counts for nothing (RFC 5246, 7.4.1.1)
	default:
		err = malformed("message %d in a server's first answer", kind)
	}
	return false, err
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// reader takes handshake messages out of records.
type reader struct {
	r        io.Reader
	pending  []byte // of the messages
	total    int
	records  int
	flight   Flight
	warnings []Alert
}

// message returns the next handshake message; its body is good until the next call.
func (d *reader) message() (kind uint8, body []byte, err error) {
	for {
		if len(d.pending) >= 4 {
			n := int(d.pending[1])<<16 | int(d.pending[2])<<8 | int(d.pending[3])
			if n > maxMessage {
				return 0, nil, fmt.Errorf("%w: a message of %d bytes", ErrTooMuch, n)
			}
			if len(d.pending) >= 4+n {
				kind, body = d.pending[0], d.pending[4:4+n]
				d.pending = d.pending[4+n:]
				return kind, body, nil
			}
		}
		if err := d.record(); err != nil {
			return 0, nil, err
		}
	}
}

// record reads one record and takes what is in it.
func (d *reader) record() error {
	var head [5]byte
	if n, err := io.ReadFull(d.r, head[:]); err != nil {
		if n > 0 && !isRecord(head[:n]) {
			return d.notTLS(head[:n])
		}
		return err
	}
	if !isRecord(head[:]) {
		return d.notTLS(head[:])
	}
	n := int(head[3])<<8 | int(head[4])
	d.total += len(head) + n
	d.records++
	switch {
	case n > maxRecord:
		return malformed("a record of %d bytes", n)
	case d.total > maxFlight:
		return fmt.Errorf("%w: over %d bytes", ErrTooMuch, maxFlight)
	case d.records > maxRecords:
		return fmt.Errorf("%w: over %d records", ErrTooMuch, maxRecords)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(d.r, body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return d.content(head[0], body)
}

func (d *reader) content(kind byte, body []byte) error {
	switch kind {
	case typeHandshake:
		d.pending = append(d.pending, body...)
	case typeAlert:
		if len(body) != 2 {
			return malformed("an alert of %d bytes", len(body))
		}
		a := Alert{Fatal: body[0] != 1, Code: body[1]}
		if a.Fatal || a.Code == 0 { // close_notify
			return &a
		}
		d.warnings = append(d.warnings, a)
	case typeChangeCipher: // says nothing before keys are agreed on (RFC 8446, D.4)
	default:
		return malformed("a record of type %d before keys are agreed on", kind)
	}
	return nil
}

// isRecord reports whether a record of TLS or SSL 3.0 may begin so.
func isRecord(head []byte) bool {
	return head[0] >= typeChangeCipher && head[0] <= typeData && (len(head) < 2 || head[1] == 3)
}

// notTLS reads a little more of an answer that is no TLS, as far as it is there already, so that it can be said what it was.
func (d *reader) notTLS(head []byte) error {
	rest := make([]byte, 123)
	n, _ := d.r.Read(rest) // what there is; why there is no more does not matter
	said := append(append([]byte{}, head...), rest[:n]...)
	if line, _, ok := strings.Cut(string(said), "\n"); ok {
		said = []byte(strings.TrimRight(line, "\r"))
	}
	return &NotTLS{said}
}
