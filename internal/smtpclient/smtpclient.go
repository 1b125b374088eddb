// Package smtpclient speaks SMTP as a client: one connection, many messages, a reply for every recipient. It finds no hosts and tries nothing twice.
package smtpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// TLSMode says how far a connection must be protected before a message goes over it.
type TLSMode string

// The TLS modes. Only TLSVerified looks at the certificate; another check (DANE, a pinned key) is given as
// VerifyConnection in Options.TLSConfig with TLSRequired. In opportunistic mode what fails is left plain.
const (
	TLSNone          TLSMode = "none"          // STARTTLS is not asked for
	TLSOpportunistic TLSMode = "opportunistic" // TLS where it works, else plain
	TLSRequired      TLSMode = "required"      // TLS or nothing, any certificate
	TLSVerified      TLSMode = "verified"      // TLS with a trusted certificate for the host name
)

// Valid reports whether m is one of the modes.
func (m TLSMode) Valid() bool {
	return m == TLSNone || m == TLSOpportunistic || m == TLSRequired || m == TLSVerified
}

// Timeouts bound each step. Zero fields take the values of RFC 5321, 4.5.3.2, Connect 30 s, Quit 2 s.
type Timeouts struct {
	Connect   time.Duration // TCP, and each TLS handshake
	Greeting  time.Duration
	Command   time.Duration // EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET
	DataStart time.Duration // the reply to DATA
	DataBlock time.Duration // each write of at most 64 KiB
	DataEnd   time.Duration // the reply to the final dot, or to a chunk
	Quit      time.Duration
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&t.Connect, 30 * time.Second}, {&t.Greeting, 5 * time.Minute}, {&t.Command, 5 * time.Minute},
		{&t.DataStart, 2 * time.Minute}, {&t.DataBlock, 3 * time.Minute}, {&t.DataEnd, 10 * time.Minute},
		{&t.Quit, 2 * time.Second},
	} {
		if *f.value <= 0 {
			*f.value = f.def
		}
	}
	return t
}

// Auth is a SASL identity (RFC 4954) for a smarthost. It is used under TLS only.
type Auth struct {
	User     string
	Password func() string // called at each authentication
}

// Options say how a connection is made.
type Options struct {
	// Hello is the name given with EHLO: the fully qualified name of this machine (RFC 5321, 4.1.1.1).
	Hello string
	// TLS is the mode; empty means TLSOpportunistic.
	TLS TLSMode
	// TLSConfig is cloned. ServerName defaults to the host of the address.
	TLSConfig *tls.Config
	// Handshake, where it is set, brings up TLS in place of TLSConfig, and judges the certificate whatever the mode says. host is that of the
	// address. The context ends with the time for a handshake; after an error the connection is closed. In opportunistic mode what fails is
	// left plain.
	Handshake func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error)
	// Named, where it is set, is called with what the server calls itself, as it wrote it: in its greeting, and in its reply to each EHLO.
	Named func(name string)
	// Implicit starts TLS at once (RFC 8314, 3.3). It never falls back to a plain connection.
	Implicit bool
	Timeouts Timeouts
	// Dial makes the connection; nil: a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Auth authenticates after TLS is up; Dial fails where the connection is plain.
	Auth *Auth
	// Chunking permits BDAT (RFC 3030) where the peer offers it. It is meant for peers known to be sound:
	// one that refuses a chunk without reading it takes the message's own lines for commands, which
	// cannot happen after a 354. DATA is as fast otherwise.
	Chunking bool
}

// Message is what Send sends. Addresses are RFC 5321 mailboxes, quoted where they must be, without angle
// brackets; the empty From is the null reverse-path.
type Message struct {
	From       string
	Recipients []Recipient
	Body       io.Reader // CRLF line ends, not dot-stuffed
	Size       int64     // of Body, declared with SIZE; 0: not declared
	Body8Bit   bool      // needs 8BITMIME (RFC 6152)
	SMTPUTF8   bool      // needs SMTPUTF8 (RFC 6531)
	Ret        string    // FULL, HDRS or empty (RFC 3461, 4.3); with EnvID sent only to peers that offer DSN
	EnvID      string    // decoded; xtext is put on here
	// Whole sends the message to all recipients or to none: where one is refused the body is not sent, and those who were accepted have a
	// temporary refusal of this client.
	Whole bool
}

