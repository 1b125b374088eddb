package dns

import (
	"container/list"
	"sync"
	"time"
)

// key is what an answer is an answer to.
type key struct {
	name  string
	qtype uint16
}

// cache keeps answers until their TTL ends or newer ones need the room; those not used for the longest time
// go first.
type cache struct {
	now func() time.Time
	max int // octets

	mu      sync.Mutex
	size    int
	entries map[key]*list.Element
	used    list.List // of entry, the last used first
}

type entry struct {
	key  key
	a    answer
	ends time.Time
	size int
}

func newCache(max int, now func() time.Time) *cache {
	return &cache{now: now, max: max, entries: map[key]*list.Element{}}
}

func (c *cache) get(k key) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return answer{}, false
	}
	if !c.now().Before(e.Value.(entry).ends) {
		c.remove(e)
		return answer{}, false
	}
	c.used.MoveToFront(e)
	return e.Value.(entry).a, true
}

// put keeps an answer, unless it is one for now only or would take a sizeable part of the room.
func (c *cache) put(k key, a answer) {
	const overhead, decoded, share = 500, 4, 16 // octets of an entry; of a record for one on the wire
	size := overhead + decoded*a.size
	if a.ttl <= 0 || size > c.max/share {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.entries[k]; ok {
		c.remove(old)
	}
	c.entries[k] = c.used.PushFront(entry{k, a, c.now().Add(a.ttl), size})
	c.size += size
	for c.size > c.max {
		c.remove(c.used.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	old := c.used.Remove(e).(entry)
	delete(c.entries, old.key)
	c.size -= old.size
}
