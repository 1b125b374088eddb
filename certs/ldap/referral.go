package ldap

import (
	"context"
	"errors"
	"net/url"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// errElsewhere is the answer of a server that has nothing of what was asked for.
var errElsewhere = errors.New("it says that what is asked for lies on another server (a referral), and none is followed; look whether base fits this server, or list the other one under referrals")

// referralsOf reads the URLs of a result that sends us elsewhere (RFC 4511, 4.1.10).
func referralsOf(err error) (urls []string) {
	var result *goldap.Error
	if !errors.As(err, &result) || result.Packet == nil || len(result.Packet.Children) < 2 {
		return nil
	}
	const context, referral = 0x80, 3 // [3], an element of the context's own
	for _, part := range result.Packet.Children[1].Children {
		if part.ClassType != context || part.Tag != referral {
			continue
		}
		for _, u := range part.Children {
			urls = append(urls, u.Data.String())
		}
	}
	return urls
}

// follow asks the servers that references lead to, those alone that the options name, and one step far. Others are left out, as
// domain controllers send one to their DNS zones with each answer.
func (d *Directory) follow(ctx context.Context, references []string, r *goldap.SearchRequest) (found []*goldap.Entry, err error) {
	for _, text := range references[:min(len(references), maxReferrals)] {
		s, base, ok := d.leadsTo(text)
		if !ok {
			continue
		}
		there := *r
		if base != "" {
			there.BaseDN = base
		}
		entries, err := d.askAt(ctx, s, &there)
		found = append(found, entries...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// leadsTo reads a reference; ok is false where it leads to none of the servers that may be asked. The name there may differ (RFC 4516, 2).
func (d *Directory) leadsTo(text string) (s *server, base string, ok bool) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, "", false
	}
	target, err := parseServer(u.Scheme + "://" + u.Host)
	if err != nil {
		return nil, "", false
	}
	base = strings.TrimPrefix(u.Path, "/")
	if _, err := goldap.ParseDN(base); err != nil {
		return nil, "", false
	}
	for _, s := range d.referrals {
		if strings.EqualFold(s.address, target.address) && s.tls == target.tls {
			return s, base, true
		}
	}
	return nil, "", false
}

// askAt puts a search to one server by a connection of its own.
func (d *Directory) askAt(ctx context.Context, s *server, r *goldap.SearchRequest) (found []*goldap.Entry, err error) {
	c, err := d.alone(ctx, func() (*conn, error) { return d.connectTo(ctx, s) })
	if err != nil {
		return nil, &elsewhereError{s.url, err}
	}
	defer c.close()
	err = c.within(ctx, func() error {
		c.frames.Allow(r.SizeLimit+referenceRoom, answerBytes)
		answer, err := c.Search(r)
		if answer != nil {
			found = answer.Entries
		}
		return err
	})
	switch {
	case errors.Is(err, goldap.ErrSizeLimitExceeded), goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded):
		return found, errTooMany
	case err != nil:
		return nil, &elsewhereError{s.url, d.explain(err)}
	}
	return found, nil
}

// elsewhereError is what went wrong at a server that a referral leads to; the one that sent us there does well.
type elsewhereError struct {
	url string
	err error
}

// Error names the server.
func (e *elsewhereError) Error() string { return "by referral, " + e.url + ": " + e.err.Error() }

// Unwrap returns what went wrong.
func (e *elsewhereError) Unwrap() error { return e.err }
