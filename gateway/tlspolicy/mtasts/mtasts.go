package mtasts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/singleflight"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
)

const (
	recordPrefix = "_mta-sts." // of the TXT record (RFC 8461, 3.1)
	hostPrefix   = "mta-sts."  // of the policy host (RFC 8461, 3.3)

	// again is how long a policy that could not be fetched is not asked for again (RFC 8461, 3.3).
	again = 5 * time.Minute
	// lookEvery is how often the record of a policy in use is looked at; DNS answers most of it from its cache.
	lookEvery = time.Minute
	// oldest is when a policy is fetched anew though its id is the same, so that its end moves on.
	oldest = 24 * time.Hour
	// round is how often all policies are gone through.
	round   = time.Hour
	workers = 4
	backlog = 1000
)

// Resolver looks TXT records up. *dns.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// Options of a Client. Resolver and Dial must be given.
type Options struct {
	Resolver Resolver
	// Dial connects to policy hosts, whose addresses strangers choose: it must refuse what is inside, as
	// package publicnet does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	TLS  *tls.Config // for the policy hosts: roots, versions. nil: the roots of the machine
	// Dir is where policies are kept over a restart, sealed under Key; it is made where it is absent. Empty: nowhere.
	Dir     string
	Key     atrest.Key
	Timeout time.Duration // for one policy; 0: 30 seconds
	Memory  int           // octets of policies kept, roughly; 0: 64 MiB
	Log     logrus.FieldLogger
	Now     func() time.Time // nil: time.Now
}

// Held is a policy in force.
type Held struct {
	Policy
	Domain  string
	ID      string // of the TXT record under which it was fetched
	Fetched time.Time
}

// Expires is when it ends, unless it is fetched again before.
func (h *Held) Expires() time.Time { return h.Fetched.Add(h.MaxAge) }

// Answer is what is known of a domain.
type Answer struct {
	// Held is the policy in force; nil where there is none.
	Held *Held
	// Trouble says, where Held is nil, that the domain promises a policy that cannot be had: it wraps [ErrFetch],
	// [ErrCertificate], [ErrInvalid] or [ErrRecord]. Mail goes as though there were none (RFC 8461, 3.3).
	Trouble error
}

// ErrBogus is the error of Lookup where the TXT record of a domain that nothing is known of is forged, as a validating resolver
// says. It is temporary.
var ErrBogus = errors.New("mtasts: whether the domain has a policy cannot be told, since DNS answers are forged")

// Client knows policies. It may be used from many goroutines.
type Client struct {
	o       Options
	fetcher *fetcher
	flights singleflight.Group
	keep    keep
	hurry   chan string // domains to be looked at soon

	mu      sync.Mutex
	held    map[string]*entry
	size    int
	trouble map[string]trouble
}

// entry is a policy with what happens around it. Client.mu guards it.
type entry struct {
	held   *Held // is replaced, never changed
	looked time.Time
	used   time.Time
	queued bool // is in hurry, or being looked at
}

// trouble is a policy that could not be had.
type trouble struct {
	err   error
	until time.Time
}

// New makes a Client and reads what was kept. What is damaged is set aside and said; then, as at the first start, the next message
// to its domain asks for the policy.
func New(o Options) (*Client, error) {
	if o.Resolver == nil || o.Dial == nil {
		return nil, errors.New("mtasts: a resolver and a way to connect are needed")
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Memory <= 0 {
		o.Memory = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetLevel(logrus.PanicLevel)
		o.Log = silent
	}
	c := &Client{
		o: o, fetcher: newFetcher(o.Dial, o.TLS, o.Timeout), keep: keep{dir: o.Dir, key: o.Key},
		hurry: make(chan string, backlog), held: map[string]*entry{}, trouble: map[string]trouble{},
	}
	if o.Dir == "" {
		return c, nil
	}
	kept, damaged, err := c.keep.load()
	if err != nil {
		return nil, fmt.Errorf("mtasts: the kept policies cannot be read: %w", err)
	}
	for _, path := range damaged {
		o.Log.WithField("file", path).Warn("A kept MTA-STS policy is damaged, or was written under another key; it is set aside, and fetched again for the next message to its domain.")
	}
	now := o.Now()
	for _, h := range kept {
		if h.Fetched.After(now) { // the clock was wrong: no policy may last longer for that
			h.Fetched = now
		}
		if now.Before(h.Expires()) {
			c.put(h, now)
		} else {
			c.keep.remove(h.Domain)
		}
	}
	return c, nil
}

// Lookup returns what is known of a domain. It waits only where nothing is: for DNS and for the policy host. Its errors
// are temporary: [ErrBogus], and that of ctx.
func (c *Client) Lookup(ctx context.Context, domain string) (Answer, error) {
	name, err := dns.Name(domain)
	if err != nil || len(hostPrefix+name) > dns.MaxName {
		return Answer{}, nil // an address, or what can have no policy
	}
	if h := c.inForce(name); h != nil {
		return Answer{Held: h}, nil
	}
	if t, ok := c.recentTrouble(name); ok {
		return Answer{Trouble: t}, nil
	}
	found := c.flights.DoChan(name, func() (any, error) {
		// The time is its own: that the first who asked has gone must not harm the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*c.o.Timeout)
		defer cancel()
		return c.discover(ctx, name)
	})
	select {
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	case r := <-found:
		if r.Err != nil {
			return Answer{}, r.Err
		}
		return r.Val.(Answer), nil
	}
}

// Recheck asks for a look at the record of a domain soon: a host did not fit its policy, which may have changed (RFC 8461, 5.1).
func (c *Client) Recheck(domain string) {
	name, err := dns.Name(domain)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.held[name]; e != nil {
		c.lookSoon(name, e)
	}
}

// Policies are all that are in force, in no particular order.
func (c *Client) Policies() []*Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	var all []*Held
	for _, e := range c.held {
		if now.Before(e.held.Expires()) {
			all = append(all, e.held)
		}
	}
	return all
}

// inForce is the policy of a domain that has not ended; nil where there is none. Whether it is still the newest is looked at beside.
func (c *Client) inForce(name string) *Held {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.held[name]
	if e == nil || !now.Before(e.held.Expires()) {
		return nil
	}
	e.used = now
	if now.Sub(e.looked) >= lookEvery {
		c.lookSoon(name, e)
	}
	return e.held
}

// lookSoon puts a domain in line, once. c.mu is held.
func (c *Client) lookSoon(name string, e *entry) {
	if e.queued {
		return
	}
	select {
	case c.hurry <- name:
		e.queued = true
	default: // the next message, or the next round, asks again
	}
}

func (c *Client) recentTrouble(name string) (error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.trouble[name]
	return t.err, ok && c.o.Now().Before(t.until)
}
