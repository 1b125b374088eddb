package mailbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Defaults of Options.
const (
	DefaultFolder   = "INBOX"
	DefaultTimeout  = 2 * time.Minute
	DefaultLoginGap = 10 * time.Minute
)

// maxFolder bounds the name of a folder, which is part of every Incoming.ID.
const maxFolder = 200

// Server is one of the two servers of a provider. There is no way without TLS.
type Server struct {
	Address string // HOST:PORT
	// StartTLS begins in plain text and asks for TLS, as ports 587 and 143 do; else TLS begins at once (RFC 8314, 3).
	StartTLS bool
	// User and Password log in: by AUTH PLAIN or LOGIN, by AUTHENTICATE PLAIN or LOGIN. Without a user the client certificate has to do, by
	// itself or by AUTHENTICATE EXTERNAL.
	User     string
	Password secret.String
	// Dial connects; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS brings up TLS over a connection, shows the client certificate, wherever its key lies, and judges the server's. host is that of
	// Address. After an error the connection is closed. What its error wraps of the classes of package connectors counts.
	TLS func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error)
}

// Options say how an account is reached.
type Options struct {
	Submission Server // SMTP
	Retrieval  Server // IMAP
	// Hello is what this machine calls itself with EHLO.
	Hello string
	// Domains are the De-Mail domains of the account, which no server tells on this way.
	Domains []string
	// Mailbox is whose mail lies in Folder; zero where it is that of many.
	Mailbox demail.Address
	// Folder is where messages arrive; empty: DefaultFolder.
	Folder string
	// Done is the folder that a message is moved to once it was stored; it has to exist. Empty: the message is deleted.
	Done string
	// Sent is the folder where the provider puts a copy of what was submitted; empty: it does not.
	Sent string
	// SentAlways says that the provider does so before it answers a submission: then what does not lie in Sent was not taken.
	SentAlways bool
	// Timeout is for one command of IMAP, each with at most a MiB; zero: DefaultTimeout.
	Timeout time.Duration
	// LoginGap is how long a server that has refused a login is not asked again; zero: DefaultLoginGap.
	LoginGap time.Duration
	// Now is the time; nil: time.Now.
	Now func() time.Time
}

// withDefaults checks and completes.
func (o Options) withDefaults() (Options, error) {
	for _, s := range []struct {
		name string
		*Server
	}{{"submission", &o.Submission}, {"retrieval", &o.Retrieval}} {
		if err := s.check(); err != nil {
			return o, fmt.Errorf("mailbox: %s: %w", s.name, err)
		}
		if s.Dial == nil {
			s.Dial = new(net.Dialer).DialContext
		}
	}
	o.Folder = or(o.Folder, DefaultFolder)
	o.Timeout, o.LoginGap = or(o.Timeout, DefaultTimeout), or(o.LoginGap, DefaultLoginGap)
	if o.Now == nil {
		o.Now = time.Now
	}
	domains, err := connectors.CheckDomains(o.Domains)
	switch {
	case err != nil || len(domains) == 0:
		return o, errors.New("mailbox: the account needs its De-Mail domains: no server tells them on this way")
	case o.Hello == "" || strings.ContainsFunc(o.Hello, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }):
		return o, errors.New("mailbox: the name for EHLO is that of this machine, of letters, digits, hyphens and dots")
	case o.Timeout < 0 || o.LoginGap < 0:
		return o, errors.New("mailbox: a time is not negative")
	case o.SentAlways && o.Sent == "":
		return o, errors.New("mailbox: that the provider always keeps what was sent needs the name of the folder")
	case o.Done == o.Folder || o.Sent == o.Folder:
		return o, errors.New("mailbox: the folders of what arrives, of what was stored and of what was sent are different ones")
	}
	for _, name := range []string{o.Folder, o.Done, o.Sent} {
		if len(name) > maxFolder || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return o, fmt.Errorf("mailbox: a folder's name has at most %d bytes, and no control characters", maxFolder)
		}
	}
	o.Domains = slices.Clone(domains)
	return o, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// check reports what is wrong with a server.
func (s *Server) check() error {
	host, port, err := net.SplitHostPort(s.Address)
	unfit := func(r rune) bool { return r == 0 || r == '\r' || r == '\n' }
	switch {
	case err != nil || host == "" || port == "":
		return errors.New("the address must be HOST:PORT")
	case s.TLS == nil:
		return errors.New("there is no way to a provider without TLS")
	case s.User == "" && !s.Password.IsZero(), s.User != "" && s.Password.IsZero():
		return errors.New("a user has a password; without both the client certificate logs in")
	case strings.ContainsFunc(s.User, unfit) || strings.ContainsFunc(s.Password.Reveal(), unfit):
		return errors.New("user or password holds a character that cannot be sent")
	}
	return nil
}
