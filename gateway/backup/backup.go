// Package backup knows the domains for which the gateway keeps mail while their own servers are away, and how much of it. It keeps and delivers nothing itself.
package backup

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Prefix begins the name of the queue's destination for a domain: "backup:partner.example".
const Prefix = "backup:"

const (
	// fresh is how long a figure of the queue is believed; what was taken since is added to it.
	fresh = 10 * time.Second
	// again is that where the figure says that there is no room.
	again = 250 * time.Millisecond
	// timeout bounds one question to the queue.
	timeout = 10 * time.Second
)

// Queue tells what waits. A queue.Store is one.
type Queue interface {
	// Usage counts what waits for a destination.
	Usage(ctx context.Context, destination string) (queue.Usage, error)
}

// Domains are those that mail is kept for. They may be used from many goroutines.
type Domains struct {
	queue Queue
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]*domain
}

// domain is the room of one domain. Its fields but quota belong to who holds its mutex.
type domain struct {
	mu      sync.Mutex
	quota   int64
	known   int64     // bytes in the queue, when it was asked
	asked   time.Time // zero: never
	since   int64     // bytes committed since it was asked
	pending int64     // bytes of messages that are being committed
}

// New makes Domains that keep mail for nobody until Set; now may be nil.
func New(q Queue, now func() time.Time) *Domains {
	if now == nil {
		now = time.Now
	}
	return &Domains{queue: q, now: now, kept: map[string]*domain{}}
}

// Set replaces the domains, each with its quota in bytes. What is known of those that stay is kept.
func (d *Domains) Set(quotas map[string]int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := make(map[string]*domain, len(quotas))
	for name, quota := range quotas {
		k := d.kept[name]
		if k == nil {
			k = new(domain)
		}
		k.mu.Lock()
		k.quota = quota
		k.mu.Unlock()
		kept[name] = k
	}
	d.kept = kept
}

func (d *Domains) of(name string) *domain {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.kept[name]
}

// Takes reports whether mail to an address is kept.
func (d *Domains) Takes(to mail.Address) bool { return d.of(to.Domain) != nil }

// Room returns nil where a message of so many bytes may be kept for an address, or one of unknown size where it is
// 0. Else its error is a [status.Error] where the quota is used up, and that of the queue where it does not answer.
func (d *Domains) Room(ctx context.Context, to mail.Address, size int64) error {
	k := d.of(to.Domain)
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return d.fits(ctx, to.Domain, k, max(size, 1))
}

// Reserve takes room for a message of so many bytes in each of the domains among its recipients that mail is kept
// for; all of it or none. done must be called once with whether the message is in the queue. Errors as of Room.
func (d *Domains) Reserve(ctx context.Context, recipients []mail.Recipient, size int64) (done func(put bool), err error) {
	taken := map[*domain]bool{}
	done = func(put bool) {
		for k := range taken {
			k.settle(size, put)
		}
	}
	for _, r := range recipients {
		k := d.of(r.Address.Domain)
		if k == nil || taken[k] {
			continue
		}
		if err := d.reserve(ctx, r.Address.Domain, k, size); err != nil {
			done(false)
			return nil, err
		}
		taken[k] = true
	}
	return done, nil
}

func (d *Domains) reserve(ctx context.Context, name string, k *domain, size int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := d.fits(ctx, name, k, size); err != nil {
		return err
	}
	k.pending += size
	return nil
}

// settle ends a reservation.
func (k *domain) settle(size int64, put bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending -= size
	if put {
		k.since += size
	}
}

// fits reports whether there is room for size bytes more; k is locked.
func (d *Domains) fits(ctx context.Context, name string, k *domain, size int64) error {
	full := func() bool { return k.known+k.since+k.pending+size > k.quota }
	age := d.now().Sub(k.asked)
	if k.asked.IsZero() || age < 0 || age > fresh || full() && age > again {
		if err := d.ask(ctx, name, k); err != nil {
			return err
		}
	}
	if full() {
		return status.Say(nil, 452, "4.2.2", texts.DoorBackupFull, texts.Values{Host: name})
	}
	return nil
}

// ask asks the queue what waits; k is locked, so that what is committed meanwhile is counted twice rather than
// not at all.
func (d *Domains) ask(ctx context.Context, name string, k *domain) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	usage, err := d.queue.Usage(ctx, Prefix+name)
	if err != nil {
		return fmt.Errorf("backup: what waits for %s: %w", name, err)
	}
	k.known, k.since, k.asked = usage.Bytes, 0, d.now()
	return nil
}
