package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/siegel-mail/siegel/internal/ldapframe"
)

// maxLDAP is the longest answer by LDAP: the library makes several copies of it.
const maxLDAP = 16 << 20

// question is what an LDAP address asks for (RFC 4516, 2).
type question struct {
	host       string // with the port
	tls        bool
	base       string
	attributes []string
	scope      int
	filter     string
}

// listAttributes are those that hold lists (RFC 4523, 2.2 to 2.4).
func listAttributes() []string {
	return []string{"certificateRevocationList;binary", "authorityRevocationList;binary", "deltaRevocationList;binary"}
}

func (c *Client) question(u *url.URL) (question, error) {
	q := question{tls: u.Scheme == "ldaps", base: strings.TrimPrefix(u.Path, "/"), attributes: listAttributes(), scope: goldap.ScopeBaseObject, filter: "(objectClass=*)"}
	host := u.Host
	if host == "" {
		host = c.o.Directory
		if rest, ok := strings.CutPrefix(host, "ldaps://"); ok {
			host, q.tls = rest, true
		}
	}
	q.host = withPort(strings.TrimPrefix(host, "ldap://"), q.tls)
	parts := strings.Split(u.RawQuery, "?")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || i > 3 {
			return q, fmt.Errorf("%w: its LDAP address cannot be read", ErrRefused)
		}
		if text == "" {
			continue
		}
		switch i {
		case 0:
			q.attributes = strings.Split(text, ",")
		case 1:
			var known bool
			if q.scope, known = map[string]int{"base": 0, "one": 1, "sub": 2}[strings.ToLower(text)]; !known {
				return q, fmt.Errorf("%w: the scope of its LDAP address is not known", ErrRefused)
			}
		case 2:
			if !strings.HasPrefix(text, "(") { // QUIRK: Active Directory leaves them out
				text = "(" + text + ")"
			}
			q.filter = text
		case 3:
			if strings.Contains(text, "!") { // critical
				return q, fmt.Errorf("%w: its LDAP address has extensions that are not known", ErrRefused)
			}
		}
	}
	return q, nil
}

func withPort(host string, isTLS bool) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := "389"
	if isTLS {
		port = "636"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// search asks a directory, as nobody: no name and no password is sent.
func (c *Client) search(ctx context.Context, u *url.URL, limit int64, use func([]byte) error) error {
	q, err := c.question(u)
	if err != nil {
		return err
	}
	conn, err := c.connect(ctx, q)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	limit = min(limit, maxLDAP)
	framed := ldapframe.New(conn, ldapframe.Limits{Message: int(limit), Elements: maxElements, Depth: maxDepth})
	framed.Allow(maxMessages, limit)
	l := goldap.NewConn(framed, q.tls)
	l.Start()
	defer l.Close()
	found, err := l.Search(goldap.NewSearchRequest(q.base, q.scope, goldap.NeverDerefAliases, maxEntries, 0, false, q.filter, q.attributes, nil))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case framed.Err() != nil: // the library tells it as text only
		return frameError(framed.Err())
	case err != nil:
		return ldapError(err)
	}
	return useValues(found, q.attributes, use)
}

const (
	maxEntries  = 10 // of what a search finds
	maxMessages = 2 * maxEntries
	maxElements = 1000 // of a message
	maxDepth    = 12
)

// frameError says of an answer that is longer than it may be what is said of those by HTTP.
func frameError(err error) error {
	if errors.Is(err, ldapframe.ErrTooLong) || errors.Is(err, ldapframe.ErrTooMuch) {
		return fmt.Errorf("%w: %w", ErrTooBig, err)
	}
	return err
}

func (c *Client) connect(ctx context.Context, q question) (net.Conn, error) {
	conn, err := c.dial(ctx, "tcp", q.host)
	if err != nil || !q.tls {
		return conn, err
	}
	host, _, err := net.SplitHostPort(q.host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	config := c.tls()
	config.ServerName = host
	secured := tls.Client(conn, config)
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := secured.HandshakeContext(limit); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// ldapError tells a directory in trouble from one that does not have what was asked for.
func ldapError(err error) error {
	var result *goldap.Error
	if !errors.As(err, &result) || result.ResultCode >= goldap.ErrorNetwork {
		return errors.New("the connection to the directory broke")
	}
	switch result.ResultCode {
	case goldap.LDAPResultBusy, goldap.LDAPResultUnavailable, goldap.LDAPResultTimeLimitExceeded:
		return fmt.Errorf("the directory answers with the result %d", result.ResultCode)
	}
	return fmt.Errorf("%w: the directory answers with the result %d", ErrAnswer, result.ResultCode)
}

// useValues gives the values of the attributes to use until it is content with one.
func useValues(found *goldap.SearchResult, attributes []string, use func([]byte) error) error {
	last := fmt.Errorf("%w: the directory has nothing under this address", ErrAnswer)
	for _, e := range found.Entries {
		for _, name := range attributes {
			for _, a := range e.Attributes {
				if !sameAttribute(a.Name, name) {
					continue
				}
				for _, v := range a.ByteValues {
					if last = use(v); last == nil {
						return nil
					}
				}
			}
		}
	}
	return last
}

// sameAttribute compares names without case and without options, as ;binary (RFC 4522), which directories add or leave out.
func sameAttribute(a, b string) bool {
	a, _, _ = strings.Cut(a, ";")
	b, _, _ = strings.Cut(b, ";")
	return strings.EqualFold(a, b)
}
