// Package fetch gets lists and answers by HTTP and LDAP from places that certificates of strangers name; it understands none of them.
//
// Whoever wrote the certificate chose the address, so nothing is believed of it: the connections are those of a Dial that keeps off what
// stands inside, every answer is bounded in size, every silence in time, nothing is sent but the question, and nothing is kept.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a Client. Dial must be set.
type Options struct {
	// Dial connects to host:port, and refuses what is not to be reached.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy is asked for all HTTP; nil: none. The environment is not looked at. What lies behind it is the proxy's to guard, beside Vet.
	Proxy *url.URL
	// Vet says why the proxy is not to be asked for host:port; nil: it is for all.
	Vet func(ctx context.Context, address string) error
	// DialProxy connects to the proxy.
	DialProxy func(ctx context.Context, network, address string) (net.Conn, error)
	// Directory is host:port, or ldaps://host:port, of the server asked for LDAP addresses without a host, as Active Directory
	// writes them; empty: these are refused.
	Directory string
	Silence   time.Duration  // the longest wait for the next byte; 0: 10 seconds
	Roots     *x509.CertPool // of https and ldaps; nil: those of the machine
	TLS       *tls.Config    // what https and ldaps must be like; Roots are filled in; nil: TLS 1.2 and later
}

// Client gets. It is safe for concurrent use.
type Client struct {
	o    Options
	http *http.Client
	big  chan struct{} // of those who have more than small bytes in memory
}

// Errors, each beside a text that says which host and what happened.
var (
	ErrRefused = errors.New("it may not be asked") // by what the address says; trying again does not help
	ErrTooBig  = errors.New("the answer is too big")
	ErrAnswer  = errors.New("it does not have it") // the server answers, but not with what was asked for
)

const (
	maxURL       = 2048
	maxRedirects = 3
	small        = 4 << 20 // bytes of an answer that any number may have in memory
	maxHeader    = 64 << 10
)

// New returns a Client, which keeps no connection.
func New(o Options) *Client {
	if o.Silence <= 0 {
		o.Silence = 10 * time.Second
	}
	c := &Client{o: o, big: make(chan struct{}, 2)}
	c.http = c.newHTTP()
	return c
}

// Check says whether an address is one that may be asked, as far as that can be told by looking at it, and its host in lower case. The
// error is ErrRefused.
func (c *Client) Check(address string) (*url.URL, error) {
	if len(address) > maxURL {
		return nil, fmt.Errorf("%w: its address is too long", ErrRefused)
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" {
		return nil, fmt.Errorf("%w: its address cannot be read", ErrRefused)
	}
	u.Scheme, u.Host, u.Fragment = strings.ToLower(u.Scheme), strings.ToLower(u.Host), ""
	if u.User != nil {
		return nil, fmt.Errorf("%w: its address bears a name or password", ErrRefused)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return nil, fmt.Errorf("%w: its address names no host", ErrRefused)
		}
	case "ldap", "ldaps":
		if u.Hostname() == "" && c.o.Directory == "" {
			return nil, fmt.Errorf("%w: its address names no host; set certificates.revocation.directory where it means a directory of yours", ErrRefused)
		}
	default:
		return nil, fmt.Errorf("%w: the scheme of its address is none of http, https, ldap and ldaps", ErrRefused)
	}
	return u, nil
}

// Get asks for what an address names and gives it to use, whose error it returns. Of an LDAP entry with several values each is given
// until use is content. There are at most limit bytes, which are use's until it returns.
func (c *Client) Get(ctx context.Context, address string, limit int64, use func([]byte) error) error {
	u, err := c.Check(address)
	if err != nil {
		return err
	}
	if strings.HasPrefix(u.Scheme, "ldap") {
		return c.search(ctx, u, limit, use)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("%w: its address cannot be read", ErrRefused)
	}
	return c.do(req, limit, use)
}

// Post is Get by HTTP with a question.
func (c *Client) Post(ctx context.Context, address, contentType string, body []byte, limit int64, use func([]byte) error) error {
	u, err := c.Check(address)
	if err != nil {
		return err
	}
	if strings.HasPrefix(u.Scheme, "ldap") {
		return fmt.Errorf("%w: its address is not one of http", ErrRefused)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("%w: its address cannot be read", ErrRefused)
	}
	req.Header.Set("Content-Type", contentType)
	return c.do(req, limit, use)
}

// silent ends a connection that says nothing for too long.
type silent struct {
	net.Conn
	most time.Duration
}

// Read is net.Conn.
func (s silent) Read(p []byte) (int, error) {
	if err := s.SetReadDeadline(time.Now().Add(s.most)); err != nil {
		return 0, err
	}
	return s.Conn.Read(p)
}

// dial connects, and gives up on who is silent.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return silent{conn, c.o.Silence}, nil
}
