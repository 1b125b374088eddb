// Package probe finds out what the TLS of another server accepts: versions, cipher suites, groups, in its order of preference,
// with its certificates and what it asks of a client. It sends no mail, and uses no connection it makes for anything else.
//
// It asks by hellos of its own (package hello), so that it sees what no library here speaks, and stops where
// everything else begins: no key is agreed on. What takes a finished handshake to see, such as whether a server that
// asks for a client certificate does without, is learned by one.
//
// A server is asked in bounded number and time, a few questions at once, and never twice the same. One that
// hangs up, is slow or talks without end costs no more than its bounds; what was learned until then is reported.
package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Protocol is what is spoken with a server, which says how TLS begins.
type Protocol string

// The protocols.
const (
	SMTP  Protocol = "smtp"
	HTTPS Protocol = "https"
	LDAP  Protocol = "ldap"
	Plain Protocol = "tls" // nothing is known but that there is TLS
)

// Target is what is asked.
type Target struct {
	Address    string // host and port
	Protocol   Protocol
	Implicit   bool   // TLS from the first byte; otherwise SMTP and LDAP begin it by a command
	ServerName string // in the hello and in the certificate; the host of Address where it is empty
}

// The ports that say what is spoken at them, and whether TLS begins with the first byte.
var ports = map[int]Target{
	25: {Protocol: SMTP}, 587: {Protocol: SMTP}, 2525: {Protocol: SMTP},
	465: {Protocol: SMTP, Implicit: true}, 1465: {Protocol: SMTP, Implicit: true}, // TR-01201 1.4: between De-Mail providers
	389: {Protocol: LDAP}, 3268: {Protocol: LDAP},
	636: {Protocol: LDAP, Implicit: true}, 3269: {Protocol: LDAP, Implicit: true},
	443: {Protocol: HTTPS, Implicit: true}, 8443: {Protocol: HTTPS, Implicit: true},
}

// ParseTarget reads HOST:PORT, or HOST where the protocol says the port. An empty protocol is that of the port; of a
// port that says nothing it is Plain. Where implicit is not set the port decides about that, too.
func ParseTarget(text string, protocol Protocol, implicit bool) (Target, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, map[Protocol]string{SMTP: "25", HTTPS: "443", LDAP: "389"}[protocol]
		if ip := net.ParseIP(text); port == "" || ip == nil && !validHost(text) {
			return Target{}, fmt.Errorf("%q is no HOST:PORT, as in mx.example:25 or [2001:db8::1]:443", text)
		}
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || !validHost(host) && net.ParseIP(host) == nil {
		return Target{}, fmt.Errorf("%q is no HOST:PORT, as in mx.example:25 or [2001:db8::1]:443", text)
	}
	t := ports[n]
	switch {
	case protocol == "" && t.Protocol == "":
		t.Protocol, t.Implicit = Plain, true
	case protocol != "" && protocol != t.Protocol:
		t = Target{Protocol: protocol, Implicit: protocol == HTTPS || protocol == Plain}
	}
	t.Address, t.Implicit = net.JoinHostPort(host, port), t.Implicit || implicit
	return t, nil
}

// validHost holds that a text can be a host and holds nothing that a terminal or a hello would suffer from.
func validHost(s string) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' || c == ':' || c == '/' || c == '[' || c == ']' || c == '%' {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

func (t Target) host() string {
	host, _, err := net.SplitHostPort(t.Address)
	if err != nil {
		return t.Address
	}
	return host
}

func (t Target) name() string {
	if t.ServerName != "" {
		return t.ServerName
	}
	return t.host()
}

// Options say how a server is asked. The zero Options will do.
type Options struct {
	Hello          string           // the name that SMTP greets with; localhost
	Certificate    *tls.Certificate // shown where the server asks for one; nil: none
	Roots          *x509.CertPool   // believed for the server's certificate; nil: those of the machine
	Timeout        time.Duration    // for everything; 2 minutes
	Patience       time.Duration    // for one answer; 10 seconds
	MaxConnections int              // 400
	Parallel       int              // connections at once; 3
	Dial           func(ctx context.Context, network, address string) (net.Conn, error)
	Now            func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Hello == "" {
		o.Hello = "localhost"
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 400
	}
	if o.Parallel <= 0 {
		o.Parallel = 3
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// The ways in which a server cannot be asked at all.
var (
	// ErrConnect: nobody is reached at the address.
	ErrConnect = errors.New("no connection")
	// ErrDoor: somebody is there, and TLS does not begin: SMTP or LDAP do not offer it, or are not what is spoken there.
	ErrDoor = errors.New("no TLS is begun")
	// ErrEnough: the bounds of [Options] are reached.
	ErrEnough = errors.New("the bound of this probe is reached")
)