// Recipient is one RCPT TO with its DSN parameters, which are sent only to peers that offer DSN.
type Recipient struct {
	Address string
	Notify  []string
	ORcpt   string // "type;address", decoded
}

// Result is what became of a message. Recipients has one Reply for each of Message.Recipients: the refusal
// of MAIL or RCPT, or else the reply to the message itself. A zero Code means that no answer came.
type Result struct {
	Recipients []Reply
	Mail       Reply // the reply to the sender's address; zero where none came
	Data       Reply // the reply to the message; zero where it was not sent
}

// Reply is an SMTP reply (RFC 5321, 4.2) or, where Local is set, a refusal by this client in the same
// form. As an error it stands for a refusal.
type Reply struct {
	Code     int
	Enhanced string // "5.1.1" (RFC 2034); empty where the peer gave none
	Text     string // lines joined by a blank, printable, at most 1024 bytes
	Local    bool   // said by this client, not by the peer
}

// Error is the reply as it was said.
func (r *Reply) Error() string { return r.String() }

// String is the reply on one line.
func (r Reply) String() string {
	if r.Enhanced == "" {
		return strings.TrimSpace(fmt.Sprintf("%03d %s", r.Code, r.Text))
	}
	return strings.TrimSpace(fmt.Sprintf("%03d %s %s", r.Code, r.Enhanced, r.Text))
}

// Positive reports 2xx.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary reports 4xx.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent reports 5xx.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Stage is a step of the conversation.
type Stage string

// The stages, in order.
const (
	StageConnect  Stage = "connecting"
	StageGreeting Stage = "waiting for the greeting"
	StageHello    Stage = "EHLO"
	StageTLS      Stage = "starting TLS"
	StageAuth     Stage = "authenticating"
	StageEnvelope Stage = "giving sender and recipients"
	StageBody     Stage = "sending the message"
	StageEnd      Stage = "waiting for the reply to the message" // the peer may have taken it
)

// Error is trouble with the connection or with the source of the body. The message may be tried again; at
// StageEnd the peer may already have it.
type Error struct {
	Stage Stage
	Err   error
}

// Error says at which stage.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Stage, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors that Error wraps.
var (
	// ErrBody means that the reader of the body failed; the connection was cut so that the peer takes nothing.
	ErrBody = errors.New("the message could not be read")
	// ErrNoTLS means that the peer does not offer the TLS that the mode asks for.
	ErrNoTLS = errors.New("the server offers no TLS, and the route does not permit mail without it")
	// ErrNotPlain is for Options.Handshake: what failed must not be followed by a plain connection in opportunistic mode either.
	ErrNotPlain = errors.New("TLS was given up on this side")
	// ErrInjection means that the peer sent more than its reply to STARTTLS in plain text (CVE-2011-0411).
	ErrInjection = errors.New("the server sent plain text after its reply to STARTTLS")
	// ErrEnded means that the peer closed the connection where a reply was due.
	ErrEnded = errors.New("the server ended the connection")
	// ErrProtocol means that what came is no SMTP reply, or not one that fits.
	ErrProtocol = errors.New("not an SMTP reply")
	// ErrAuthPlain means that credentials would have to travel without TLS.
	ErrAuthPlain = errors.New("no TLS: the credentials are not sent; set the route's TLS to required or verified")
	// ErrAuthMechanism means that the peer offers neither PLAIN nor LOGIN.
	ErrAuthMechanism = errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
	// ErrClosed means that the client is used after Close or after a failure.
	ErrClosed = errors.New("the connection is closed")
)
