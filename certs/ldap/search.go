package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

const (
	maxReferrals  = 10
	morePages     = 1000      // beside those of full length
	maxEntries    = 1_000_000 // of a list
	answerBytes   = 8 << 20   // of an answer about one address
	pageBytes     = 64 << 20
	pageMessages  = 20_000 // where a server knows no pages
	referenceRoom = 50     // references and the end, beside the entries of an answer
)

// errTooMany is the error of more entries than were asked for.
var errTooMany = errors.New("there are more entries than are taken")

// errSilent is the cause of a question that took too long.
var errSilent = errors.New("it did not answer in time")

// look returns the entries of an address. Beside errTooMany there are some.
func (d *Directory) look(ctx context.Context, address string) (entries []Entry, err error) {
	k := key(address)
	if k == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
	defer cancel()
	err = d.ask(ctx, func(c *conn) (int, error) {
		base := fillBase(d.o.BaseDN, k)
		found, err := d.search(ctx, c, d.request(base, fill(d.o.Filter, k), d.o.Entries))
		if base != d.o.BaseDN && goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
			err = nil // the directory does not have the domain
		}
		entries = nil
		for _, e := range found {
			entries = append(entries, d.entry(e))
		}
		return len(entries), err
	})
	return entries, err
}

// probe looks at the base alone.
func (d *Directory) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
	defer cancel()
	return d.ask(ctx, func(c *conn) (int, error) {
		base := d.o.BaseDN
		if strings.Contains(base, placeDC) {
			base = "" // the root, which every directory has (RFC 4512, 5.1)
		}
		r := d.request(base, "(objectClass=*)", 1)
		r.Scope, r.Attributes = goldap.ScopeBaseObject, []string{"1.1"}
		found, err := d.search(ctx, c, r)
		return len(found), err
	})
}

// request is a search for what is known here.
func (d *Directory) request(base, filter string, most int) *goldap.SearchRequest {
	scope := map[Scope]int{Subtree: goldap.ScopeWholeSubtree, One: goldap.ScopeSingleLevel, Base: goldap.ScopeBaseObject}[d.o.Scope]
	seconds := max(1, int(d.o.Timeout/time.Second))
	r := goldap.NewSearchRequest(base, scope, goldap.NeverDerefAliases, most, seconds, false, filter, d.attributes(), nil)
	r.EnforceSizeLimit = true
	return r
}

// attributes are those that are asked for, certificates also as RFC 4523 has them.
func (d *Directory) attributes() []string {
	all := make([]string, 0, len(d.o.Addresses)+2*len(d.o.Certificates)+len(d.o.Show)+2)
	all = append(all, d.o.Addresses...)
	for _, name := range d.o.Certificates {
		all = append(all, name, name+";binary")
	}
	all = append(all, d.o.Show...)
	if d.o.Accounts {
		all = append(all, attributeAccount, attributeMailbox)
	}
	return all
}

// ask has a question put to the directory, a second time where the connection turned out to be broken. It counts and times.
func (d *Directory) ask(ctx context.Context, question func(*conn) (int, error)) error {
	start := d.o.Now()
	var n int
	var err error
	for attempt := range 2 {
		var again bool
		if n, again, err = d.try(ctx, attempt > 0, question); !again {
			break
		}
	}
	d.count(n, err, d.o.Now().Sub(start))
	return err
}

// try puts a question once; again tells that another connection may do better.
func (d *Directory) try(ctx context.Context, fresh bool, question func(*conn) (int, error)) (n int, again bool, err error) {
	c, err := d.acquire(ctx, fresh)
	if err != nil {
		return 0, false, err
	}
	n, err = d.put(ctx, c, question)
	broken := isBroken(err)
	defer d.release(c, broken)
	if !broken {
		d.answered(c.server.url)
		return n, false, d.explain(err)
	}
	err = fmt.Errorf("%s: %w", c.server.url, d.explain(err))
	if !c.reused && !errors.Is(context.Cause(ctx), context.Canceled) { // who asked going away is no fault of the server
		d.failed(c.server, err)
	}
	return n, ctx.Err() == nil, err
}

// put puts a question. A connection that was used before may hang, since something on the way forgot it: it gets half the time.
func (d *Directory) put(ctx context.Context, c *conn, question func(*conn) (int, error)) (n int, err error) {
	if deadline, ok := ctx.Deadline(); ok && c.reused {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Until(deadline)/2, errSilent)
		defer cancel()
	}
	err = c.within(ctx, func() (err error) {
		n, err = question(c)
		return err
	})
	return n, err
}

// search puts one search, and follows where it may.
func (d *Directory) search(ctx context.Context, c *conn, r *goldap.SearchRequest) ([]*goldap.Entry, error) {
	c.frames.Allow(r.SizeLimit+referenceRoom, answerBytes)
	answer, err := c.Search(r)
	var found []*goldap.Entry
	var references []string
	if answer != nil {
		found, references = answer.Entries, answer.Referrals
	}
	switch {
	case errors.Is(err, goldap.ErrSizeLimitExceeded): // the server goes on
		c.spent = true
		return found, errTooMany
	case goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded):
		return found, errTooMany
	case goldap.IsErrorWithCode(err, goldap.LDAPResultReferral):
		references, err = append(references, referralsOf(err)...), nil
		if len(d.referrals) == 0 {
			return found, errElsewhere
		}
	}
	if err != nil {
		return nil, err
	}
	more, err := d.follow(ctx, references, r)
	return append(found, more...), err
}

// list reads all entries, page by page (RFC 2696). The whole list comes over one connection: a cookie is worth nothing on another.
func (d *Directory) list(ctx context.Context, c *conn, each func(Entry)) error {
	paging := goldap.NewControlPaging(uint32(d.o.Page))
	r := d.request(d.o.BaseDN, d.o.All, 0)
	r.TimeLimit, r.Controls = int(d.o.ListTimeout/time.Second), []goldap.Control{paging}
	r.Attributes = slices.Clone(d.o.Addresses)
	if d.o.Accounts {
		r.Attributes = append(r.Attributes, attributeAccount, attributeMailbox)
	}
	total := 0
	for range maxEntries/d.o.Page + morePages {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		c.frames.Allow(max(2*d.o.Page, pageMessages), pageBytes)
		answer, err := c.Search(r)
		if goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded) {
			return errors.New("it gives fewer entries than there are, even page by page; raise its size limit for the gateway")
		}
		if err != nil {
			return err
		}
		for _, e := range answer.Entries {
			each(d.entry(e))
		}
		if total += len(answer.Entries); total > maxEntries {
			return fmt.Errorf("a list has more than %d entries; narrow base or filter", maxEntries)
		}
		next, _ := goldap.FindControl(answer.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
		if next == nil || len(next.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
	return errors.New("its pages do not end")
}

// answered notes that a server did its work.
func (d *Directory) answered(url string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Server, d.away = url, nil
}

// count keeps the books.
func (d *Directory) count(n int, err error, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Time += max(0, took)
	switch {
	case err != nil && !errors.Is(err, errTooMany):
		d.state.Failed++
		if d.state.Err == nil {
			d.state.Since = d.o.Now()
		}
		d.state.Err = err
		return
	case n > 0:
		d.state.Found++
	default:
		d.state.Nothing++
	}
	d.state.Err, d.state.Since = nil, time.Time{}
}
