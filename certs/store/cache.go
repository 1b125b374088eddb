package store

import (
	"container/list"
	"crypto"
	"crypto/x509"
	"sync"
	"sync/atomic"

	"github.com/siegel-mail/siegel/certs"
)

// kept is a certificate in memory. It is shared; its key is read when it is first used.
type kept struct {
	certs.Candidate
	record Record
	row    row
	key    atomic.Pointer[crypto.PrivateKey] // that lies here, once it was read
	sent   atomic.Pointer[sentChain]         // what was last sent along with a signature by it
}

// size is about what it takes in memory: the certificate as it is and as it was read, its verdicts, its key.
func (k *kept) size() int { return 4<<10 + 3*len(k.record.Certificate.Raw) + 2*len(k.row.keyBody) }

// cache holds what was read of the database by the names it was asked for, what was used last, within a bound.
type cache struct {
	most int

	mu    sync.Mutex
	items map[string]*list.Element // of *cached
	order *list.List               // the last used first
	size  int
	reads uint64 // changes whenever something that was read before may be other now
	trust atomic.Uint64
}

// cached is what the store has under one name.
type cached struct {
	name string
	all  []*kept // newest first
	size int
}

// perName is about what an entry takes beside its certificates.
const perName = 300

func newCache(most int) *cache {
	return &cache{most: most, items: map[string]*list.Element{}, order: list.New()}
}

// get returns what is held under a name. Where nothing is, put is told the number.
func (c *cache) get(name string) (all []*kept, ok bool, reads uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[name]
	if e == nil {
		return nil, false, c.reads
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).all, true, c.reads
}

// put holds what was read, unless it may have changed since get gave its number.
func (c *cache) put(name string, all []*kept, reads uint64) {
	item := &cached{name, all, perName + len(name)}
	for _, k := range all {
		item.size += k.size()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads != reads || item.size > c.most {
		return
	}
	c.remove(name)
	c.items[name] = c.order.PushFront(item)
	c.size += item.size
	for c.size > c.most {
		c.remove(c.order.Back().Value.(*cached).name)
	}
}

func (c *cache) remove(name string) {
	if e := c.items[name]; e != nil {
		c.size -= e.Value.(*cached).size
		c.order.Remove(e)
		delete(c.items, name)
	}
}

// drop forgets what is held under names.
func (c *cache) drop(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	for _, name := range names {
		c.remove(name)
	}
}

// clear forgets everything, and makes those who judge begin anew.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	c.trust.Add(1)
	c.items, c.size = map[string]*list.Element{}, 0
	c.order.Init()
}

// The names under which the cache holds things.
func addressName(key string) string   { return "address " + key }
func servedName(domain string) string { return "served " + domain }

// idName is empty for an id that names nothing.
func idName(id certs.KeyID) string {
	switch {
	case id.SubjectKeyID != nil && len(id.SubjectKeyID) == 0:
		return ""
	case id.SubjectKeyID != nil:
		return "subject key " + string(id.SubjectKeyID)
	case id.Serial == nil:
		return ""
	}
	return "issued " + string(id.Serial.Bytes()) + " by " + string(id.Issuer)
}

// namesOf are the names that a certificate by itself is held under.
func namesOf(c *x509.Certificate) []string {
	all := []string{idName(certs.KeyIDOf(c))}
	if len(c.SubjectKeyId) > 0 {
		all = append(all, idName(certs.KeyID{SubjectKeyID: c.SubjectKeyId}))
	}
	for _, a := range certs.Addresses(c) {
		all = append(all, addressName(certs.AddressKey(a)))
	}
	return all
}
