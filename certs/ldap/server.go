package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/ldapframe"
)

// server is one server of a directory. Its fields but down are not changed.
type server struct {
	url     string
	network string // tcp or unix
	address string
	host    string    // of TLS
	tls     bool      // from the first byte
	down    time.Time // until then it is asked last; under the directory's mutex
}

// CheckURL says why a URL names no server, or nothing.
func CheckURL(text string) error {
	_, err := parseServer(text)
	return err
}

// parseServer reads the URL of a server (RFC 4516, 2); what else such a URL may say is said elsewhere.
func parseServer(text string) (*server, error) {
	const socket = "ldapi://"
	if rest, ok := strings.CutPrefix(text, socket); ok {
		path, err := url.PathUnescape(rest)
		if err != nil || !strings.HasPrefix(path, "/") {
			return nil, errors.New("write the path of a socket as in ldapi://%2Frun%2Fslapd%2Fldapi")
		}
		return &server{url: text, network: "unix", address: path}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Hostname() == "" {
		return nil, errors.New("this is no server; write it as ldaps://dc1.firma.example, or with a port as ldap://dc1.firma.example:3268")
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("a URL names a server only; where is looked, for what and under which name stands in base, filter and bind")
	}
	s := &server{url: u.Scheme + "://" + u.Host, network: "tcp", host: u.Hostname(), tls: u.Scheme == "ldaps"}
	port := u.Port()
	if port == "" {
		port = "389"
		if s.tls {
			port = "636"
		}
	}
	s.address = net.JoinHostPort(s.host, port)
	return s, nil
}

// mayHear holds that a password crosses no network in the clear, and that StartTLS has something to begin on.
func (s *server) mayHear(o Options) error {
	switch {
	case s.network == "unix", s.tls, o.StartTLS:
		return nil
	case o.Method == Simple && !s.local():
		return &PlainError{s.url, "the password would cross the network in the clear (RFC 4513, 6.3.1); use ldaps, or starttls"}
	case o.Method == External:
		return &PlainError{s.url, "without TLS no certificate is shown that says who the gateway is; use ldaps, or starttls"}
	}
	return nil
}

// PlainError is the error of a server to which the login cannot be sent without TLS.
type PlainError struct{ URL, Why string }

// Error names the server and says why.
func (e *PlainError) Error() string { return e.URL + ": " + e.Why }

// local reports whether the server is on this machine.
func (s *server) local() bool {
	at, err := netip.ParseAddr(s.host)
	return s.network == "unix" || s.host == "localhost" || err == nil && at.IsLoopback()
}

// dial opens a connection and has TLS on it where that is wanted. ctx bounds it.
func (s *server) dial(ctx context.Context, o Options) (net.Conn, error) {
	raw, err := o.Dial(ctx, s.network, s.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	secured, err := s.secure(ctx, raw, o)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	return secured, nil
}

func (s *server) secure(ctx context.Context, raw net.Conn, o Options) (net.Conn, error) {
	if !s.tls {
		if s.network == "unix" || !o.StartTLS {
			return raw, nil
		}
		if err := startTLS(raw); err != nil {
			return nil, err
		}
	}
	c := o.TLS.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if c.ServerName == "" {
		c.ServerName = s.host
	}
	secured := tls.Client(raw, c)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}

// startTLS asks for TLS (RFC 4511, 4.14) and reads the answer, and not one byte more: what somebody on the way put behind it
// would else be taken for something said under TLS.
func startTLS(c net.Conn) error {
	request := append([]byte{
		0x30, 0x1d, // LDAPMessage
		0x02, 0x01, 0x01, // messageID 1
		0x77, 0x18, 0x80, 0x16, // ExtendedRequest, requestName
	}, "1.3.6.1.4.1.1466.20037"...)
	if _, err := c.Write(request); err != nil {
		return err
	}
	answer, err := ldapframe.Read(c, messageLimits())
	if err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	code, ok := extendedResult(answer)
	if !ok {
		return fmt.Errorf("STARTTLS: %w", ldapframe.ErrFrame)
	}
	if code != 0 {
		return fmt.Errorf("STARTTLS: the server does not offer TLS (result %d); give it a certificate, or use ldaps", code)
	}
	return nil
}

// extendedResult reads the result code of an answer to the message 1 (RFC 4511, 4.12). The message was read by ldapframe.
func extendedResult(b []byte) (code int, ok bool) {
	open := func(tag byte) bool {
		octets, _, fine := ldapframe.Header(b)
		if !fine || b[0] != tag {
			return false
		}
		b = b[octets:]
		return true
	}
	if !open(0x30) || len(b) < 3 || b[0] != 0x02 || b[1] != 1 || b[2] != 1 {
		return 0, false
	}
	b = b[3:]
	if !open(0x78) || len(b) < 3 || b[0] != 0x0a || b[1] != 1 {
		return 0, false
	}
	return int(b[2]), true
}
