package mtasts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/dns"
)

// Run refreshes policies until ctx ends, and returns when the last look has ended.
func (c *Client) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case name := <-c.hurry:
					c.look(ctx, name)
				}
			}
		})
	}
	every := time.NewTicker(round)
	defer every.Stop()
	for {
		c.goThrough()
		select {
		case <-ctx.Done():
			all.Wait()
			return
		case <-every.C:
		}
	}
}

// goThrough forgets what has ended, and puts the policies in line that get old though no mail asks for them.
func (c *Client) goThrough() {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.trouble, func(_ string, t trouble) bool { return !now.Before(t.until) })
	for name, e := range c.held {
		switch {
		case !now.Before(e.held.Expires()):
			c.drop(name)
		case now.Sub(e.held.Fetched) >= e.held.renewAfter():
			c.lookSoon(name, e)
		}
	}
}

// renewAfter is the age at which a policy is fetched anew under the same id.
func (h *Held) renewAfter() time.Duration { return min(h.MaxAge/2, oldest) }

// look looks whether the policy of a domain has changed, or gets old, and fetches it then. Whatever fails, the one in force stays
// in force until its end.
func (c *Client) look(ctx context.Context, name string) {
	now := c.o.Now()
	c.mu.Lock()
	e := c.held[name]
	if e == nil {
		c.mu.Unlock()
		return
	}
	h := e.held
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.queued, e.looked = false, now
	}()
	id, err := c.record(ctx, name)
	changed := err == nil && id != "" && id != h.ID
	if !changed && now.Sub(h.Fetched) < h.renewAfter() {
		return
	}
	if _, failed := c.recentTrouble(name); failed {
		return
	}
	if id == "" {
		id = h.ID // the record is away: the policy host alone can keep the policy alive
	}
	if _, err := c.fetch(ctx, name, id); err != nil && ctx.Err() == nil {
		c.o.Log.WithField("domain", name).WithField("until", h.Expires().UTC()).WithError(err).
			Warn("The MTA-STS policy of a domain cannot be refreshed; the one that is known stays in force until its end.")
	}
}

// record asks for the id of a domain's policy; empty where it has none.
func (c *Client) record(ctx context.Context, name string) (string, error) {
	texts, err := c.o.Resolver.LookupTXT(ctx, recordPrefix+name)
	if errors.Is(err, dns.ErrNotFound) || errors.Is(err, dns.ErrName) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return ParseRecord(texts)
}

// discover finds out about a domain that nothing is known of.
func (c *Client) discover(ctx context.Context, name string) (Answer, error) {
	if h := c.inForce(name); h != nil { // by the flight before this one
		return Answer{Held: h}, nil
	}
	id, err := c.record(ctx, name)
	switch {
	case errors.Is(err, dns.ErrBogus):
		return Answer{}, fmt.Errorf("%w: %w", ErrBogus, err)
	case errors.Is(err, ErrRecord):
		return Answer{Trouble: err}, nil
	case err != nil, id == "":
		// Servers that choke on the name of the record are none that have a policy (RFC 8461, 3.1).
		return Answer{}, nil
	}
	h, err := c.fetch(ctx, name, id)
	if err != nil {
		c.o.Log.WithField("domain", name).WithError(err).Warn("A domain says that it has an MTA-STS policy, and it cannot be had; mail goes as though there were none.")
		return Answer{Trouble: err}, nil
	}
	return Answer{Held: h}, nil
}

// fetch gets a policy, puts it in force, and keeps it: in this order, since the end of the one before, which removes its file, may come meanwhile.
func (c *Client) fetch(ctx context.Context, name, id string) (*Held, error) {
	p, err := c.fetcher.fetch(ctx, name)
	now := c.o.Now()
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.trouble) < backlog*10 {
			c.trouble[name] = trouble{err, now.Add(again)}
		}
		return nil, err
	}
	h := &Held{Policy: p, Domain: name, ID: id, Fetched: now}
	c.enforce(h, now)
	if c.o.Dir != "" {
		if err := c.keep.save(h); err != nil {
			c.o.Log.WithField("domain", name).WithError(err).Error("An MTA-STS policy cannot be kept; it is in force until the gateway ends. Look at the state folder.")
		}
	}
	return h, nil
}

// enforce puts what was fetched in force, and says so where it is new.
func (c *Client) enforce(h *Held, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.held[h.Domain]; old == nil || old.held.Text != h.Text {
		c.o.Log.WithField("domain", h.Domain).WithField("mode", h.Mode).WithField("until", h.Expires().UTC()).Info("The MTA-STS policy of a domain is in force.")
	}
	delete(c.trouble, h.Domain)
	c.put(h, now)
}

// put puts a policy in force, and forgets others where there is no room. c.mu is held, but by New.
func (c *Client) put(h *Held, now time.Time) {
	e := c.held[h.Domain]
	if e == nil {
		e = &entry{used: now}
		c.held[h.Domain] = e
	} else {
		c.size -= e.held.cost()
	}
	e.held, e.looked = h, now
	c.size += h.cost()
	for c.size > c.o.Memory && len(c.held) > 1 {
		c.dropOldest(h.Domain)
	}
}

// cost is the room that a policy takes, roughly.
func (h *Held) cost() int {
	const overhead, header = 500, 16
	return overhead + 2*len(h.Text) + header*len(h.MX)
}

// ordinary is what a policy may cost that is forgotten only where none costs more; one with a hundred hosts does not.
const ordinary = 16 << 10

// dropOldest forgets the policy that was not used for the longest time, but not that of except. Large ones go first: a stranger with
// a few hundred domains could else drive out those of others, and whoever stands on the way then has their mail in clear. c.mu is held.
func (c *Client) dropOldest(except string) {
	var oldest string
	sooner := func(a, b *entry) bool {
		if large := a.held.cost() > ordinary; large != (b.held.cost() > ordinary) {
			return large
		}
		return a.used.Before(b.used)
	}
	for name, e := range c.held {
		if name != except && (oldest == "" || sooner(e, c.held[oldest])) {
			oldest = name
		}
	}
	c.o.Log.WithField("domain", oldest).Warn("There are too many MTA-STS policies; one is forgotten: of those that are larger than any need be, else of all, the one that was not used for the longest time.")
	c.drop(oldest)
}

// drop forgets a policy. c.mu is held.
func (c *Client) drop(name string) {
	c.size -= c.held[name].held.cost()
	delete(c.held, name)
	if c.o.Dir != "" {
		c.keep.remove(name)
	}
}
